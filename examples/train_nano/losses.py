"""Training losses: severity and category of the heads, the verdict of the Gen form, the teachers' sentence vectors."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dataset import Batch, HeadTargets
from labels import SEVERITIES
from nano_model import NanoGuard
from render import Renderer

CATEGORY_SHARE, WORD_WEIGHT, AUX_SHARE = 0.5, 0.15, 0.3
#: What the losses add to the logits of SEVERITIES, by form and role of the judged message. Training rows are unsafe far more
#: often than what people write; a model that learns with this handicap calls a text unsafe so much later without it. It has no
#: biases that could be set afterwards, and a vector that stands in for one moves texts unevenly (`calibrate.py` has only
#: the rest to do). Fitted to the everyday set's calibration half, on weights that were learnt without.
PRIOR = {("gen", "user"): (0.0, 3.1, 1.9), ("gen", "assistant"): (0.0, 0.0, 0.0),
         ("stream", "user"): (0.0, 2.8, 1.6), ("stream", "assistant"): (0.0, 1.5, 1.5)}


class VectorTargets(nn.Module):
    """The teachers' sentence vectors and maps to them from hidden states. Each teacher's vectors [n, dim] are centred,
    so that the cosine tells texts apart; the maps are thrown away after training."""

    def __init__(self, hidden: int, tables: list[Tensor]) -> None:
        super().__init__()
        self.maps = nn.ModuleList(nn.Linear(hidden, t.shape[1]) for t in tables)
        for i, t in enumerate(tables):
            self.register_buffer(f"table{i}", F.normalize(t - t.mean(0), dim=-1).half(), persistent=False)
        #: While the maps are new, only they learn: their first steps would disturb states that are good already.
        self.settling = False

    def loss(self, hidden: Tensor, rows: Tensor) -> Tensor:
        """Sum over states [n, hidden] of 1 - cosine, mean over the teachers."""
        hidden = hidden.detach() if self.settling else hidden
        parts = [1 - F.cosine_similarity(m(hidden).float(), t[rows].float(), dim=-1)
                 for m, t in zip(self.maps, self.buffers(), strict=True)]
        return torch.stack(parts).mean(0).sum()


def soft_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """[n, k] against probabilities [n, k] -> [n]."""
    return -(target * logits.log_softmax(-1)).sum(-1)


def head_loss(model: NanoGuard, hidden: Tensor, batch: Batch) -> Tensor:
    """Severity everywhere, category weighted by how unsafe the target is; mean over examples."""
    def of_heads(t: HeadTargets, query: bool) -> Tensor:
        risk, category = model.guard(hidden[t.at[:, 0], t.at[:, 1]], query)
        risk = risk + risk.new_tensor(PRIOR["stream", "user" if query else "assistant"])
        wanted = t.category[:, : category.shape[1]]
        return ((soft_cross_entropy(risk, t.risk) * t.weight).sum()
                + CATEGORY_SHARE * (soft_cross_entropy(category, wanted) * t.category_weight).sum())
    total = hidden.new_zeros((), dtype=torch.float32)
    for targets, query in ((batch.query, True), (batch.response, False)):
        if len(targets.at):
            total = total + of_heads(targets, query)
    return total / len(batch.ids)


def vector_loss(vectors: VectorTargets | None, hidden: Tensor, batch: Batch) -> Tensor:
    """Distance to the teachers' sentence vectors; mean over examples."""
    if vectors is None or not len(batch.vectors):
        return hidden.new_zeros((), dtype=torch.float32)
    row, position, vector = batch.vectors.T
    return vectors.loss(hidden[row, position], vector) / len(batch.ids)


def stream_step(model: NanoGuard, batch: Batch, r: Renderer, vectors: VectorTargets | None,
                share: float) -> tuple[Tensor, dict[str, Tensor]]:
    """Loss of a batch in the stream form; share: weight of the sentence vectors."""
    hidden, _ = model.model(batch.ids)
    head, vec = head_loss(model, hidden, batch), vector_loss(vectors, hidden, batch)
    return head + share * vec, {"head": head.detach(), "vec": vec.detach()}


def verdict_ids(r: Renderer) -> list[int]:
    """The three verdict tokens, in the order of SEVERITIES; a word of several tokens counts by its first."""
    out = [r.text(f" {s}")[0] for s in SEVERITIES]
    assert len(set(out)) == len(out), "two verdict words begin with the same token"
    return out


def gen_hidden(model: NanoGuard, ids: Tensor, head: list[int]) -> Tensor:
    """Hidden states behind the prompt's fixed head, whose keys and values all rows share."""
    _, past = model.model(torch.tensor([head], device=ids.device))
    return model.model(ids, past)[0]


def gen_step(model: NanoGuard, batch: Batch, r: Renderer, vectors: VectorTargets | None,
             share: float) -> tuple[Tensor, dict[str, Tensor]]:
    """Loss of a batch (of one role) in the Gen form."""
    n = len(batch.ids)
    hidden = gen_hidden(model, batch.ids, r.head[batch.role])
    row, position = batch.answer.T
    severities = verdict_ids(r)
    prior = torch.zeros(model.cfg.vocab_size, device=hidden.device)
    prior[severities] = prior.new_tensor(PRIOR["gen", batch.role])
    is_verdict = position == batch.verdict[row]
    logits = model.logits(hidden[row, position - 1]).float() + is_verdict[:, None] * prior
    words = WORD_WEIGHT * F.cross_entropy(logits, batch.ids[row, position], reduction="sum") / n
    at_verdict = hidden[torch.arange(n, device=hidden.device), batch.verdict - 1]
    verdict = soft_cross_entropy((model.logits(at_verdict).float() + prior)[:, severities], batch.risk).mean()
    aux, vec = head_loss(model, hidden, batch), vector_loss(vectors, hidden, batch)
    loss = verdict + words + AUX_SHARE * (aux + share * vec)
    return loss, {"verdict": verdict.detach(), "words": words.detach(), "aux": aux.detach(), "gvec": vec.detach()}
