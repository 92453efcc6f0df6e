"""The layers' matrices by Muon (Jordan et al., 2024: momentum made orthogonal), everything else by AdamW."""

from __future__ import annotations

import torch
from torch import Tensor, nn

#: A quintic whose repetition drives all singular values towards 1 (Newton-Schulz).
QUINTIC = (3.4445, -4.7750, 2.0315)
ROUNDS = 5
EMBEDDING_SCALE = 0.15


def orthogonal(g: Tensor) -> Tensor:
    """The nearest matrices to g [..., m, n] with equal singular values, roughly."""
    a, b, c = QUINTIC
    x = g.bfloat16()
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(ROUNDS):
        s = x @ x.mT
        x = a * x + (b * s + c * s @ s) @ x
    return (x.mT if tall else x).float()


class Muon(torch.optim.Optimizer):
    """SGD with Nesterov momentum whose step is made orthogonal; decoupled decay."""

    def __init__(self, params: list[Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.02) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:
        """One update of every matrix that has a gradient, those of one shape together."""
        for group in self.param_groups:
            shapes: dict[torch.Size, list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    shapes.setdefault(p.shape, []).append(p)
            for (rows, columns), alike in shapes.items():
                for p in alike:
                    if "momentum" not in self.state[p]:
                        self.state[p]["momentum"] = torch.zeros_like(p)
                grads, momenta = [p.grad for p in alike], [self.state[p]["momentum"] for p in alike]
                torch._foreach_lerp_(momenta, grads, 1 - group["momentum"])
                steps = orthogonal(torch.stack(torch._foreach_lerp(grads, momenta, group["momentum"])))
                torch._foreach_mul_(alike, 1 - group["lr"] * group["weight_decay"])
                torch._foreach_add_(alike, list(steps), alpha=-group["lr"] * max(1.0, rows / columns) ** 0.5)


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
