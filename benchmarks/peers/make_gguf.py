#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a Gen checkpoint's weights as GGUF for llama.cpp: bf16.gguf, and from it q8_0.gguf and q4_0.gguf.

The BF16 file holds the checkpoint's own bits; the two quantised files are llama.cpp's own work with its default choices
(for Q4_0 it keeps the output matrix in Q6_K), so they are what its users have. Files that are newer than the checkpoint
are kept.
"""

import argparse
import ctypes
import json
from pathlib import Path

import gguf
import llama_cpp
import numpy as np
from checkpoint import read_config, read_tensors, widen

LAYER_NAMES = {
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm", "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}
TOP_NAMES = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
QUANTIZED = {"q8_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0, "q4_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_0}


def gguf_name(name: str) -> str | None:
    """GGUF's name of a tensor; None for one that its Qwen3 lacks (the Stream heads)."""
    stem = name.removesuffix(".weight")
    if stem in TOP_NAMES:
        return TOP_NAMES[stem] + ".weight"
    if not stem.startswith("model.layers."):
        return None
    number, _, rest = stem.removeprefix("model.layers.").partition(".")
    return f"blk.{number}.{LAYER_NAMES[rest]}.weight"


def add_sizes(writer: gguf.GGUFWriter, config: dict) -> None:
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_BF16)


def add_tokenizer(writer: gguf.GGUFWriter, path: Path, config: dict) -> None:
    if not path.is_file():
        raise SystemExit(f"{path}: no such file; a GGUF needs the tokenizer (scripts/fetch_test_data.sh fetches it)")
    data = json.loads(path.read_text())
    n = config["vocab_size"]
    tokens = [f"[PAD{i}]" for i in range(n)]
    types = [int(gguf.TokenType.UNUSED)] * n
    for token, index in data["model"]["vocab"].items():
        tokens[index], types[index] = token, int(gguf.TokenType.NORMAL)
    for added in data["added_tokens"]:
        kind = gguf.TokenType.CONTROL if added["special"] else gguf.TokenType.USER_DEFINED
        tokens[added["id"]], types[added["id"]] = added["content"], int(kind)
    merges = [m if isinstance(m, str) else " ".join(m) for m in data["model"]["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(config["bos_token_id"])
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_add_bos_token(False)


def write_bf16(model: Path, out: Path) -> None:
    config = read_config(model)
    if "Qwen3ForCausalLM" not in config["architectures"]:
        raise SystemExit(f"{model}: config.json says {config['architectures']}, expected Qwen3ForCausalLM")
    writer = gguf.GGUFWriter(out, "qwen3")
    add_sizes(writer, config)
    add_tokenizer(writer, model / "tokenizer.json", config)
    for name, bits in read_tensors(model).items():
        target = gguf_name(name)
        if target is None:
            continue
        if bits.ndim == 1:  # llama.cpp wants norms in float32
            writer.add_tensor(target, widen(bits))
        else:
            writer.add_tensor(target, bits.view(np.uint8), raw_dtype=gguf.GGMLQuantizationType.BF16)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def quantize(source: Path, out: Path, file_type: int, threads: int) -> None:
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = file_type
    params.nthread = threads
    code = llama_cpp.llama_model_quantize(str(source).encode(), str(out).encode(), ctypes.byref(params))
    if code != 0:
        raise SystemExit(f"{out}: llama.cpp could not quantise {source} (code {code})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="folder of a Gen checkpoint in BF16")
    parser.add_argument("--out", type=Path, required=True, help="folder for the GGUF files")
    parser.add_argument("--threads", type=int, default=2, help="(default: 2)")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    since = max(path.stat().st_mtime for path in args.model.glob("model*.safetensors"))

    def make(name: str, write) -> Path:
        path, part = args.out / f"{name}.gguf", args.out / f"{name}.part"
        if not path.exists() or path.stat().st_mtime < since:
            write(part)
            part.rename(path)
            print(f"{path}: {path.stat().st_size / 1e9:.2f} GB")
        return path

    bf16 = make("bf16", lambda part: write_bf16(args.model, part))
    for name, file_type in QUANTIZED.items():
        make(name, lambda part, file_type=file_type: quantize(bf16, part, file_type, args.threads))


if __name__ == "__main__":
    main()
