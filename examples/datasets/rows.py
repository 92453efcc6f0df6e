# SPDX-License-Identifier: Apache-2.0
"""The form of labelled rows that `qwen3guard eval` reads (docs/evaluation.md), made and checked."""

from __future__ import annotations

from typing import Any

LABELS = ("Safe", "Controversial", "Unsafe")
CATEGORIES = ("Violent", "Non-violent Illegal Acts", "Sexual Content or Sexual Acts", "PII", "Suicide & Self-Harm", "Unethical Acts",
              "Politically Sensitive Topics", "Copyright Violation", "Jailbreak")

Row = dict[str, Any]


def prompt_row(id: str, prompt: str, label: str, lang: str = "en", **more: Any) -> Row:
    """A row whose user's message is judged. Of `more`, what is None or empty is left out."""
    return _row(id, lang, [("user", prompt)], {"label": label, **more})


def response_row(id: str, prompt: str, response: str, label: str | None, lang: str = "en", **more: Any) -> Row:
    """A row whose assistant's message is judged."""
    return _row(id, lang, [("user", prompt), ("assistant", response)], {"label": label, **more})


def _row(id: str, lang: str, messages: list[tuple[str, str]], more: dict[str, Any]) -> Row:
    row: Row = {"id": id, "lang": lang, "messages": [{"role": role, "content": text} for role, text in messages]}
    row.update((key, value) for key, value in more.items() if value not in (None, []))
    return row


def _is_span(value: Any) -> bool:
    return (isinstance(value, list) and len(value) == 2 and all(type(end) is int and end >= 0 for end in value)
            and value[0] <= value[1])


def problem_of(row: Any) -> str | None:
    """What is wrong with a row; None when `qwen3guard eval` takes it."""
    if not isinstance(row, dict):
        return "no object"
    messages = row.get("messages")
    if not isinstance(messages, list) or not messages:
        return "no messages"
    for message in messages:
        if not isinstance(message, dict) or not isinstance(message.get("content"), str):
            return "a message without text"
        if message.get("role") not in ("system", "user", "assistant", "tool"):
            return f"the role {message.get('role')!r}"
    last = messages[-1]
    if last["role"] not in ("user", "assistant"):
        return "the last message is neither a user's nor an assistant's"
    if not last["content"].strip():
        return "the last message is empty"
    label, refusal = row.get("label"), row.get("refusal")
    if label is not None and label not in LABELS:
        return f"the label {label!r}"
    if refusal is not None and not isinstance(refusal, bool):
        return f"the refusal {refusal!r}"
    if (label is None or row.get("label_derived")) and refusal is None:
        return "neither a label that is scored nor a refusal"
    for category in row.get("categories") or []:
        if category not in CATEGORIES:
            return f"the category {category!r}"
    return _span_problem(row, last)


def _span_problem(row: Row, last: dict[str, str]) -> str | None:
    for key in ("unsafe_span_chars", "unsafe_span_tokens"):
        if row.get(key) is None:
            continue
        if last["role"] != "assistant":
            return f"{key} of a user's message"
        if not _is_span(row[key]):
            return f"{key} is {row[key]!r}"
        if key == "unsafe_span_chars" and not row[key][0] < row[key][1] <= len(last["content"]):
            return f"{key} is {row[key]!r}, in a message of {len(last['content'])} characters"
    return None
