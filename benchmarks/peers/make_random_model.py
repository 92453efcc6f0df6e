#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a checkpoint with random weights in the layout of the published Qwen3Guard models.

Speed depends on the shapes and not on what the weights say, so a random checkpoint is as good as the real one for
measuring, and it needs no download. Each tensor's values depend on the seed and its name only: a Gen and a Stream
checkpoint of the same shape and seed share their backbone.

Weights are drawn and written piece by piece, so the 8B shape needs no more memory than the tiny one. Needs NumPy.
"""

import argparse
import json
import shutil
import sys
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Shape:
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    mlp: int
    tied: bool = True
    inner: int = 512  # width between the backbone and the Stream heads
    vocab: int = 151936


SHAPES = {
    "tiny": Shape(256, 3, 4, 2, 64, 768, inner=128),
    "0.6b": Shape(1024, 28, 16, 8, 128, 3072),
    "4b": Shape(2560, 36, 32, 8, 128, 9728),
    "8b": Shape(4096, 36, 32, 8, 128, 12288, tied=False),
}
RISKS = ["Safe", "Unsafe", "Controversial"]
CATEGORIES = ["Violent", "Sexual Content or Sexual Acts", "Suicide & Self-Harm", "Politically Sensitive Topics", "PII",
              "Copyright Violation", "Non-violent Illegal Acts", "Unethical Acts"]
CONTEXT = {"gen": 32768, "stream": 8192}
EOS = 151645  # <|im_end|> of the Qwen3 vocabulary
PIECE = 1 << 22  # values drawn at once
SHARD_BYTES = 4 << 30


def tensors(shape: Shape, kind: str) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor, in the order of the file."""
    s, q, kv = shape, shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    found = {"model.embed_tokens.weight": (s.vocab, s.hidden)}
    layer = {"input_layernorm": (s.hidden,), "self_attn.q_proj": (q, s.hidden), "self_attn.k_proj": (kv, s.hidden),
             "self_attn.v_proj": (kv, s.hidden), "self_attn.q_norm": (s.head_dim,), "self_attn.k_norm": (s.head_dim,),
             "self_attn.o_proj": (s.hidden, q), "post_attention_layernorm": (s.hidden,),
             "mlp.gate_proj": (s.mlp, s.hidden), "mlp.up_proj": (s.mlp, s.hidden), "mlp.down_proj": (s.hidden, s.mlp)}
    for i in range(s.layers):
        found |= {f"model.layers.{i}.{name}.weight": dims for name, dims in layer.items()}
    found["model.norm.weight"] = (s.hidden,)
    if kind == "stream":
        for prefix, n_categories in (("", len(CATEGORIES)), ("query_", len(CATEGORIES) + 1)):
            found |= {f"{prefix}risk_level_category_pre.weight": (s.inner, s.hidden),
                      f"{prefix}risk_level_category_layernorm.weight": (s.inner,),
                      f"{prefix}risk_level_head.weight": (len(RISKS), s.inner),
                      f"{prefix}category_head.weight": (n_categories, s.inner)}
    elif not s.tied:
        found["lm_head.weight"] = (s.vocab, s.hidden)
    return found


def config(shape: Shape, kind: str) -> dict:
    s = shape
    found = {
        "architectures": ["Qwen3ForCausalLM" if kind == "gen" else "Qwen3ForGuardModel"],
        "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": 151643, "eos_token_id": EOS,
        "head_dim": s.head_dim, "hidden_act": "silu", "hidden_size": s.hidden, "initializer_range": 0.02,
        "intermediate_size": s.mlp, "max_position_embeddings": CONTEXT[kind], "max_window_layers": s.layers,
        "model_type": "qwen3", "num_attention_heads": s.heads, "num_hidden_layers": s.layers,
        "num_key_value_heads": s.kv_heads, "rms_norm_eps": 1e-6, "rope_scaling": None, "rope_theta": 1000000,
        "sliding_window": None, "tie_word_embeddings": s.tied, "torch_dtype": "bfloat16", "use_cache": True,
        "use_sliding_window": False, "vocab_size": s.vocab,
    }
    if s.vocab <= EOS:
        found |= {"bos_token_id": 1, "eos_token_id": 2}
    if kind == "stream":
        def numbered(names):
            return {str(i): name for i, name in enumerate(names)}
        found |= {"guard_inner_size": s.inner, "num_risk_level": len(RISKS), "num_category": len(CATEGORIES),
                  "num_query_risk_level": len(RISKS), "num_query_category": len(CATEGORIES) + 1,
                  "response_risk_level_map": numbered(RISKS), "query_risk_level_map": numbered(RISKS),
                  "response_category_map": numbered(CATEGORIES),
                  "query_category_map": numbered([*CATEGORIES, "Jailbreak"])}
    return found


class Outliers:
    """A few channels that are 20 to 60 times larger than the rest, as in trained Qwen3 models.

    Two kinds, since they hit different activations: channels of the residual stream (large in the weights of the norms
    before the matrices) and channels of the MLP (large rows of up_proj). The columns that read such a channel are
    smaller, though not by as much, so the sum of a row stays of its order.
    """

    def __init__(self, shape: Shape, seed: int):
        rng = np.random.Generator(np.random.SFC64([seed, 77]))
        self.hidden = rng.choice(shape.hidden, 6, replace=False)
        self.mlp = rng.choice(shape.mlp, 4, replace=False)
        self.gain = np.exp(rng.uniform(np.log(20), np.log(60), 6)).astype(np.float32)

    def apply(self, name: str, values: np.ndarray, first: int) -> None:
        """Changes rows first, first + 1, ... of the tensor `name`."""
        damp = 3 / self.gain
        if name.endswith(("input_layernorm.weight", "post_attention_layernorm.weight")):
            values[self.hidden] *= self.gain
        elif name.endswith(("q_proj.weight", "k_proj.weight", "v_proj.weight", "gate_proj.weight")):
            values[:, self.hidden] *= damp
        elif name.endswith("up_proj.weight"):
            values[:, self.hidden] *= damp
            for channel, gain in zip(self.mlp, self.gain):
                if first <= channel < first + len(values):
                    values[channel - first] *= gain
        elif name.endswith("down_proj.weight"):
            values[:, self.mlp] *= damp[:len(self.mlp)]


def to_bf16(values: np.ndarray) -> np.ndarray:
    """float32 to bfloat16 bits, rounded to nearest even. The values are finite, so nothing can overflow."""
    bits = values.view(np.uint32)
    return ((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)).astype("<u2")


def pieces(name: str, dims: tuple[int, ...], seed: int, outliers: Outliers | None):
    """The tensor's values as bfloat16 bits, a few rows at a time."""
    rng = np.random.Generator(np.random.SFC64([seed, zlib.crc32(name.encode())]))
    if len(dims) == 1:
        values = 1 + np.float32(0.1) * rng.standard_normal(dims, dtype=np.float32)
        if outliers:
            outliers.apply(name, values, 0)
        yield to_bf16(values)
        return
    # About 0.025 for 1024 columns: products, attention scores and logits stay of the order of one.
    scale = np.float32(0.8 / dims[1] ** 0.5)
    step = max(1, PIECE // dims[1])
    for first in range(0, dims[0], step):
        values = rng.standard_normal((min(step, dims[0] - first), dims[1]), dtype=np.float32)
        values *= scale
        if outliers:
            outliers.apply(name, values, first)
        yield to_bf16(values)


def split(found: dict[str, tuple[int, ...]]) -> list[dict[str, tuple[int, ...]]]:
    """Shards of at most SHARD_BYTES each (a single tensor may be larger)."""
    shards, size = [{}], 0
    for name, dims in found.items():
        n_bytes = 2 * int(np.prod(dims))
        if shards[-1] and size + n_bytes > SHARD_BYTES:
            shards.append({})
            size = 0
        shards[-1][name] = dims
        size += n_bytes
    return shards


def write_safetensors(path: Path, part: dict[str, tuple[int, ...]], seed: int, outliers: Outliers | None) -> int:
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for name, dims in part.items():
        start, end = end, end + 2 * int(np.prod(dims))
        header[name] = {"dtype": "BF16", "shape": list(dims), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors start aligned
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, dims in part.items():
            for piece in pieces(name, dims, seed, outliers):
                piece.tofile(file)
    return end


def make(shape: Shape, kind: str, out: Path, seed: int, with_outliers: bool, tokenizer: Path | None) -> int:
    """Writes the checkpoint and returns the size of its tensors in bytes."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.json").write_text(json.dumps(config(shape, kind), indent=2) + "\n")
    if tokenizer:
        shutil.copyfile(tokenizer, out / "tokenizer.json")
    outliers = Outliers(shape, seed) if with_outliers else None
    shards = split(tensors(shape, kind))
    if len(shards) == 1:
        return write_safetensors(out / "model.safetensors", shards[0], seed, outliers)
    total, where = 0, {}
    for i, part in enumerate(shards, 1):
        name = f"model-{i:05}-of-{len(shards):05}.safetensors"
        total += write_safetensors(out / name, part, seed, outliers)
        where |= {tensor: name for tensor in part}
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(where.items()))}
    (out / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, required=True)
    parser.add_argument("--kind", choices=CONTEXT, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder; made when missing")
    parser.add_argument("--seed", type=int, default=1, help="(default: 1)")
    parser.add_argument("--outliers", action="store_true", help="a few channels are 20 to 60 times larger")
    parser.add_argument("--tokenizer", type=Path, help="tokenizer.json to copy (scripts/fetch_test_data.sh fetches it)")
    parser.add_argument("--vocab", type=int, help="rows of the embedding instead of 151936")
    args = parser.parse_args()
    if args.seed < 0:
        parser.error(f"--seed is {args.seed}, expected 0 or more")
    if args.vocab is not None and args.vocab < 3:
        parser.error(f"--vocab is {args.vocab}, expected 3 or more")
    if args.tokenizer and not args.tokenizer.is_file():
        parser.error(f"--tokenizer {args.tokenizer}: no such file")
    shape = SHAPES[args.shape]
    if args.vocab is not None:
        shape = replace(shape, vocab=args.vocab)
    size = make(shape, args.kind, args.out, args.seed, args.outliers, args.tokenizer)
    print(f"{args.out}: {args.kind} {args.shape}, seed {args.seed}, {size / 1e9:.2f} GB")
    if not (args.out / "tokenizer.json").exists():
        print("note: no --tokenizer given, so the checkpoint takes token ids but no text", file=sys.stderr)


if __name__ == "__main__":
    main()
