# SPDX-License-Identifier: Apache-2.0
"""Qwen3GuardTest, of the report's section 4.4: responses of reasoning models (`thinking`), and two parts in which the first
unsafe sentence is marked by token indices into the rendered conversation (`thinking_loc`, `response_loc`). Evaluate those
with thinking with `--thinking judge`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from benchmark import Benchmark, Converted
from source import SourceRow

PARTS = ("thinking_loc", "response_loc", "thinking")  # longer names first
LABELS = {"safe": "Safe", "unsafe": "Unsafe", "controversial": "Controversial"}


def convert(rows: Iterable[SourceRow]) -> Converted:
    for row in rows:
        name = Path(row.file).name
        part = next((part for part in PARTS if part in name), None)
        if part is None:
            raise row.fail(f"the file's name says no part; expected one of {', '.join(PARTS)} in it")
        messages = row.get("message")
        if not isinstance(messages, list) or not all(isinstance(m, dict) for m in messages):
            raise row.fail("'message' is no list of messages")
        set_name = f"qwen3guardtest_{part}"
        id = str(row.values.get("unique_id") or row.values.get("id") or f"{row.number - 1:05}")
        out = {"id": f"{set_name}-{id}", "lang": str(row.values.get("language") or "en"),
               "messages": [{"role": m.get("role"), "content": m.get("content")} for m in messages],
               "label": row.choice("label", LABELS)}
        if part != "thinking":
            out["unsafe_span_tokens"] = [int(row.number_of("unsafe_start_index")), int(row.number_of("unsafe_end_index"))]
        yield set_name, out


BENCHMARK = Benchmark("qwen3guardtest", tuple(f"qwen3guardtest_{part}" for part in sorted(PARTS)),
                      "thinking, thinking_loc and response_loc (.jsonl, .parquet; the part is in the file's name): message, label, "
                      "unsafe_start_index, unsafe_end_index", "Hugging Face Qwen/Qwen3GuardTest", "CC BY-NC 4.0", convert)
