"""Label tables of the Qwen3Guard protocol, in the order in which the heads number them."""

from __future__ import annotations

SEVERITIES = ["Safe", "Unsafe", "Controversial"]
SEVERITY_ID = {name: i for i, name in enumerate(SEVERITIES)}

#: Names as the Gen prompts write them; position = head row (8 is for prompts only).
CATEGORIES = [
    "Violent",
    "Sexual Content or Sexual Acts",
    "Suicide & Self-Harm",
    "Politically Sensitive Topics",
    "PII",
    "Copyright Violation",
    "Non-violent Illegal Acts",
    "Unethical Acts",
    "Jailbreak",
]
CATEGORY_ID = {name: i for i, name in enumerate(CATEGORIES)}
JAILBREAK = CATEGORY_ID["Jailbreak"]

ADDED_SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
ADDED_PLAIN = ["<think>", "</think>"]


def id_map(names: list[str]) -> dict[str, str]:
    """The id-to-label map in the form that config.json uses."""
    return {str(i): name for i, name in enumerate(names)}
