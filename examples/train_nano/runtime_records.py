# SPDX-License-Identifier: Apache-2.0
"""Write verdict records of the labelled benchmarks with the built `qwen3guard` program, for evaluate.py and cards.py.

runtime_records.py --program build/release/bin/qwen3guard --model nano-gen --data DATA/eval --out records
Standard library only. One process and one thread a benchmark, several benchmarks at a time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def classify(program: Path, model: str, rows: Path, out: Path) -> None:
    """One benchmark through `classify --json`. A response without any token counts as Safe: nothing was said."""
    args = [program, "classify", "--model", model, "--threads", "1", "--json"]
    with rows.open("rb") as stdin:
        done = subprocess.run(args, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    for record in records:
        if "error" in record:
            record.update(severity="Safe", refusal=None)
    out.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")


def first_pair(severities: list[str]) -> tuple[str, int | None]:
    """The published rule: the first two Unsafe tokens in a row, else the first two Controversial ones, else Safe."""
    for severity in ("Unsafe", "Controversial"):
        for i in range(1, len(severities)):
            if severities[i - 1] == severities[i] == severity:
                return severity, i
    return "Safe", None


def token_span(tokens: list[dict], chars: list[int]) -> list[int]:
    """[first, last] token index, in the whole conversation, of the text [chars[0], chars[1])."""
    inside, at = [], 0
    for token in tokens:
        end = at + len(token["text"])
        if end > chars[0] and at < chars[1]:
            inside.append(token["index"])
        at = end
    return [inside[0], inside[-1]]


def stream(program: Path, model: str, row: dict) -> dict:
    """One conversation through `stream --json`: where the published rule decides."""
    user, answer = (m["content"] for m in row["messages"][-2:])
    args = [program, "stream", "--model", model, "--threads", "1", "--json", "--prompt", user, "--response", answer]
    rows = [json.loads(line) for line in subprocess.run(args, capture_output=True, check=True).stdout.splitlines()]
    tokens = [row for row in rows if row["type"] == "token" and row["role"] == "assistant"]
    severity, at = first_pair([t["severity"] for t in tokens])
    record = {"id": row["id"], "severity": severity, "flagged": None if at is None else tokens[at]["index"]}
    if "unsafe_span_chars" in row:
        record["span"] = token_span(tokens, row["unsafe_span_chars"])
    return record


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--program", type=Path, required=True)
    p.add_argument("--model", required=True)
    p.add_argument("--data", type=Path, required=True)
    p.add_argument("--heldout", type=Path, help="heldout.jsonl of prepare.py")
    p.add_argument("--out", type=Path, required=True)
    a = p.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    sets = sorted(a.data.glob("*.jsonl"), key=lambda f: -f.stat().st_size)
    jobs = [(f, a.out / f.name) for f in sets if f.stem != "spliced_streams"]
    if a.heldout:
        jobs.append((a.heldout, a.out / "heldout.jsonl"))
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(lambda job: classify(a.program, a.model, *job), jobs))
        spliced = a.data / "spliced_streams.jsonl"
        if spliced.exists() and a.model.endswith("stream"):
            rows = [json.loads(line) for line in spliced.open(encoding="utf-8")]
            records = pool.map(lambda row: stream(a.program, a.model, row), rows)
            (a.out / spliced.name).write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")


if __name__ == "__main__":
    main()
