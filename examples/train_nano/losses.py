"""Training losses: severity and category of the heads, the verdict of the Gen form, the teachers' sentence vectors."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dataset import Example, pad_ids
from labels import SEVERITIES
from nano_model import NanoGuard
from render import Renderer

CATEGORY_SHARE, WORD_WEIGHT, AUX_SHARE = 0.5, 0.15, 0.3
SAFE = np.array([1, 0, 0], np.float32)


class VectorTargets(nn.Module):
    """The teachers' sentence vectors and maps to them from hidden states. Each teacher's vectors [n, dim] are centred,
    so that the cosine tells texts apart; the maps are thrown away after training."""

    def __init__(self, hidden: int, tables: list[Tensor]) -> None:
        super().__init__()
        self.maps = nn.ModuleList(nn.Linear(hidden, t.shape[1]) for t in tables)
        self.tables = [F.normalize(t - t.mean(0), dim=-1).half() for t in tables]
        #: While the maps are new, only they learn: their first steps would disturb states that are good already.
        self.settling = False

    def loss(self, hidden: Tensor, rows: Tensor) -> Tensor:
        """Sum over states [n, hidden] of 1 - cosine, mean over the teachers."""
        hidden = hidden.detach() if self.settling else hidden
        parts = [1 - F.cosine_similarity(m(hidden).float(), t[rows].float(), dim=-1)
                 for m, t in zip(self.maps, self.tables, strict=True)]
        return torch.stack(parts).mean(0).sum()


def soft_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """[n, k] against probabilities [n, k] -> [n]."""
    return -(target * logits.log_softmax(-1)).sum(-1)


def head_loss(model: NanoGuard, hidden: Tensor, batch: list[Example]) -> Tensor:
    """Severity everywhere, category weighted by how unsafe the target is; mean over examples."""
    total = hidden.new_zeros((), dtype=torch.float32)
    for query in (True, False):
        where, weight, risk, cat, cat_weight = [], [], [], [], []
        for i, e in enumerate(batch):
            if (e.role == "user") != query:
                continue
            for pos, w in e.risk.items():
                where.append((i, pos)), weight.append(w), risk.append(e.target.risk)
                cat.append(e.target.category), cat_weight.append(w * e.target.category_weight)
            for pos, w in e.safe.items():
                where.append((i, pos)), weight.append(w), risk.append(SAFE)
                cat.append(e.target.category), cat_weight.append(0.0)
        if not where:
            continue
        at = torch.tensor(where)
        r, c = model.guard(hidden[at[:, 0], at[:, 1]], query)
        total = total + (soft_cross_entropy(r, torch.from_numpy(np.stack(risk))) * torch.tensor(weight)).sum()
        goal = torch.from_numpy(np.stack(cat))[:, : c.shape[1]]
        total = total + CATEGORY_SHARE * (soft_cross_entropy(c, goal) * torch.tensor(cat_weight)).sum()
    return total / len(batch)


def vector_loss(vectors: VectorTargets | None, hidden: Tensor, batch: list[Example]) -> Tensor:
    """Distance to the teachers' sentence vectors; mean over examples."""
    where = [(i, pos, row) for i, e in enumerate(batch) for pos, row in e.vectors.items()]
    if vectors is None or not where:
        return hidden.new_zeros((), dtype=torch.float32)
    at = torch.tensor(where)
    return vectors.loss(hidden[at[:, 0], at[:, 1]], at[:, 2]) / len(batch)


def stream_step(model: NanoGuard, batch: list[Example], r: Renderer, vectors: VectorTargets | None,
                share: float) -> tuple[Tensor, dict]:
    """Loss of a batch in the stream form; share: weight of the sentence vectors."""
    hidden, _ = model.model(pad_ids(batch, r.end))
    head, vec = head_loss(model, hidden, batch), vector_loss(vectors, hidden, batch)
    return head + share * vec, {"head": head.item(), "vec": vec.item()}


def verdict_ids(r: Renderer) -> list[int]:
    """The three verdict tokens, in the order of SEVERITIES; a word of several tokens counts by its first."""
    out = [r.text(f" {s}")[0] for s in SEVERITIES]
    assert len(set(out)) == len(out), "two verdict words begin with the same token"
    return out


def gen_hidden(model: NanoGuard, ids: Tensor, head: list[int]) -> Tensor:
    """Hidden states behind the prompt's fixed head, whose keys and values all rows share."""
    _, past = model.model(torch.tensor([head]))
    return model.model(ids, past)[0]


def gen_step(model: NanoGuard, batch: list[Example], r: Renderer, vectors: VectorTargets | None,
             share: float) -> tuple[Tensor, dict]:
    """Loss of a batch (of one role) in the Gen form."""
    ids = pad_ids(batch, r.end)
    hidden = gen_hidden(model, ids, r.head[batch[0].role])
    where = [(i, p) for i, e in enumerate(batch) for p in range(*e.answer) if not e.skip[0] <= p < e.skip[1]]
    at = torch.tensor(where)
    logits = model.logits(hidden[at[:, 0], at[:, 1] - 1]).float()
    words = WORD_WEIGHT * F.cross_entropy(logits, ids[at[:, 0], at[:, 1]], reduction="sum") / len(batch)
    pos = torch.tensor([e.verdict for e in batch])
    three = model.logits(hidden[torch.arange(len(batch)), pos - 1]).float()[:, verdict_ids(r)]
    goal = torch.from_numpy(np.stack([e.target.risk for e in batch]))
    verdict = soft_cross_entropy(three, goal).mean()
    aux, vec = head_loss(model, hidden, batch), vector_loss(vectors, hidden, batch)
    loss = verdict + words + AUX_SHARE * (aux + share * vec)
    return loss, {"verdict": verdict.item(), "words": words.item(), "aux": aux.item(), "gvec": vec.item()}
