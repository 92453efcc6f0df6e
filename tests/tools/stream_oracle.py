# SPDX-License-Identifier: Apache-2.0
"""A Stream checkpoint small enough to be made and run in a moment, and its logits in NumPy, float64.

The architecture: Qwen3 technical report (arXiv:2505.09388), and Qwen3Guard's (arXiv:2510.14276), equation 3.
"""
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks/peers"))
import make_random_model  # noqa: E402

# The published vocabulary needs as many rows; all else is as small as the packed layout allows.
SHAPE = make_random_model.Shape(hidden=32, layers=2, heads=2, kv_heads=1, head_dim=16, mlp=64, inner=32)


def make_checkpoint(folder, tokenizer, seed):
    make_random_model.make(SHAPE, "stream", Path(folder), seed, False, tokenizer)


def load_weights(folder):
    """Tensors of a checkpoint of bfloat16 numbers, as float64 [rows, cols]; the embedding stays float32."""
    raw = (Path(folder) / "model.safetensors").read_bytes()
    begin = 8 + int.from_bytes(raw[:8], "little")
    weights = {}
    for name, tensor in json.loads(raw[8:begin]).items():
        if name == "__metadata__":
            continue
        assert tensor["dtype"] == "BF16", name
        first, last = tensor["data_offsets"]
        bits = np.frombuffer(raw, "<u2", (last - first) // 2, begin + first).astype(np.uint32) << np.uint32(16)
        values = bits.view(np.float32).reshape(tensor["shape"])
        weights[name] = values if name == "model.embed_tokens.weight" else values.astype(np.float64)
    return weights


def rms_norm(x, gain, eps):
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps) * gain


class StreamOracle:
    """The logits of a checkpoint that make_checkpoint() made."""

    def __init__(self, folder):
        self.config = json.loads((Path(folder) / "config.json").read_text("utf-8"))
        self.weights = load_weights(folder)

    def project(self, x, name):
        """x [tokens, cols] -> [tokens, rows]"""
        return x @ self.weights[name + ".weight"].T

    def norm(self, x, name):
        return rms_norm(x, self.weights[name + ".weight"], self.config["rms_norm_eps"])

    def rotate(self, x):
        """Rotary position embedding of x [tokens, heads, head_dim]: the two halves of a head are the pairs."""
        n_tokens, _, width = x.shape
        frequency = self.config["rope_theta"] ** (-np.arange(0, width, 2) / width)
        angle = (np.arange(n_tokens)[:, None] * frequency)[:, None, :]
        first, second = x[..., :width // 2], x[..., width // 2:]
        return np.concatenate([first * np.cos(angle) - second * np.sin(angle),
                               second * np.cos(angle) + first * np.sin(angle)], axis=-1)

    def attention(self, x, layer):
        n_tokens, width = len(x), self.config["head_dim"]
        q, k, v = (self.project(x, f"{layer}.self_attn.{m}_proj").reshape(n_tokens, -1, width) for m in "qkv")
        q = self.rotate(self.norm(q, f"{layer}.self_attn.q_norm"))
        k = self.rotate(self.norm(k, f"{layer}.self_attn.k_norm"))
        n_sharing = q.shape[1] // k.shape[1]
        out = np.empty_like(q)
        for head in range(q.shape[1]):
            scores = q[:, head] @ k[:, head // n_sharing].T / np.sqrt(width)
            scores[np.triu_indices(n_tokens, 1)] = -np.inf
            scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
            out[:, head] = scores / scores.sum(axis=-1, keepdims=True) @ v[:, head // n_sharing]
        return self.project(out.reshape(n_tokens, -1), f"{layer}.self_attn.o_proj")

    def hidden(self, ids):
        """Behind the final norm, [tokens, hidden]."""
        x = self.weights["model.embed_tokens.weight"][np.asarray(ids)].astype(np.float64)
        for i in range(self.config["num_hidden_layers"]):
            layer = f"model.layers.{i}"
            x = x + self.attention(self.norm(x, f"{layer}.input_layernorm"), layer)
            y = self.norm(x, f"{layer}.post_attention_layernorm")
            gate = self.project(y, f"{layer}.mlp.gate_proj")
            x = x + self.project(gate / (1 + np.exp(-gate)) * self.project(y, f"{layer}.mlp.up_proj"),
                                 f"{layer}.mlp.down_proj")
        return self.norm(x, "model.norm")

    def risk_logits(self, ids, prefix=""):
        """[tokens, 3] of the response heads, or (prefix "query_") of the query heads."""
        inner = self.norm(self.project(self.hidden(ids), f"{prefix}risk_level_category_pre"),
                          f"{prefix}risk_level_category_layernorm")
        return self.project(inner, f"{prefix}risk_level_head")
