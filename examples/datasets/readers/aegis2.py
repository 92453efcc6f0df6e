# SPDX-License-Identifier: Apache-2.0
"""Aegis 2.0 (Ghosh et al. 2025, arXiv:2501.09004): a label for the prompt and, where there is one, for the response. Rows
whose text the owners took out hold a placeholder and are left out."""

from __future__ import annotations

from collections.abc import Iterable

from benchmark import Benchmark, Converted, Skipped
from rows import prompt_row, response_row
from source import SourceRow

LABELS = {"safe": "Safe", "unsafe": "Unsafe"}


def convert(rows: Iterable[SourceRow]) -> Converted:
    for row in rows:
        id = str(row.get("id"))
        if row.text("prompt").strip() == "REDACTED":
            yield "aegis2_prompts", Skipped("texts that the owners took out (REDACTED)")
            continue
        kinds = str(row.values.get("violated_categories") or "")
        # A response's row repeats the prompt; that the report's prompts are those of all rows is assumed.
        if row.has("prompt_label"):
            yield "aegis2_prompts", prompt_row(f"aegis2_prompts-{id}", row.text("prompt"), row.choice("prompt_label", LABELS),
                                               source_category=kinds)
        if row.has("response"):
            if not row.has("response_label"):
                yield "aegis2_responses", Skipped("responses without a label")
                continue
            yield "aegis2_responses", response_row(f"aegis2_responses-{id}", row.text("prompt"), row.text("response"),
                                                   row.choice("response_label", LABELS), source_category=kinds)


BENCHMARK = Benchmark("aegis2", ("aegis2_prompts", "aegis2_responses"),
                      "test.json (also .jsonl, .parquet): id, prompt, response, prompt_label, response_label, violated_categories",
                      "Hugging Face nvidia/Aegis-AI-Content-Safety-Dataset-2.0", "CC BY 4.0", convert)
