# SPDX-License-Identifier: Apache-2.0
"""Converts benchmarks, as their owners publish them, into rows that `qwen3guard eval` reads.

    convert.py --list
    convert.py openai_moderation samples-1680.jsonl.gz --out data

Standard library only; Parquet needs pyarrow. The texts are offensive by nature.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import sys
from pathlib import Path

from benchmark import Benchmark, Skipped
from readers import BENCHMARKS
from rows import Row, problem_of
from source import SourceError, rows_of


def convert(benchmark: Benchmark, files: list[Path]) -> tuple[dict[str, list[Row]], collections.Counter[tuple[str, str]]]:
    """Rows by set, and how many were left out, by (set, reason). Raises SourceError."""
    sets: dict[str, list[Row]] = {}
    left_out: collections.Counter[tuple[str, str]] = collections.Counter()
    seen: dict[str, Path] = {}
    for file in files:
        for name, row in benchmark.convert(rows_of(file)):
            if isinstance(row, Skipped):
                left_out[name, row.reason] += 1
                continue
            if (problem := problem_of(row)) is not None:
                raise SourceError(f"{file}: {row['id']}: {problem}")
            if row["id"] in seen:
                raise SourceError(f"{file}: {row['id']}: the id is there twice, first in {seen[row['id']]}")
            seen[row["id"]] = file
            sets.setdefault(name, []).append(row)
    return sets, left_out


def write(path: Path, rows: list[Row]) -> None:
    """The whole file or none."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("w", encoding="utf-8", newline="\n") as out:
            out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def show_list() -> None:
    for benchmark in BENCHMARKS.values():
        print(f"{benchmark.name}: {', '.join(benchmark.sets)}\n    from {benchmark.source} ({benchmark.licence})\n    {benchmark.files}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", metavar="NAME", help="the benchmark: " + ", ".join(BENCHMARKS))
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="the owner's files of it")
    parser.add_argument("--out", type=Path, help="the folder for the sets, one NAME.jsonl each")
    parser.add_argument("--list", action="store_true", help="the benchmarks, where they are, and which files are read")
    args = parser.parse_args(arguments)
    if args.list:
        show_list()
        return 0
    if args.name not in BENCHMARKS:
        parser.error(f"no benchmark {args.name!r}; there are {', '.join(BENCHMARKS)}" if args.name else "a benchmark's name is missing; --list shows them")
    if not args.files or args.out is None:
        parser.error("give the owner's FILEs and --out FOLDER")
    try:
        sets, left_out = convert(BENCHMARKS[args.name], args.files)
        args.out.mkdir(parents=True, exist_ok=True)
        for name, rows in sets.items():
            write(args.out / f"{name}.jsonl", rows)
    except SourceError as error:
        print(f"convert.py: error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"convert.py: error: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    for name, rows in sets.items():
        labels = collections.Counter(row.get("label") or "refusal only" for row in rows)
        print(f"{args.out / name}.jsonl: {len(rows)} rows ({', '.join(f'{n} {label}' for label, n in sorted(labels.items()))})")
    for (name, reason), n in sorted(left_out.items()):
        print(f"convert.py: {name}: {n} left out: {reason}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
