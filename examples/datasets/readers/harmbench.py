# SPDX-License-Identifier: Apache-2.0
"""HarmBench (Mazeika et al. 2024, arXiv:2402.04249): behaviours, all Unsafe, a contextual one with its context in front;
and completions that people labelled, where the majority counts, as WildGuard has it (arXiv:2406.18495)."""

from __future__ import annotations

from collections.abc import Iterable

from benchmark import Benchmark, Converted, Skipped
from rows import prompt_row, response_row
from source import SourceRow

CATEGORIES = {"copyright": "Copyright Violation", "chemical_biological": "Non-violent Illegal Acts", "illegal": "Non-violent Illegal Acts",
              "cybercrime_intrusion": "Non-violent Illegal Acts", "harassment_bullying": "Unethical Acts",
              "misinformation_disinformation": "Politically Sensitive Topics"}
#: Semantic classes that hold several of Qwen3Guard's categories ("harmful" among them) name none.


def convert(rows: Iterable[SourceRow]) -> Converted:
    for row in rows:
        lower = SourceRow({key.lower(): value for key, value in row.values.items()}, row.file, row.number)
        if lower.has("generation"):
            yield "harmbench_responses", _response(lower)
        else:
            yield "harmbench_behaviors", _behavior(lower)


def _behavior(row: SourceRow) -> dict:
    prompt, context = row.text("behavior"), row.values.get("contextstring") or ""
    meaning = CATEGORIES.get(str(row.values.get("semanticcategory") or ""))
    if str(row.values.get("functionalcategory") or "") == "copyright":
        meaning = CATEGORIES["copyright"]
    id = str(row.values.get("behaviorid") or f"{row.number - 1:05}")
    return prompt_row(f"harmbench_behaviors-{id}", f"{context}\n\n---\n\n{prompt}" if context else prompt, "Unsafe",
                      categories=[meaning] if meaning else [], source_category=str(row.values.get("semanticcategory") or ""))


def _response(row: SourceRow) -> dict | Skipped:
    votes = [row.flag(column) for column in sorted(row.values) if column.startswith("human_") and row.has(column)]
    if not votes:
        raise row.fail("no labels; expected columns 'human_0', 'human_1', ...")
    if 2 * sum(votes) == len(votes):
        return Skipped("completions on which the annotators are divided equally")
    return response_row(f"harmbench_responses-{row.number - 1:05}", row.text("behavior"), row.text("generation"),
                        "Unsafe" if 2 * sum(votes) > len(votes) else "Safe")


BENCHMARK = Benchmark("harmbench", ("harmbench_behaviors", "harmbench_responses"),
                      "harmbench_behaviors_text_all.csv: Behavior, FunctionalCategory, SemanticCategory, ContextString, BehaviorID; "
                      "labelled completions (.json, .jsonl, .csv): behavior, generation, human_0, human_1, ...",
                      "GitHub centerforaisafety/HarmBench, data/", "MIT", convert)
