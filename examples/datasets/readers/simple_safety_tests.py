# SPDX-License-Identifier: Apache-2.0
"""SimpleSafetyTests (Vidgen et al. 2023, arXiv:2311.08370): 100 prompts, all Unsafe."""

from __future__ import annotations

from collections.abc import Iterable

from benchmark import Benchmark, Converted
from rows import prompt_row
from source import SourceRow

AREAS = {"suicide, self-harm and eating disorders": "Suicide & Self-Harm", "suicide, self-harm, and eating disorders": "Suicide & Self-Harm",
         "suicide, self-harm & eating disorders": "Suicide & Self-Harm", "physical harm": "Violent",
         "physical harm and violence": "Violent", "illegal and highly regulated items": "Non-violent Illegal Acts",
         "illegal items": "Non-violent Illegal Acts", "scams and fraud": "Non-violent Illegal Acts",
         "scams & fraud": "Non-violent Illegal Acts", "child abuse": "Sexual Content or Sexual Acts"}


def convert(rows: Iterable[SourceRow]) -> Converted:
    for row in rows:
        area = str(row.values.get("harm_area") or "")
        category = AREAS.get(area.strip().lower())
        id = str(row.values.get("id") or f"{row.number - 1:05}")
        yield "simple_safety_tests", prompt_row(f"simple_safety_tests-{id}", row.text("prompt"), "Unsafe",
                                                categories=[category] if category else [], source_category=area)


BENCHMARK = Benchmark("simple_safety_tests", ("simple_safety_tests",), "sst_test_cases.csv: id, harm_area, prompt",
                      "GitHub bertiev/SimpleSafetyTests, or Hugging Face Bertievidgen/SimpleSafetyTests", "CC BY 4.0", convert)
