"""A small Qwen3 in plain PyTorch, with the guard heads and a prefix that a whole batch may share.

The module names follow the published checkpoints, so that `state_dict()` needs no renaming on export.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass
class NanoConfig:
    """Shape of a nano model; the defaults give 13 million parameters, 10.5 of them embeddings."""

    vocab_size: int = 40960
    hidden_size: int = 256
    num_hidden_layers: int = 4
    num_attention_heads: int = 4
    num_key_value_heads: int = 2
    head_dim: int = 64
    intermediate_size: int = 512
    rms_norm_eps: float = 1e-6
    rope_theta: float = 10000.0
    max_position_embeddings: int = 8192
    guard_inner_size: int = 128

    def to_dict(self) -> dict:
        """All fields, for a checkpoint."""
        return asdict(self)


class RMSNorm(nn.Module):
    """x / rms(x) * weight, over the last dimension."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, (x.shape[-1],), self.weight.to(x.dtype), self.eps)


def rope_tables(cfg: NanoConfig, start: int, length: int, dtype: torch.dtype,
                device: torch.device | None = None) -> tuple[Tensor, Tensor]:
    """Cosines and sines for positions [start, start + length), half-split layout."""
    inv = cfg.rope_theta ** (-torch.arange(0, cfg.head_dim, 2, dtype=torch.float32, device=device) / cfg.head_dim)
    ang = torch.arange(start, start + length, dtype=torch.float32, device=device)[:, None] * inv
    ang = torch.cat([ang, ang], -1)
    return ang.cos().to(dtype), ang.sin().to(dtype)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding of x [batch, heads, time, head_dim]."""
    half = x.shape[-1] // 2
    return x * cos + torch.cat([-x[..., half:], x[..., :half]], -1) * sin


class Attention(nn.Module):
    """Grouped-query attention with normalised queries and keys."""

    def __init__(self, cfg: NanoConfig) -> None:
        super().__init__()
        self.nh, self.nkv, self.d = cfg.num_attention_heads, cfg.num_key_value_heads, cfg.head_dim
        self.q_proj = nn.Linear(cfg.hidden_size, self.nh * self.d, bias=False)
        self.k_proj = nn.Linear(cfg.hidden_size, self.nkv * self.d, bias=False)
        self.v_proj = nn.Linear(cfg.hidden_size, self.nkv * self.d, bias=False)
        self.o_proj = nn.Linear(self.nh * self.d, cfg.hidden_size, bias=False)
        self.q_norm = RMSNorm(self.d, cfg.rms_norm_eps)
        self.k_norm = RMSNorm(self.d, cfg.rms_norm_eps)

    def forward(self, x: Tensor, rope: tuple[Tensor, Tensor], past: tuple[Tensor, Tensor] | None,
                mask: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """`past` is the prefix's keys and values with batch size 1; they are shared by every row."""
        b, t, _ = x.shape
        q = rotate(self.q_norm(self.q_proj(x).view(b, t, self.nh, self.d)).transpose(1, 2), *rope)
        k = rotate(self.k_norm(self.k_proj(x).view(b, t, self.nkv, self.d)).transpose(1, 2), *rope)
        v = self.v_proj(x).view(b, t, self.nkv, self.d).transpose(1, 2)
        own = (k, v)
        if past is not None:
            k = torch.cat([past[0].expand(b, -1, -1, -1), k], 2)
            v = torch.cat([past[1].expand(b, -1, -1, -1), v], 2)
        if not self.training:  # less memory on long rows
            y = F.scaled_dot_product_attention(q, k, v.to(q.dtype), attn_mask=mask, enable_gqa=True)
            return self.o_proj(y.transpose(1, 2).reshape(b, t, self.nh * self.d)), own
        # Plain matrix products: for short rows much faster on a CPU, backwards above all, than the fused kernel.
        rep = self.nh // self.nkv
        q = (q * self.d ** -0.5).reshape(b, self.nkv, rep * t, self.d)
        s = (q @ k.transpose(2, 3)).view(b, self.nkv, rep, t, -1) + mask
        y = s.softmax(-1).view(b, self.nkv, rep * t, -1) @ v.to(q.dtype)
        return self.o_proj(y.view(b, self.nh, t, self.d).transpose(1, 2).reshape(b, t, self.nh * self.d)), own


class MLP(nn.Module):
    """SwiGLU."""

    def __init__(self, cfg: NanoConfig) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(cfg.hidden_size, cfg.intermediate_size, bias=False)
        self.up_proj = nn.Linear(cfg.hidden_size, cfg.intermediate_size, bias=False)
        self.down_proj = nn.Linear(cfg.intermediate_size, cfg.hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    """Pre-norm transformer block."""

    def __init__(self, cfg: NanoConfig) -> None:
        super().__init__()
        self.self_attn = Attention(cfg)
        self.mlp = MLP(cfg)
        self.input_layernorm = RMSNorm(cfg.hidden_size, cfg.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(cfg.hidden_size, cfg.rms_norm_eps)

    def forward(self, x: Tensor, rope, past, mask) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        a, own = self.self_attn(self.input_layernorm(x), rope, past, mask)
        x = x + a
        return x + self.mlp(self.post_attention_layernorm(x)), own


class Backbone(nn.Module):
    """Embedding, layers and final norm (`model.*` of the checkpoints)."""

    def __init__(self, cfg: NanoConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.embed_tokens = nn.Embedding(cfg.vocab_size, cfg.hidden_size)
        self.layers = nn.ModuleList(Layer(cfg) for _ in range(cfg.num_hidden_layers))
        self.norm = RMSNorm(cfg.hidden_size, cfg.rms_norm_eps)

    def compile_layers(self) -> None:
        """Have the layers compiled: their many small steps fused, the same to rounding. Needs a C++ compiler."""
        for layer in self.layers:
            layer.compile(dynamic=True)

    def forward(self, ids: Tensor, past: list | None = None) -> tuple[Tensor, list]:
        """Final hidden states [batch, time, hidden] and this call's keys and values per layer.

        Rows are right-padded: with causal attention no real token sees a pad.
        """
        t = ids.shape[1]
        p = past[0][0].shape[2] if past else 0
        x = self.embed_tokens(ids)
        if torch.is_autocast_enabled(x.device.type):
            x = x.bfloat16()
        rope = rope_tables(self.cfg, p, t, x.dtype, x.device)
        mask = torch.full((t, p + t), float("-inf"), dtype=x.dtype, device=x.device).triu(p + 1)
        kv = []
        for i, layer in enumerate(self.layers):
            x, own = layer(x, rope, past[i] if past else None, mask)
            kv.append(own)
        return self.norm(x), kv


class NanoGuard(nn.Module):
    """Backbone with tied language-model head and the four guard heads."""

    def __init__(self, cfg: NanoConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.model = Backbone(cfg)
        for pre, ncat in (("", 8), ("query_", 9)):
            setattr(self, pre + "risk_level_category_pre", nn.Linear(cfg.hidden_size, cfg.guard_inner_size, bias=False))
            setattr(self, pre + "risk_level_category_layernorm", RMSNorm(cfg.guard_inner_size, cfg.rms_norm_eps))
            setattr(self, pre + "risk_level_head", nn.Linear(cfg.guard_inner_size, 3, bias=False))
            setattr(self, pre + "category_head", nn.Linear(cfg.guard_inner_size, ncat, bias=False))
        for name, p in self.named_parameters():
            if p.dim() == 2:
                std = 0.02 if "embed" in name else p.shape[1] ** -0.5
                nn.init.normal_(p, std=std * (0.4 if "o_proj" in name or "down_proj" in name else 1.0))

    def logits(self, hidden: Tensor) -> Tensor:
        """Language-model logits with the tied embedding."""
        return hidden @ self.model.embed_tokens.weight.to(hidden.dtype).T

    def guard(self, hidden: Tensor, query: bool) -> tuple[Tensor, Tensor]:
        """(risk, category) logits of the query or the response heads, in float32."""
        pre = "query_" if query else ""
        x = getattr(self, pre + "risk_level_category_pre")(hidden)
        x = getattr(self, pre + "risk_level_category_layernorm")(x)
        risk, cat = getattr(self, pre + "risk_level_head")(x), getattr(self, pre + "category_head")(x)
        return risk.float(), cat.float()
