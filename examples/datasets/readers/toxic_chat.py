# SPDX-License-Identifier: Apache-2.0
"""ToxicChat (Lin et al. 2023, arXiv:2310.17389), version 0124: Unsafe where `toxicity` is 1. `jailbreaking` alone does not
make a row Unsafe; it is kept as the source's class."""

from __future__ import annotations

from collections.abc import Iterable

from benchmark import Benchmark, Converted
from rows import prompt_row
from source import SourceRow


def convert(rows: Iterable[SourceRow]) -> Converted:
    for row in rows:
        is_jailbreak = row.has("jailbreaking") and row.flag("jailbreaking")
        id = str(row.values.get("conv_id") or f"{row.number - 1:05}")
        yield "toxic_chat", prompt_row(f"toxic_chat-{id}", row.text("user_input"), "Unsafe" if row.flag("toxicity") else "Safe",
                                       source_category="jailbreaking" if is_jailbreak else "")


BENCHMARK = Benchmark("toxic_chat", ("toxic_chat",), "toxic-chat_annotation_test.csv of data/0124: conv_id, user_input, toxicity, jailbreaking",
                      "Hugging Face lmsys/toxic-chat", "CC BY-NC 4.0", convert)
