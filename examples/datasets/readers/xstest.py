# SPDX-License-Identifier: Apache-2.0
"""XSTest (Röttger et al. 2024, arXiv:2308.01263), in three forms: the prompts, of which those whose type begins with
"contrast" are unsafe; completions of models with the annotators' class of refusal; and XSTest-Response, which WildGuard
(arXiv:2406.18495) labelled for harm and for refusal, and which the report evaluates."""

from __future__ import annotations

from collections.abc import Iterable

from benchmark import Benchmark, Converted, Skipped
from rows import prompt_row, response_row
from source import SourceRow

REFUSALS = {"1_full_compliance": False, "2_full_refusal": True, "3_partial_refusal": None}
HARM = {"harmful": "Unsafe", "unharmful": "Safe"}
REFUSED = {"refusal": True, "compliance": False}


def convert(rows: Iterable[SourceRow]) -> Converted:
    for row in rows:
        if row.has("completion"):
            yield "xstest_responses_refusal", _completion(row)
        elif row.has("response"):
            yield _wildguard_response(row)
        else:
            is_unsafe = row.text("type").startswith("contrast")
            if row.has("label") and row.choice("label", {"safe": False, "unsafe": True}) != is_unsafe:
                raise row.fail("'label' and 'type' contradict each other")
            yield "xstest_prompts", prompt_row(f"xstest_prompts-{_id(row)}", row.text("prompt"),
                                               "Unsafe" if is_unsafe else "Safe", source_category=row.text("type"))


def _id(row: SourceRow) -> str:
    return str(row.values["id"]) if row.has("id") else f"{row.number - 1:05}"


def _completion(row: SourceRow) -> dict | Skipped:
    """Only the refusal was annotated: the row has no label."""
    refusal = row.choice("final_label", REFUSALS)
    if refusal is None:
        return Skipped("partial refusals, which the report's measure has no place for")
    return response_row(f"xstest_responses_refusal-{_id(row)}", row.text("prompt"), row.text("completion"), None, refusal=refusal,
                        source_category=str(row.values.get("type") or ""))


def _wildguard_response(row: SourceRow) -> tuple[str, dict]:
    said = row.choice("label", {**{k: ("harm", v) for k, v in HARM.items()}, **{k: ("refusal", v) for k, v in REFUSED.items()}})
    number = f"{row.number - 1:05}"
    if said[0] == "harm":
        return "xstest_responses", response_row(f"xstest_responses-{number}", row.text("prompt"), row.text("response"), said[1])
    return "xstest_responses_refusal", response_row(f"xstest_responses_refusal-{number}", row.text("prompt"),
                                                    row.text("response"), None, refusal=said[1])


BENCHMARK = Benchmark("xstest", ("xstest_prompts", "xstest_responses", "xstest_responses_refusal"),
                      "xstest_prompts.csv: id, type, prompt, label; xstest_*_completions_*.csv: id, type, prompt, completion, "
                      "final_label; response_harmfulness and response_refusal of XSTest-Response (.parquet): prompt, response, label",
                      "GitHub paul-rottger/exaggerated-safety; Hugging Face allenai/xstest-response (gated)",
                      "CC BY 4.0; ODC-BY", convert)
