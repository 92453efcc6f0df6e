# SPDX-License-Identifier: Apache-2.0
"""BeaverTails (Ji et al. 2023, arXiv:2307.04657): responses with `is_safe` and fourteen classes of harm."""

from __future__ import annotations

from collections.abc import Iterable

from benchmark import Benchmark, Converted, Skipped
from rows import response_row
from source import SourceRow


def convert(rows: Iterable[SourceRow]) -> Converted:
    for row in rows:
        if not str(row.get("response") or "").strip():
            yield "beavertails", Skipped("empty responses")
            continue
        kinds = row.values.get("category")
        raised = "; ".join(name for name, is_true in kinds.items() if is_true) if isinstance(kinds, dict) else ""
        yield "beavertails", response_row(f"beavertails-{row.number - 1:05}", row.text("prompt"), row.text("response"),
                                          "Safe" if row.flag("is_safe") else "Unsafe", source_category=raised)


BENCHMARK = Benchmark("beavertails", ("beavertails",), "round0/30k/test.jsonl.xz unpacked, or the test split of 30k as .jsonl, .gz or .parquet: "
                      "prompt, response, category, is_safe", "Hugging Face PKU-Alignment/BeaverTails", "CC BY-NC 4.0", convert)
