# SPDX-License-Identifier: Apache-2.0
"""PKU-SafeRLHF (Ji et al. 2025, arXiv:2406.15513): two responses a prompt, each with `is_response_N_safe`."""

from __future__ import annotations

from collections.abc import Iterable

from benchmark import Benchmark, Converted
from rows import response_row
from source import SourceRow


def convert(rows: Iterable[SourceRow]) -> Converted:
    for row in rows:
        for n in (0, 1):
            yield "saferlhf", response_row(f"saferlhf-{row.number - 1:05}-{n}", row.text("prompt"), row.text(f"response_{n}"),
                                           "Safe" if row.flag(f"is_response_{n}_safe") else "Unsafe",
                                           source_category=_kinds(row.values.get(f"response_{n}_harm_category")))


def _kinds(value: object) -> str:
    """The classes that are true."""
    return "; ".join(name for name, is_true in value.items() if is_true) if isinstance(value, dict) else ""


BENCHMARK = Benchmark("saferlhf", ("saferlhf",), "the test split (test.jsonl, also .gz and .parquet): prompt, response_0, response_1, "
                      "is_response_0_safe, is_response_1_safe", "Hugging Face PKU-Alignment/PKU-SafeRLHF", "CC BY-NC 4.0", convert)
