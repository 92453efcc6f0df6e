#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Long messages judged in windows against the same messages judged whole: agreement and cost, in Markdown.

    PYTHONPATH=capi/bindings/python/src QWEN3GUARD_LIB_DIR=build/release/capi benchmarks/long_text.py --data ../shared/data
        [--rows 150] [--model FILE --contexts 1024,2048]

Takes the longest messages of the labelled data that the whole context holds, lowers the context until they need windows, and
compares. Without the data there is nothing to compare."""

import argparse
import json
import time
from pathlib import Path

import qwen3guard

FILES = ("openai_moderation", "harmbench_behaviors", "do_not_answer_responses", "xstest_responses_refusal", "s_eval_attack", "spliced_streams")


def longest(data: Path, n: int) -> list:
    rows = []
    for name in FILES:
        for line in (data / "eval" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
            messages = json.loads(line)["messages"]
            # What stands before the message has to fit a window.
            if messages[-1]["role"] in ("user", "assistant") and sum(len(m["content"]) for m in messages[:-1]) < 400:
                rows.append([(m["role"], m["content"]) for m in messages])
    return sorted(rows, key=lambda row: -len(row[-1][1].encode()))[:n]


def judge(guard, rows: list) -> tuple:
    options = qwen3guard.ClassifyOptions(long_text="windows")
    out, start = [], time.perf_counter()
    for row in rows:
        out.append(guard.classify(row, options))
    return out, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--rows", type=int, default=150)
    parser.add_argument("--model", help="a checkpoint or packed file; without it, the small models in the library")
    parser.add_argument("--contexts", default="1024", help="tokens, with --model")
    args = parser.parse_args()
    if not args.data.is_dir():
        return print("skipped: no labelled data")
    rows = longest(args.data, args.rows)
    sizes = [len(row[-1][1].encode()) for row in rows]
    print(f"The {len(rows)} longest messages of {', '.join(FILES)}: {min(sizes)} to {max(sizes)} bytes.\n")
    print("| model | context (tokens) | in windows | windows each | same severity | worse in windows | milder in windows | time, windows / whole |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    models = [("nano-gen", (768, 1024, 1536)), ("nano-stream", (256, 512, 1024))]
    if args.model:
        models = [(args.model, tuple(int(n) for n in args.contexts.split(",")))]
    for model, contexts in models:
        load = qwen3guard.Guard.load if args.model else qwen3guard.Guard.embedded
        with load(model, n_threads=1, kept_tokens=0) as guard:
            whole, whole_s = judge(guard, rows)
        for context in contexts:
            with load(model, n_threads=1, kept_tokens=0, max_context_tokens=context) as guard:
                parts, parts_s = judge(guard, rows)
            cut = [(a, b) for a, b in zip(whole, parts) if b.window is not None]
            same = sum(a.severity == b.severity for a, b in cut)
            worse = sum(int(b.severity) > int(a.severity) for a, b in cut)
            n_windows = sum(b.window.n_windows for _, b in cut) / max(len(cut), 1)
            print(f"| {Path(model).stem} | {context} | {len(cut)} | {n_windows:.1f} | {100 * same / max(len(cut), 1):.0f} % | {worse} "
                  f"| {len(cut) - same - worse} | {parts_s / whole_s:.2f} |", flush=True)


if __name__ == "__main__":
    main()
