# SPDX-License-Identifier: Apache-2.0
"""WildGuardTest (Han et al. 2024, arXiv:2406.18495): harm of the prompt, harm of the response, refusal. A label that the
annotators did not agree on is empty, and its row is left out of that set."""

from __future__ import annotations

from collections.abc import Iterable

from benchmark import Benchmark, Converted, Skipped
from rows import prompt_row, response_row
from source import SourceRow

HARM = {"harmful": "Unsafe", "unharmful": "Safe"}
REFUSED = {"refusal": True, "compliance": False}


def convert(rows: Iterable[SourceRow]) -> Converted:
    for row in rows:
        yield from labelled_rows(row, "wildguard", f"{row.number - 1:05}", "en")


def labelled_rows(row: SourceRow, family: str, id: str, lang: str) -> Converted:
    """The prompt's and the response's row of a source row in the columns of WildGuardMix."""
    kind = str(row.values.get("subcategory") or "")
    prompts, responses = f"{family}_prompts", f"{family}_responses"
    if row.is_given("prompt_harm_label"):
        yield prompts, prompt_row(f"{prompts}-{id}", row.text("prompt"), row.choice("prompt_harm_label", HARM), lang, source_category=kind)
    else:
        yield prompts, Skipped("prompts without an agreed label")
    if not row.is_given("response"):
        return
    label = row.choice("response_harm_label", HARM) if row.is_given("response_harm_label") else None
    refusal = row.choice("response_refusal_label", REFUSED) if row.is_given("response_refusal_label") else None
    if label is None and refusal is None:
        yield responses, Skipped("responses without an agreed label")
        return
    yield responses, response_row(f"{responses}-{id}", row.text("prompt"), row.text("response"), label, lang, refusal=refusal,
                                  source_category=kind)


BENCHMARK = Benchmark("wildguard", ("wildguard_prompts", "wildguard_responses"),
                      "wildguard_test.parquet: prompt, response, prompt_harm_label, response_harm_label, response_refusal_label, subcategory",
                      "Hugging Face allenai/wildguardmix (gated)", "ODC-BY", convert)
