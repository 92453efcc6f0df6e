"""The layers' matrices by Muon (Jordan et al., 2024: momentum made orthogonal), everything else by AdamW."""

from __future__ import annotations

import torch
from torch import Tensor, nn

#: A quintic whose repetition drives all singular values towards 1 (Newton-Schulz).
QUINTIC = (3.4445, -4.7750, 2.0315)
ROUNDS = 5
EMBEDDING_SCALE = 0.15


def orthogonal(g: Tensor) -> Tensor:
    """The nearest matrix to g [m, n] with equal singular values, roughly."""
    a, b, c = QUINTIC
    x = g.bfloat16()
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.T
    x = x / (x.norm() + 1e-7)
    for _ in range(ROUNDS):
        s = x @ x.T
        x = a * x + (b * s + c * s @ s) @ x
    return (x.T if tall else x).float()


class Muon(torch.optim.Optimizer):
    """SGD with Nesterov momentum whose step is made orthogonal; decoupled decay."""

    def __init__(self, params: list[Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.02) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:
        """One update of every matrix that has a gradient."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(p)
                m = state["momentum"].lerp_(p.grad, 1 - group["momentum"])
                step = orthogonal(p.grad.lerp(m, group["momentum"]))
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(step, alpha=-group["lr"] * max(1.0, p.shape[0] / p.shape[1]) ** 0.5)


def optimisers(model: nn.Module, extra: nn.Module | None, lr: float, matrix_lr: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the layers, AdamW for embeddings, heads, norms and `extra`.

    Embeddings learn slowly: words that training hardly shows must stay comparable with those that it shows often."""
    matrices, embedding, rest = [], [], []
    for name, p in model.named_parameters():
        (matrices if ".layers." in name and p.dim() == 2 else embedding if "embed" in name else rest).append(p)
    rest += list(extra.parameters()) if extra is not None else []
    adam = torch.optim.AdamW([{"params": embedding, "scale": EMBEDDING_SCALE}, {"params": rest, "scale": 1.0}], lr=lr,
                             betas=(0.9, 0.98), weight_decay=0.0, fused=True)
    muon = Muon(matrices, matrix_lr)
    for opt, peak in ((adam, lr), (muon, matrix_lr)):
        for g in opt.param_groups:
            g["peak"] = peak * g.get("scale", 1.0)
    return [adam, muon]
