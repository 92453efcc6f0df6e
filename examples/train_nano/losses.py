"""Training losses: the report's head losses, the verdict loss of the Gen form and a sampled language-model loss."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from dataset import IGNORE, Example, pad_ids
from labels import SEVERITIES
from nano_model import NanoGuard
from render import Renderer

SMOOTH = 0.05


def head_loss(model: NanoGuard, hidden: Tensor, batch: list[Example]) -> Tensor:
    """Cross entropy of the risk, plus that of the category only where the risk is not Safe; mean over examples."""
    total = hidden.new_zeros((), dtype=torch.float32)
    for query in (True, False):
        where, risk, weight, cat = [], [], [], []
        for i, e in enumerate(batch):
            if (e.role == "user") == query:
                for pos, (sev, w) in e.risk.items():
                    where.append((i, pos)), risk.append(sev), weight.append(w)
                    cat.append(e.category if sev else IGNORE)
        if not where:
            continue
        at = torch.tensor(where)
        w = torch.tensor(weight)
        r, c = model.guard(hidden[at[:, 0], at[:, 1]], query)
        loss = F.cross_entropy(r, torch.tensor(risk), reduction="none", label_smoothing=SMOOTH)
        total = total + (loss * w).sum()
        target = torch.tensor(cat)
        total = total + 0.5 * (F.cross_entropy(c, target, reduction="none", ignore_index=IGNORE) * w).sum()
    return total / len(batch)


def lm_loss(model: NanoGuard, hidden: Tensor, ids: Tensor, lengths: Tensor, count: int) -> Tensor:
    """Next-token loss at `count` random positions."""
    real = (torch.arange(ids.shape[1] - 1) < lengths[:, None] - 1).nonzero()
    at = real[torch.randperm(len(real))[:count]]
    return F.cross_entropy(model.logits(hidden[at[:, 0], at[:, 1]]).float(), ids[at[:, 0], at[:, 1] + 1])


def stream_step(model: NanoGuard, batch: list[Example], r: Renderer, lm_weight: float) -> tuple[Tensor, dict]:
    """Loss of a batch in the stream form."""
    ids = pad_ids(batch, r.end)
    hidden, _ = model.model(ids)
    loss = head = head_loss(model, hidden, batch)
    parts = {"head": head.item()}
    if lm_weight > 0:
        lm = lm_loss(model, hidden, ids, torch.tensor([len(e.ids) for e in batch]), 512)
        parts["lm"] = lm.item()
        loss = loss + lm_weight * lm
    return loss, parts


def verdict_ids(r: Renderer) -> list[int]:
    """The three verdict tokens, in the order of SEVERITIES."""
    out = [r.text(f" {s}") for s in SEVERITIES]
    assert all(len(x) == 1 for x in out), "a verdict word is not one token"
    return [x[0] for x in out]


def gen_hidden(model: NanoGuard, ids: Tensor, head: list[int]) -> Tensor:
    """Hidden states behind the prompt's fixed head, whose keys and values all rows share."""
    _, past = model.model(torch.tensor([head]))
    return model.model(ids, past)[0]


def gen_step(model: NanoGuard, batch: list[Example], r: Renderer, lm_weight: float) -> tuple[Tensor, dict]:
    """Loss of a batch (of one role) in the Gen form."""
    ids = pad_ids(batch, r.end)
    hidden = gen_hidden(model, ids, r.head[batch[0].role])
    where, weight = [], []
    for i, e in enumerate(batch):
        for p in range(*e.answer):
            if not e.skip[0] <= p < e.skip[1]:
                where.append((i, p))
                weight.append(0.15)
    at = torch.tensor(where)
    logits = model.logits(hidden[at[:, 0], at[:, 1] - 1]).float()
    words = (F.cross_entropy(logits, ids[at[:, 0], at[:, 1]], reduction="none") * torch.tensor(weight)).sum()
    pos = torch.tensor([e.verdict for e in batch])
    rows = torch.arange(len(batch))
    three = model.logits(hidden[rows, pos - 1]).float()[:, verdict_ids(r)]
    sev = torch.tensor([next(iter(e.risk.values()))[0] for e in batch])
    verdict = F.cross_entropy(three, sev, label_smoothing=SMOOTH)
    aux = head_loss(model, hidden, batch)
    loss = verdict + words / len(batch) + 0.3 * aux
    parts = {"verdict": verdict.item(), "words": words.item() / len(batch), "aux": aux.item()}
    if lm_weight > 0:
        lm = lm_loss(model, hidden, ids, torch.tensor([e.answer[0] - len(r.tail[e.role]) for e in batch]), 512)
        parts["lm"] = lm.item()
        loss = loss + lm_weight * lm
    return loss, parts
