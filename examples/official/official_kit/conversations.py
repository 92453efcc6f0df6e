# SPDX-License-Identifier: Apache-2.0
"""The fixed conversations (conversations.jsonl): everyday, borderline and plainly bad ones in several languages, written for this
check. None has control tokens in a message: transformers takes those for markup, this runtime for text."""

from __future__ import annotations

import json
from pathlib import Path

FILE = Path(__file__).with_name("conversations.jsonl")


def load(is_quick: bool) -> list[dict]:
    rows = [json.loads(line) for line in FILE.read_text("ascii").splitlines()]
    return [row for row in rows if row["quick"] or not is_quick]


def is_response(conversation: dict) -> bool:
    return conversation["messages"][-1]["role"] == "assistant"
