"""Encoded examples and length-bucketed batches for both input forms."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import torch
from torch import Tensor

from augment import disturb
from labels import CATEGORY_ID, JAILBREAK, SEVERITY_ID
from render import Renderer, verdict_text

IGNORE = -100


@dataclass
class Example:
    """Token ids with, per position, what the heads or the language model should say there."""

    ids: list[int]
    role: str
    risk: dict[int, tuple[int, float]] = field(default_factory=dict)  # position -> (severity, weight)
    category: int = IGNORE
    answer: tuple[int, int] = (0, 0)  # positions of the verdict text (Gen form)
    skip: tuple[int, int] = (0, 0)  # part of the answer that is unknown
    verdict: int = 0  # position of the verdict token


def category_of(row: dict) -> int:
    """The head row of the first category, or IGNORE; Jailbreak exists for prompts only."""
    if row["label"] == "Safe" or not row["categories"]:
        return IGNORE
    c = CATEGORY_ID[row["categories"][0]]
    return IGNORE if c == JAILBREAK and row["messages"][-1]["role"] == "assistant" else c


def changed(row: dict, rng: random.Random, rate: float) -> list[dict]:
    """The row's messages, the last one perhaps disturbed (never where an onset offset has to hold)."""
    if row.get("onset") or rate == 0:
        return row["messages"]
    last = row["messages"][-1]
    return row["messages"][:-1] + [{"role": last["role"], "content": disturb(last["content"], rng, rate)}]


def stream_example(row: dict, r: Renderer, rng: random.Random, rate: float, limit: int) -> Example:
    """Query verdict at the closing token, response verdicts on every response token."""
    messages = changed(row, rng, rate)
    role = messages[-1]["role"]
    ids, queries, responses = r.stream(messages)
    ex = Example(ids, role, category=category_of(row))
    sev = SEVERITY_ID[row["label"]]
    if role == "user":
        ex.risk[queries[-1]] = (sev, 1.0)
    else:
        begin, end = responses[-1]
        onset = begin
        if row.get("onset"):
            onset = begin + len(r.text(messages[-1]["content"][:row["onset"]]))
        n = end - begin
        exact = row["source"] == "splice" or bool(row.get("synthetic"))
        # A label of the whole response says little about its first words: only the last third learns from it.
        first = begin if exact or sev == 0 else begin + 2 * n // 3
        for i in range(first, end):
            ex.risk[i] = (sev if i >= onset else 0, (1.5 if exact else 1.0) / (end - first))
        ex.risk[end] = (sev, 0.3)
    if len(ids) > limit:
        cut = len(ids) - limit if role == "user" else 0
        if cut:  # keep the closing token: drop from the middle
            keep = limit // 2
            ex.ids = ids[:keep] + ids[keep + cut:]
            ex.risk = {p - cut: v for p, v in ex.risk.items()}
        else:
            ex.ids = ids[:limit]
            ex.risk = {p: v for p, v in ex.risk.items() if p < limit}
    return ex


def gen_example(row: dict, r: Renderer, rng: random.Random, rate: float, limit: int) -> Example:
    """Conversation, rest of the prompt and the verdict text; the prompt's fixed head is left to the model."""
    messages = changed(row, rng, rate)
    role = messages[-1]["role"]
    middle = r.gen_middle(messages)
    if len(middle) > limit:
        middle = middle[: limit // 2] + middle[-(limit - limit // 2):]
    refusal = row.get("refusal") if role == "assistant" else None
    text = verdict_text(row["label"], row["categories"][:1], refusal)
    answer = r.text(text) + [r.end]
    ids = middle + r.tail[role] + answer
    begin = len(ids) - len(answer)
    ex = Example(ids, role, category=category_of(row), answer=(begin, len(ids)), verdict=begin + 2)
    ex.risk[len(middle) - 1] = (SEVERITY_ID[row["label"]], 1.0)
    unknown_category = row["label"] != "Safe" and not row["categories"]
    if unknown_category:
        ex.skip = (begin + 6, len(ids))
    elif role == "assistant" and refusal is None:
        ex.skip = (len(ids) - 1, len(ids))
    return ex


def sample_rows(rows: list[dict], rng: random.Random) -> list[dict]:
    """One epoch: every row floor(weight) times, and once more with the fraction as probability."""
    out = []
    for row in rows:
        n = int(row["weight"])
        n += rng.random() < row["weight"] - n
        out += [row] * n
    return out


def batches(examples: list[Example], tokens: int, rng: random.Random, fixed: int = 0) -> list[list[Example]]:
    """Batches of about `tokens` padded tokens, of one role each, in random order."""
    out: list[list[Example]] = []
    for role in ("user", "assistant"):
        part = [e for e in examples if e.role == role] if fixed else (examples if role == "user" else [])
        rng.shuffle(part)
        for i in range(0, len(part), 4096):
            chunk = sorted(part[i:i + 4096], key=lambda e: len(e.ids))
            batch: list[Example] = []
            for e in chunk:
                if batch and (len(batch) + 1) * len(e.ids) > tokens:
                    out.append(batch)
                    batch = []
                batch.append(e)
            out.append(batch)
    out = [b for b in out if b]
    rng.shuffle(out)
    return out


def pad_ids(batch: list[Example], pad: int) -> Tensor:
    """Right-padded token ids."""
    width = max(len(e.ids) for e in batch)
    ids = torch.full((len(batch), width), pad)
    for i, e in enumerate(batch):
        ids[i, : len(e.ids)] = torch.tensor(e.ids)
    return ids
