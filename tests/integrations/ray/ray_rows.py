# SPDX-License-Identifier: Apache-2.0
"""Rows for the tests, the program's verdicts on them, and the command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
CLI = os.environ.get("Q3G_CLI", "")
JUDGE = ROOT / "examples/ray/judge.py"

TEXTS = ["How do I kill a Python process?", "You are a worthless idiot and nobody likes you.", "كيف حالك؟", "How do I make a bomb?",
         "Write a poem about the sea.", "I want to hurt myself.", "\U0001f600 " * 20, "a\u0000b \u202e c"]


def user(text: str) -> list[dict[str, str]]:
    """A conversation of one message."""
    return [{"role": "user", "content": text}]


def plain_rows(n: int) -> list[dict[str, Any]]:
    """Prompts and answers, each with a text of its own."""
    out = []
    for i in range(n):
        messages = user(f"{TEXTS[i % len(TEXTS)]} ({i})")
        if i % 3 == 2:
            messages.append({"role": "assistant", "content": f"{TEXTS[(i + 3) % len(TEXTS)]}"})
        out.append({"id": f"row {i}", "messages": messages})
    return out


def hostile_lines() -> list[bytes]:
    """Lines without their ends. The program reads them, too."""
    good = json.dumps({"id": "good", "messages": user("Hello")}).encode()
    call = {"type": "function", "function": {"name": "f", "arguments": {"x": 1}}}
    out = [good, b"", b"   \t", good + b"\r", b"\x00", b'{"messages": "\x00"}', b"\xff\xfe", b"not JSON", b"[]", b"null", b'"text"', b"{}",
           b'{"id": NaN, "messages": []}', b'{"id": 1, "id": 2, "messages": []}', b'{"messages": []}', b'{"messages": [["user", "hi"]]}',
           b'{"messages": [{"role": "user", "content": "a", "c\u006fntent": "b"}]}', b"[" * 100000, b'{"messages": [1]}',
           b'{"id": "\ud800", "messages": [{"role": "user", "content": "a"}]}', b'{"messages": [{"role": "user", "content": "\ud800"}]}',
           b'{"messages": [{"role": "user", "content": "\xff"}]}', b'{"unused": "\xff", "messages": [{"role": "user", "content": "a"}]}',
           b'{"id": "\xff", "messages": [{"role": "user", "content": "a"}]}', b'{"id": 1.50, "unused": 1e999, "messages": [{"role": "user", "content": "a"}]}',
           b'{"id": ' + b"9" * 5000 + b', "messages": [{"role": "user", "content": "a"}]}', good + b" x", good[:-1],
           b'{"id": {"a": [1.0, "\xc3\xa9", null]}, "messages": [{"role": "user", "content": "a"}]}',
           b'{"messages": [{"role": "assistant", "content": "Sure.", "tool_calls": [{"function": {"name": "f", "arguments": {"x": 1.50, "y": 1e3}}}]}]}']
    for messages in (user(""), user("x" * (1 << 20)), [{"role": "user"}], [{"role": "wizard", "content": "a"}], user("a") * 3,
                     [{"role": "system", "content": "s"}], [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u"}}]}],
                     [{"role": "user", "content": ["a", {"type": "text", "text": "b"}]}], [{"role": "user", "content": None}],
                     [{"role": "assistant", "content": "first"}, *user("a")], [*user("a"), {"role": "tool", "content": "t"}],
                     [*user("a"), {"role": "assistant", "content": None, "tool_calls": [call]}], [{"role": "user", "content": "a", "extra": "text"}],
                     [{"role": "user", "content": 3}], [*user("a"), {"role": "assistant", "reasoning_content": "r", "content": "c"}]):
        out.append(json.dumps({"id": len(out), "messages": messages}).encode())
    return out


def by_program(model: Path | str, data: bytes, *options: str) -> list[dict[str, Any]]:
    """What the program says of lines, without times, and without the tokens that it found in its memory."""
    found = subprocess.run([CLI, "classify", "--json", "--model", model, *options], input=data, capture_output=True, timeout=300, check=False)
    return [comparable(json.loads(line, parse_int=lambda digits: int(digits) if len(digits) < 20 else float(digits)))
            for line in found.stdout.splitlines()]


def comparable(row: dict[str, Any]) -> dict[str, Any]:
    """What of a row both must agree about."""
    out = {key: value for key, value in row.items() if key not in ("file", "row", "latency_ms")}
    if row["type"] == "error":
        out.pop("severity", None)
        out["error"] = row["error"]["code"]
    else:
        out["tokens"] = row["tokens"]["prompt"]
    return out


def command(model: Path | str, data: list[Path], out: Path, *options: object) -> list[str]:
    """judge.py's."""
    return [sys.executable, str(JUDGE), "--model", str(model), "--data", *map(str, data), "--out", str(out), *map(str, options)]
