"""The everyday set: hand-written prompts and answers that a newcomer would try; never trained on.

everyday/calibration.jsonl sets thresholds and operating points, everyday/report.jsonl is only reported on.
"""

from __future__ import annotations

import json
from pathlib import Path

FOLDER = Path(__file__).with_name("everyday")
HALVES = ("calibration", "report")


def read_half(half: str, folder: Path = FOLDER) -> list[dict]:
    """Rows of one half: id, lang, topic, messages, label, categories, refusal."""
    with (folder / f"{half}.jsonl").open(encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def everyday_texts(folder: Path = FOLDER) -> list[str]:
    """Every message of both halves."""
    return [m["content"] for half in HALVES for row in read_half(half, folder) for m in row["messages"]]
