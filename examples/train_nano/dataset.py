"""Encoded examples with soft targets, and length-bucketed batches, for both input forms."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from augment import disturb
from labels import CATEGORIES, CATEGORY_ID, JAILBREAK, SEVERITIES, SEVERITY_ID
from render import Renderer, verdict_text

N_CATEGORIES = len(CATEGORIES)
#: How far a label counts against the teachers' opinion; what people wrote for the purpose counts more than annotators
#: of single sentences.
LABEL_SHARE = {"hand": 0.9, "synth": 0.75}
OTHER_SHARE = 0.5


@dataclass
class Target:
    """What is wanted of a row: probabilities of the severities and, weighted by `category_weight`, of the categories."""

    risk: np.ndarray  # [3]
    category: np.ndarray  # [9]
    category_weight: float
    refusal: bool | None


@dataclass
class Example:
    """Token ids with, per position, how much the heads' answer there counts."""

    ids: list[int]
    role: str
    target: Target | None = None
    risk: dict[int, float] = field(default_factory=dict)  # position -> weight of the target there
    safe: dict[int, float] = field(default_factory=dict)  # positions before the onset, where Safe is right
    vectors: dict[int, int] = field(default_factory=dict)  # position -> row of the teachers' sentence vectors
    answer: tuple[int, int] = (0, 0)  # positions of the verdict text (Gen form)
    skip: tuple[int, int] = (0, 0)  # part of the answer that is unknown
    verdict: int = 0  # position of the verdict token


def target_of(row: dict, soft: np.ndarray | None) -> Target:
    """The row's label mixed with the teachers' opinion [14], which is alone where nobody labelled."""
    share = LABEL_SHARE.get(row["source"], 1.0 if soft is None else OTHER_SHARE)
    answer = row["messages"][-1]["role"] == "assistant"
    risk = np.full(3, 1 / 3, np.float32) if soft is None else soft[:3]
    if row["label"] is not None:
        risk = share * np.eye(3, dtype=np.float32)[SEVERITY_ID[row["label"]]] + (1 - share) * risk
    known = [CATEGORY_ID[c] for c in row["categories"]]
    if answer:
        known = [c for c in known if c != JAILBREAK]
    category, weight = np.zeros(N_CATEGORIES, np.float32), float(1 - risk[0])
    if known and row["label"] not in ("Safe", None):
        category[known] = 1 / len(known)
    elif soft is not None:
        category = soft[3:12].copy()
        if answer:
            category[JAILBREAK] = 0
        category /= max(1e-6, category.sum())
        weight *= 0.3
    else:
        weight = 0.0
    refusal = row.get("refusal")
    if refusal is None and answer and soft is not None and not 0.05 < soft[13] < 0.95:
        refusal = bool(soft[13] > 0.5)
    return Target(risk, category, weight, refusal if answer else None)


def changed(row: dict, rng: random.Random, rate: float) -> list[dict]:
    """The row's messages, the last one perhaps disturbed (never where an onset offset has to hold)."""
    if row.get("onset") or rate == 0:
        return row["messages"]
    last = row["messages"][-1]
    return row["messages"][:-1] + [{"role": last["role"], "content": disturb(last["content"], rng, rate)}]


def stream_example(row: dict, target: Target, vectors: list[int], r: Renderer, messages: list[dict], limit: int) -> Example:
    """Query verdict at the closing token, response verdicts on every response token. vectors: rows of the teachers'
    vectors for the last two messages, -1 where there is none."""
    role = messages[-1]["role"]
    ids, queries, responses = r.stream(messages)
    ex = Example(ids, role, target)
    if role == "user":
        ex.risk[queries[-1]] = 1.0
        ex.vectors[queries[-1]] = vectors[-1]
    else:
        begin, end = responses[-1]
        onset = begin
        if row.get("onset"):
            onset = begin + len(r.text(messages[-1]["content"][:row["onset"]]))
        n = end - begin
        exact = row["source"] in ("splice", "hand", "synth")
        # A label of the whole response says little about its first words: only the last third learns from it.
        first = begin if exact or target.risk[0] > 0.8 else begin + 2 * n // 3
        weight = (1.5 if exact else 1.0) / max(1, end - first)
        for i in range(first, end):
            (ex.safe if i < onset else ex.risk)[i] = weight
        ex.risk[end] = 0.5
        ex.vectors[end] = vectors[-1]
        if queries and len(vectors) > 1:
            ex.vectors[queries[-1]] = vectors[-2]
    if len(ids) > limit:
        cut = len(ids) - limit if role == "user" else 0
        keep = limit // 2 if cut else 0  # keep the closing token: drop from the middle
        ex.ids = ids[:keep] + ids[keep + cut:][:limit - keep]
        for name in ("risk", "safe", "vectors"):
            moved = {p - cut: v for p, v in getattr(ex, name).items() if p - cut < limit}
            setattr(ex, name, moved)
    ex.vectors = {p: v for p, v in ex.vectors.items() if v >= 0}
    return ex


def gen_example(row: dict, target: Target, vectors: list[int], r: Renderer, messages: list[dict], limit: int) -> Example:
    """Conversation, rest of the prompt and the verdict text; the prompt's fixed head is left to the model."""
    role = messages[-1]["role"]
    middle = r.gen_middle(messages)
    if len(middle) > limit:
        middle = middle[: limit // 2] + middle[-(limit - limit // 2):]
    label = SEVERITIES[int(target.risk.argmax())]
    sure = target.category.max() > 0.5
    category = [CATEGORIES[int(target.category.argmax())]] if label != "Safe" and sure else []
    answer = r.text(verdict_text(label, category, target.refusal)) + [r.end]
    ids = middle + r.tail[role] + answer
    begin = len(ids) - len(answer)
    ex = Example(ids, role, target, answer=(begin, len(ids)), verdict=begin + 2)
    ex.risk[len(middle) - 1] = 1.0
    ex.vectors = {len(middle) - 1: vectors[-1]} if vectors[-1] >= 0 else {}
    if label != "Safe" and not sure:
        ex.skip = (begin + 6, len(ids))
    elif role == "assistant" and target.refusal is None:
        ex.skip = (len(ids) - 1, len(ids))
    return ex


def sample_rows(weights: list[float], rng: random.Random) -> list[int]:
    """One epoch: every row floor(weight) times, and once more with the fraction as probability."""
    out: list[int] = []
    for i, w in enumerate(weights):
        out += [i] * (int(w) + (rng.random() < w - int(w)))
    return out


def batches(examples: list[Example], tokens: int, rng: random.Random, by_role: bool) -> list[list[Example]]:
    """Batches of about `tokens` padded tokens, of one role each if asked, in random order."""
    out: list[list[Example]] = []
    for role in ("user", "assistant") if by_role else (None,):
        part = [e for e in examples if role is None or e.role == role]
        rng.shuffle(part)
        for i in range(0, len(part), 8192):
            chunk = sorted(part[i:i + 8192], key=lambda e: len(e.ids))
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
