"""A small classifier over frozen sentence vectors: one hidden layer; severity, category and refusal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

N_SEVERITY, N_CATEGORY = 3, 9
UNKNOWN = -100


@dataclass
class Targets:
    """What is known of n rows; UNKNOWN where a thing is not."""

    severity: Tensor  # [n]
    category: Tensor  # [n]
    refusal: Tensor  # [n], 0 or 1
    weight: Tensor  # [n]

    def at(self, mask: np.ndarray) -> Targets:
        """The rows of a mask."""
        m = torch.from_numpy(mask)
        return Targets(self.severity[m], self.category[m], self.refusal[m], self.weight[m])


class Probe(nn.Module):
    """[n, dim] -> logits [n, 3 + 9 + 2]."""

    def __init__(self, dim: int, hidden: int = 512) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.LayerNorm(dim), nn.Dropout(0.1), nn.Linear(dim, hidden), nn.ReLU(), nn.Dropout(0.4))
        self.out = nn.Linear(hidden, N_SEVERITY + N_CATEGORY + 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.body(x))


def fit(x: Tensor, t: Targets, seed: int, lean: float = 1.0, epochs: int = 5) -> Probe:
    """Train a probe. lean: weight of rows that are not Safe; above 1 the probe turns strict, below 1 loose."""
    torch.manual_seed(seed)
    probe = Probe(x.shape[1])
    opt = torch.optim.AdamW(probe.parameters(), 1e-3, weight_decay=0.02)
    weight = t.weight * torch.where(t.severity > 0, lean, 1.0)
    batch, n = 512, len(x)
    total = epochs * (n // batch + 1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(opt, 2e-3, total_steps=total + 1)
    probe.train()
    for _ in range(epochs):
        order = torch.randperm(n)
        for i in range(0, n, batch):
            at = order[i:i + batch]
            y, w = probe(x[at]), weight[at]
            loss = x.new_zeros(())
            for part, target, share in ((y[:, :3], t.severity[at], 1.0), (y[:, 3:12], t.category[at], 0.5),
                                        (y[:, 12:], t.refusal[at], 0.5)):
                if (target != UNKNOWN).any():
                    each = F.cross_entropy(part, target, reduction="none", ignore_index=UNKNOWN, label_smoothing=0.02)
                    loss = loss + share * (each * w).sum() / w.sum()
            opt.zero_grad()
            loss.backward()
            opt.step()
            schedule.step()
    return probe.eval()


@torch.inference_mode()
def predict(probe: Probe, x: Tensor) -> np.ndarray:
    """Probabilities [n, 14]: severity (3), category (9), refusal (no, yes)."""
    y = torch.cat([probe(part) for part in x.split(8192)])
    return torch.cat([y[:, :3].softmax(-1), y[:, 3:12].softmax(-1), y[:, 12:].softmax(-1)], 1).numpy()
