"""Encoded examples with soft targets, and length-bucketed batches of tensors, for both input forms."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from augment import disturb
from grouping import grouped
from labels import CATEGORIES, CATEGORY_ID, JAILBREAK, SEVERITIES, SEVERITY_ID
from render import Renderer, verdict_text

N_CATEGORIES = len(CATEGORIES)
SAFE = np.array([1, 0, 0], np.float32)
#: Examples among which batches of equal length are looked for.
NEIGHBOURS = 8192
#: How far a label counts against the teachers' opinion; what people wrote for the purpose counts more than annotators
#: of single sentences.
LABEL_SHARE = {"hand": 0.7, "synth": 0.6}
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


#: Batches are built as NumPy arrays, which go between processes cheaply, and learnt from as tensors.
Array = np.ndarray | Tensor


@dataclass
class HeadTargets:
    """What one pair of heads shall say at k places: severities [k, 3], categories [k, 9], and how much each counts [k]."""

    at: Array  # [k, 2]: row, position
    weight: Array
    risk: Array
    category: Array
    category_weight: Array

    def tensors(self, device: torch.device) -> HeadTargets:
        """The same as tensors on a device."""
        return HeadTargets(*(torch.from_numpy(x).to(device) for x in vars(self).values()))


@dataclass
class Batch:
    """Rows of about equal length."""

    form: str
    role: str  # of the first row; in the Gen form, of all
    ids: Array  # [n, width], right-padded
    query: HeadTargets
    response: HeadTargets
    vectors: Array  # [m, 3]: row, position, row of the teachers' sentence vectors
    risk: Array  # [n, 3]: the rows' severities
    answer: Array  # [a, 2]: row and position of each known token of the verdict texts (Gen form)
    verdict: Array  # [n]: positions of the verdict words (Gen form)

    def tensors(self, device: torch.device) -> Batch:
        """The same as tensors on a device."""
        return Batch(self.form, self.role, *(x.tensors(device) if isinstance(x, HeadTargets) else torch.from_numpy(x).to(device)
                                             for x in list(vars(self).values())[2:]))


def head_targets(examples: list[Example], role: str) -> HeadTargets:
    """The targets of one pair of heads: the query's or the response's."""
    at, weight, category_weight = [np.zeros((0, 2), np.int64)], [np.zeros(0, np.float32)], [np.zeros(0, np.float32)]
    risk, category = [np.zeros((0, 3), np.float32)], [np.zeros((0, N_CATEGORIES), np.float32)]
    for i, e in enumerate(examples):
        if e.role != role:
            continue
        for where, severity, share in ((e.risk, e.target.risk, e.target.category_weight), (e.safe, SAFE, 0.0)):
            n = len(where)
            at.append(np.stack([np.full(n, i), np.fromiter(where.keys(), np.int64, n)], 1))
            weight.append(np.fromiter(where.values(), np.float32, n))
            category_weight.append(weight[-1] * np.float32(share))
            risk.append(np.broadcast_to(severity.astype(np.float32), (n, 3)))
            category.append(np.broadcast_to(e.target.category, (n, N_CATEGORIES)))
    return HeadTargets(*(np.concatenate(x) for x in (at, weight, risk, category, category_weight)))


def collate(examples: list[Example], form: str, pad: int) -> Batch:
    """The arrays of a batch."""
    def places(found: list[tuple[int, ...]], width: int) -> np.ndarray:
        return np.array(found, np.int64).reshape(-1, width)
    return Batch(form, examples[0].role, pad_ids([e.ids for e in examples], pad).numpy(),
                 head_targets(examples, "user"), head_targets(examples, "assistant"),
                 places([(i, p, v) for i, e in enumerate(examples) for p, v in e.vectors.items()], 3),
                 np.stack([e.target.risk for e in examples]).astype(np.float32),
                 places([(i, p) for i, e in enumerate(examples) for p in range(*e.answer) if not e.skip[0] <= p < e.skip[1]], 2),
                 np.array([e.verdict for e in examples], np.int64))


def batches(examples: list[Example], tokens: int, rng: random.Random, form: str, pad: int) -> list[Batch]:
    """Batches of about `tokens` padded tokens in random order; in the Gen form, of one role each."""
    out: list[Batch] = []
    for role in ("user", "assistant") if form == "gen" else (None,):
        part = [e for e in examples if role is None or e.role == role]
        rng.shuffle(part)
        for i in range(0, len(part), NEIGHBOURS):
            chunk = part[i:i + NEIGHBOURS]
            out += [collate([chunk[k] for k in group], form, pad) for group in grouped([len(e.ids) for e in chunk], tokens)]
    rng.shuffle(out)
    return out


def pad_ids(rows: list[list[int]], pad: int) -> Tensor:
    """Right-padded token ids [len(rows), longest]."""
    ids = torch.full((len(rows), max(map(len, rows))), pad)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row, dtype=torch.long)
    return ids
