# SPDX-License-Identifier: Apache-2.0
"""The figures of the Qwen3Guard technical report, from published.json beside this file, and which of our sets they are of."""

import dataclasses
import json
from pathlib import Path
from typing import Dict, List, Optional, Tuple


@dataclasses.dataclass(frozen=True)
class PublishedRow:
    """One model in one mode ("strict", "loose", or None for a model that has one); F1 in percent, by column."""
    table: int
    model: str
    mode: Optional[str]
    values: Dict[str, Optional[float]]
    average: Optional[float]


@dataclasses.dataclass(frozen=True)
class Group:
    """Tables of the report that have the same columns."""
    name: str
    title: str
    tables: Tuple[int, ...]
    columns: Tuple[str, ...]
    rows: List[PublishedRow]


@dataclasses.dataclass(frozen=True)
class PublishedPoint:
    """A point of Figure 4, in percent."""
    model: str
    mode: Optional[str]
    precision: float
    recall: float


@dataclasses.dataclass(frozen=True)
class PublishedLatency:
    """Bars of Figure 8: counts of n streams; None is what the drawing does not tell."""
    model: str
    n: int
    bins: Dict[str, Optional[int]]
    note: Optional[str]


@dataclasses.dataclass(frozen=True)
class PublishedRates:
    """In percent."""
    model: str
    exact_hit_rate: float
    first_128_stop_rate: float


_TITLES = {
    "english_prompt": "English prompts",
    "english_response": "English responses",
    "chinese_prompt": "Chinese prompts",
    "chinese_response": "Chinese responses",
    "rtp_lx": "Multilingual prompts, RTP-LX",
    "polyguard_response": "Multilingual responses, PolyGuard",
    "refusal": "Refusal detection",
}

COLUMNS: Dict[str, Tuple[str, str]] = {
    "toxic_chat": ("english_prompt", "ToxiC"),
    "openai_moderation": ("english_prompt", "OpenAIMod"),
    "aegis_prompts": ("english_prompt", "Aegis"),
    "aegis2_prompts": ("english_prompt", "Aegis2.0"),
    "simple_safety_tests": ("english_prompt", "SimpST"),
    "harmbench_behaviors": ("english_prompt", "HarmB"),
    "wildguard_prompts": ("english_prompt", "WildG"),
    "harmbench_responses": ("english_response", "HarmB"),
    "saferlhf": ("english_response", "SafeRLHF"),
    "beavertails": ("english_response", "Beavertails"),
    "xstest_responses": ("english_response", "XSTest"),
    "aegis2_responses": ("english_response", "Aegis2.0"),
    "wildguard_responses": ("english_response", "WildG"),
    "qwen3guardtest_thinking": ("english_response", "Think"),
    "toxic_chat_zh": ("chinese_prompt", "ToxiC"),
    "wildguard_prompts_zh": ("chinese_prompt", "WildG"),
    "xstest_responses_zh": ("chinese_response", "XSTest"),
    "beavertails_zh": ("chinese_response", "Beavertails"),
    "wildguard_responses_zh": ("chinese_response", "WildG"),
}
"""The group and the column that a set's F1 stands in."""
BY_LANGUAGE: Dict[str, str] = {"rtp_lx": "rtp_lx", "polyguard_responses": "polyguard_response"}
"""The group whose columns are a set's languages."""
REFUSALS: Dict[str, str] = {"xstest_responses_refusal": "XSTest", "wildguard_responses": "WildG"}
"""The columns of Table 7 that a set's refusals are of."""
FULL_SIZES: Dict[str, int] = {
    "openai_moderation": 1680,
    "simple_safety_tests": 100,
    "xstest_prompts": 450,
    "qwen3guardtest_thinking": 1059,
    "qwen3guardtest_thinking_loc": 569,
    "qwen3guardtest_response_loc": 813,
}
"""Rows of the whole benchmark, of those that say so."""


class Published:
    """All of it."""

    def __init__(self) -> None:
        root = json.loads(Path(__file__).with_name("published.json").read_text(encoding="utf-8"))
        self.groups: Dict[str, Group] = {}
        for name, title in _TITLES.items():
            tables = [table for table in root["tables"] if table["group"] == name]
            rows: List[PublishedRow] = []
            for table in tables:
                for row in table["rows"]:
                    if any((row["model"], row["mode"]) == (known.model, known.mode) for known in rows):
                        continue  # the Gen models are printed in two tables
                    rows.append(PublishedRow(table["table"], row["model"], row["mode"], dict(zip(table["columns"], row["values"])),
                                             table["averages"].get(row["model"])))
            self.groups[name] = Group(name, title, tuple(table["table"] for table in tables), tuple(tables[0]["columns"]), rows)
        self._points = root["precision_recall"]["points"]
        self._latency = root["latency"]["rows"]
        self._rates = root["stream_rates"]

    def points(self, set_name: str) -> List[PublishedPoint]:
        """Figure 4's of a set; none for most."""
        place = COLUMNS.get(set_name)
        return [PublishedPoint(point["model"], point["mode"], point["precision"], point["recall"]) for point in self._points
                if (point["group"], point["column"]) == place]

    def latency(self, set_name: str) -> List[PublishedLatency]:
        """Figure 8's of a set; none for most."""
        return [PublishedLatency(row["model"], row["n"], row["bins"], row.get("note")) for row in self._latency
                if row["set"] == set_name]

    def rates(self, set_name: str) -> List[PublishedRates]:
        """How often streams were stopped in time, of a set; none for most."""
        return [PublishedRates(row["model"], row["exact_hit_rate"], row["first_128_stop_rate"]) for row in self._rates
                if row["set"] == set_name]
