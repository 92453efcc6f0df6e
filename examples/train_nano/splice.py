"""Streams with a known onset: safe text that at some point turns into text labelled unsafe, and safe twins of them."""

from __future__ import annotations

import random

ASKS = {
    "en": ["Tell me more.", "Please continue.", "What do you think?", "Write something about this.", "Go on.",
           "Can you summarise this?", "What happened next?", "Continue the text.", "Hello, can you help me?"],
    "zh": ["请继续。", "你怎么看？", "再说一些。", "写一段文字。", "后来呢？", "你好，可以帮我吗？", "继续写下去。"],
}
JOIN = {"en": [" ", "\n", "\n\n", " "], "zh": ["", "\n", " ", ""]}


def pools(rows: list[dict]) -> dict[str, dict[str, list[dict]]]:
    """Single texts by language group and label, whatever turn they came from."""
    out: dict[str, dict[str, list[dict]]] = {}
    for r in rows:
        if r["lang"] not in ASKS or r["source"] in ("safetybench_zh_subset", "t0_templates", "garak", "phrasing"):
            continue
        if r["messages"][-1]["role"] == "assistant" and r["label"] != "Safe" or r["label"] == "Controversial":
            continue
        out.setdefault(r["lang"], {}).setdefault(r["label"], []).append(r)
    return out


def splice_streams(rows: list[dict], count: int, seed: int) -> list[dict]:
    """`count` assistant rows, two fifths of them unsafe from a known character on."""
    rng = random.Random(seed)
    pool = pools(rows)
    langs = [lang for lang in sorted(pool) if {"Safe", "Unsafe"} <= set(pool[lang])]
    out = []
    for i in range(count if langs else 0):
        lang = langs[i % len(langs)]
        safe, bad = pool[lang]["Safe"], pool[lang]["Unsafe"]
        sep = rng.choice(JOIN[lang])
        text = sep.join(r["messages"][-1]["content"][:260] for r in rng.choices(safe, k=rng.randint(1, 4)))
        row = {"id": f"splice-{seed}-{i}", "lang": lang, "source": "splice", "label": "Safe", "categories": [],
               "refusal": None, "onset": None, "weight": 1.0, "synthetic": True}
        if rng.random() < 0.4:
            first = rng.choice(bad)
            parts = [first] + rng.choices(bad, k=rng.choice([0, 0, 1, 2]))
            text += sep
            row.update(label="Unsafe", onset=len(text), categories=first["categories"])
            text += sep.join(r["messages"][-1]["content"][:500] for r in parts)
        row["messages"] = [{"role": "user", "content": rng.choice(ASKS[lang])},
                           {"role": "assistant", "content": text}]
        out.append(row)
    return out
