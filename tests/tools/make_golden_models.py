#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/models: small random checkpoints in the published layout, and what they compute.

Every checkpoint is drawn from a fixed seed, written as config.json + safetensors, read back by `transformers` in
float32 (the backbone and, for causal checkpoints, the head; the classification heads are torch code below), and run
on two token sequences. The NumPy oracle runs the same files in float64; the script fails when the two disagree by
more than 2e-5. Both results are stored in expected.safetensors beside the checkpoint.

Pinned: transformers 4.57.1, torch 2.8.0, safetensors 0.6.2, numpy 2.3 (see requirements.txt). Other versions give the
same weights, and logits that differ in the last bits.

Usage: make_golden_models.py PATH_OF_qwen3_reference.py [OUTPUT_FOLDER] [--only NAME]
"""

import argparse
import importlib.util
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors.torch import save_file

PINNED = {"transformers": "4.57.1", "torch": "2.8.0"}
DTYPES = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}
RISK = ["Safe", "Unsafe", "Controversial"]
CATEGORIES = ["Violent", "Sexual Content or Sexual Acts", "Suicide & Self-Harm", "Politically Sensitive Topics", "PII",
              "Copyright Violation", "Non-violent Illegal Acts", "Unethical Acts"]


@dataclass(frozen=True)
class Shape:
    """One checkpoint."""

    name: str
    seed: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    mlp: int
    vocab: int
    dtype: str
    tied: bool = True
    guard_inner: int = 0  # > 0: Qwen3ForGuardModel
    shards: int = 1
    outliers: bool = False  # a few channels of the residual stream are 50 times larger
    mixed: bool = False  # norms in F32 beside matrices of `dtype`
    rope_theta: float = 10000.0
    eps: float = 1e-6
    n_long: int = 47
    rope_parameters: bool = False  # the newer form of config.json


SHAPES = [
    Shape("gen_mha_f32", 11, 32, 2, 2, 2, 24, 48, 97, "F32", tied=False),
    Shape("gen_gqa2_bf16", 12, 48, 3, 4, 2, 16, 80, 128, "BF16"),
    Shape("gen_gqa4_f16", 13, 40, 2, 4, 1, 20, 64, 101, "F16", tied=False, rope_theta=1e6),
    Shape("gen_gqa8_bf16", 14, 48, 2, 8, 1, 16, 80, 112, "BF16", tied=False, rope_theta=1e6, rope_parameters=True),
    Shape("gen_sharded_outliers", 15, 64, 2, 4, 2, 32, 80, 80, "BF16", shards=3, outliers=True, mixed=True),
    Shape("gen_long_bf16", 16, 32, 2, 6, 3, 10, 40, 64, "BF16", n_long=600, eps=1e-5),
    Shape("stream_gqa2_bf16", 21, 48, 2, 4, 2, 32, 72, 120, "BF16", guard_inner=24, rope_theta=1e6),
    Shape("stream_gqa4_f32", 22, 32, 3, 8, 2, 8, 56, 90, "F32", guard_inner=20),
    Shape("stream_mha_sharded_f16", 23, 56, 2, 3, 3, 18, 64, 72, "F16", guard_inner=17, shards=2, tied=False),
]


def draw(generator, *shape, scale):
    return torch.randn(*shape, generator=generator, dtype=torch.float64) * scale


def make_weights(s: Shape) -> dict[str, torch.Tensor]:
    """Random weights of a scale that keeps activations, and in the end logits, of the order of one."""
    g = torch.Generator().manual_seed(s.seed)
    q, kv = s.heads * s.head_dim, s.kv_heads * s.head_dim

    def matrix(rows, cols, gain=1.0):
        return draw(g, rows, cols, scale=gain / cols**0.5)

    def norm(n):
        return 1 + draw(g, n, scale=0.2)

    w = {"model.embed_tokens.weight": draw(g, s.vocab, s.hidden, scale=1 / s.hidden**0.5 if s.tied else 0.7)}
    if s.outliers:
        w["model.embed_tokens.weight"][:, [3, 17]] *= 50
    for i in range(s.layers):
        p = f"model.layers.{i}."
        w[p + "input_layernorm.weight"] = norm(s.hidden)
        w[p + "self_attn.q_proj.weight"] = matrix(q, s.hidden)
        w[p + "self_attn.k_proj.weight"] = matrix(kv, s.hidden)
        w[p + "self_attn.v_proj.weight"] = matrix(kv, s.hidden)
        w[p + "self_attn.q_norm.weight"] = norm(s.head_dim)
        w[p + "self_attn.k_norm.weight"] = norm(s.head_dim)
        w[p + "self_attn.o_proj.weight"] = matrix(s.hidden, q, 0.7)
        w[p + "post_attention_layernorm.weight"] = norm(s.hidden)
        w[p + "mlp.gate_proj.weight"] = matrix(s.mlp, s.hidden)
        w[p + "mlp.up_proj.weight"] = matrix(s.mlp, s.hidden)
        w[p + "mlp.down_proj.weight"] = matrix(s.hidden, s.mlp)
    w["model.norm.weight"] = norm(s.hidden)
    if s.outliers:
        # Trained models tame outlier channels in the final norm; so the logits stay of the order of one.
        w["model.norm.weight"][[3, 17]] *= 0.02
    if s.guard_inner:
        for prefix, n_category in (("", 8), ("query_", 9)):
            w[prefix + "risk_level_category_pre.weight"] = matrix(s.guard_inner, s.hidden)
            w[prefix + "risk_level_category_layernorm.weight"] = norm(s.guard_inner)
            w[prefix + "risk_level_head.weight"] = matrix(3, s.guard_inner)
            w[prefix + "category_head.weight"] = matrix(n_category, s.guard_inner)
    elif not s.tied:
        w["lm_head.weight"] = matrix(s.vocab, s.hidden)
    is_norm = lambda name: "norm" in name
    return {n: t.to(torch.float32 if s.mixed and is_norm(n) else DTYPES[s.dtype]).contiguous() for n, t in w.items()}


def make_config(s: Shape) -> dict:
    config = {
        "architectures": ["Qwen3ForGuardModel" if s.guard_inner else "Qwen3ForCausalLM"],
        "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": 1, "eos_token_id": 2,
        "head_dim": s.head_dim, "hidden_act": "silu", "hidden_size": s.hidden, "initializer_range": 0.02,
        "intermediate_size": s.mlp, "max_position_embeddings": 1024, "model_type": "qwen3",
        "num_attention_heads": s.heads, "num_hidden_layers": s.layers, "num_key_value_heads": s.kv_heads,
        "rms_norm_eps": s.eps, "sliding_window": None, "tie_word_embeddings": s.tied,
        "torch_dtype": {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}[s.dtype],
        "use_cache": True, "use_sliding_window": False, "vocab_size": s.vocab,
    }
    if s.rope_parameters:
        config["rope_parameters"] = {"rope_theta": s.rope_theta, "rope_type": "default"}
    else:
        config["rope_scaling"] = None
        config["rope_theta"] = s.rope_theta
    if s.guard_inner:
        config |= {"guard_inner_size": s.guard_inner, "num_risk_level": 3, "num_category": 8,
                   "num_query_risk_level": 3, "num_query_category": 9}
        numbered = lambda names: {str(i): name for i, name in enumerate(names)}
        config |= {"response_risk_level_map": numbered(RISK), "query_risk_level_map": numbered(RISK),
                   "response_category_map": numbered(CATEGORIES),
                   "query_category_map": numbered([*CATEGORIES, "Jailbreak"])}
    return config


def write_checkpoint(s: Shape, folder: Path, weights: dict[str, torch.Tensor]) -> None:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(make_config(s), indent=1) + "\n")
    if s.shards == 1:
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        return
    names = list(weights)
    weight_map = {}
    for i in range(s.shards):
        shard = f"model-{i + 1:05}-of-{s.shards:05}.safetensors"
        part = {n: weights[n] for n in names[i * len(names) // s.shards:(i + 1) * len(names) // s.shards]}
        save_file(part, folder / shard, metadata={"format": "pt"})
        weight_map |= {n: shard for n in part}
    total = sum(t.numel() * t.element_size() for t in weights.values())
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")


def read_by_transformers(s: Shape, weights):
    """The model in float32 with the given weights, through transformers' own classes."""
    config = transformers.Qwen3Config(**{k: v for k, v in make_config(s).items() if k != "rope_parameters"},
                                      **({"rope_theta": s.rope_theta} if s.rope_parameters else {}))
    config._attn_implementation = "eager"
    model = transformers.Qwen3ForCausalLM(config) if not s.guard_inner else transformers.Qwen3Model(config)
    wide = {n: t.float() for n, t in weights.items()}
    if s.guard_inner:
        wide = {n.removeprefix("model."): t for n, t in wide.items() if n.startswith("model.")}
    elif s.tied:
        wide["lm_head.weight"] = wide["model.embed_tokens.weight"]
    model.load_state_dict(wide, strict=True)
    return model.float().eval()


def run_transformers(s: Shape, weights, ids) -> dict[str, np.ndarray]:
    model = read_by_transformers(s, weights)
    with torch.no_grad():
        if not s.guard_inner:
            return {"logits": model(torch.tensor([ids])).logits[0].numpy()}
        hidden = model(torch.tensor([ids])).last_hidden_state[0]
        out = {}
        for prefix in ("", "query_"):
            w = {n: weights[prefix + n].float() for n in ("risk_level_category_pre.weight", "risk_level_head.weight",
                                                          "risk_level_category_layernorm.weight",
                                                          "category_head.weight")}
            inner = torch.nn.functional.rms_norm(hidden @ w["risk_level_category_pre.weight"].T, (s.guard_inner,),
                                                 w["risk_level_category_layernorm.weight"], s.eps)
            out[prefix + "risk_level_logits"] = (inner @ w["risk_level_head.weight"].T).numpy()
            out[prefix + "category_logits"] = (inner @ w["category_head.weight"].T).numpy()
        return out


def run_oracle(oracle, folder: Path, ids) -> dict[str, np.ndarray]:
    """As a user of the oracle would run it, except that it knows neither the newer place of rope_theta nor that a
    tied checkpoint ignores a stored head (none is stored here)."""
    config, weights = oracle.load_checkpoint(str(folder))
    config.setdefault("rope_theta", config.get("rope_parameters", {}).get("rope_theta"))
    return oracle.heads(config, weights, oracle.forward(config, weights, ids))


def make(s: Shape, root: Path, oracle) -> None:
    folder = root / s.name
    shutil.rmtree(folder, ignore_errors=True)
    weights = make_weights(s)
    write_checkpoint(s, folder, weights)
    rng = np.random.Generator(np.random.PCG64(s.seed))
    expected, worst, spread = {}, 0.0, []
    for k, n in enumerate((s.n_long, 9)):
        ids = rng.integers(0, s.vocab, n).tolist()
        expected[f"ids.{k}"] = torch.tensor(ids, dtype=torch.int32)
        ours, theirs = run_transformers(s, weights, ids), run_oracle(oracle, folder, ids)
        for name, value in ours.items():
            worst = max(worst, float(np.abs(value - theirs[name]).max()))
            spread.append(float(value.std()))
            # Of a long sequence, every 20th position and the last 40 are enough.
            keep = [p for p in range(n) if n <= 100 or p % 20 == 0 or p >= n - 40]
            expected[f"positions.{k}"] = torch.tensor(keep, dtype=torch.int32)
            expected[f"transformers.{k}.{name}"] = torch.from_numpy(np.ascontiguousarray(value[keep]))
            expected[f"oracle.{k}.{name}"] = torch.from_numpy(theirs[name][keep].astype(np.float32))
    if worst > 2e-5:
        raise SystemExit(f"{s.name}: transformers and the oracle differ by {worst}")
    save_file(expected, folder / "expected.safetensors")
    size = sum(p.stat().st_size for p in folder.iterdir())
    print(f"{s.name}: {size} bytes, logits' standard deviation {min(spread):.2f} to {max(spread):.2f}, "
          f"transformers and oracle differ by at most {worst:.1e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("oracle", type=Path)
    parser.add_argument("output", type=Path, nargs="?", default=Path(__file__).parents[1] / "golden" / "models")
    parser.add_argument("--only", help="one checkpoint's name")
    args = parser.parse_args()
    for name, version in PINNED.items():
        found = globals()[name].__version__.split("+")[0]
        if found != version:
            print(f"note: {name} is {found}; the committed files were made with {version}")
    spec = importlib.util.spec_from_file_location("qwen3_reference", args.oracle)
    oracle = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(oracle)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    for shape in SHAPES:
        if args.only in (None, shape.name):
            make(shape, args.output, oracle)


if __name__ == "__main__":
    main()
