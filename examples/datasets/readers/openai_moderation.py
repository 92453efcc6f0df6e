# SPDX-License-Identifier: Apache-2.0
"""OpenAI moderation (Markov et al. 2023, arXiv:2208.03274): eight flags a text, of which some are missing; any makes it
Unsafe, as in the evaluations of WildGuard and of the report."""

from __future__ import annotations

from collections.abc import Iterable

from benchmark import Benchmark, Converted
from rows import prompt_row
from source import SourceRow

#: The owner's flags, the more specific ones first, and what they are in Qwen3Guard's categories.
FLAGS = {"SH": "Suicide & Self-Harm", "S3": "Sexual Content or Sexual Acts", "S": "Sexual Content or Sexual Acts", "V2": "Violent",
         "V": "Violent", "H2": "Unethical Acts", "H": "Unethical Acts", "HR": "Unethical Acts"}


def convert(rows: Iterable[SourceRow]) -> Converted:
    for row in rows:
        raised = [flag for flag in FLAGS if row.has(flag) and row.flag(flag)]
        categories = list(dict.fromkeys(FLAGS[flag] for flag in raised))
        yield "openai_moderation", prompt_row(f"openai_moderation-{row.number - 1:05}", row.text("prompt"),
                                              "Unsafe" if raised else "Safe", categories=categories,
                                              source_category=" ".join(raised))


BENCHMARK = Benchmark("openai_moderation", ("openai_moderation",), "samples-1680.jsonl.gz: prompt, S, H, V, HR, SH, S3, H2, V2",
                      "GitHub openai/moderation-api-release, data/", "MIT", convert)
