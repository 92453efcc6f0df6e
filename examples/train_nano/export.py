"""Write a checkpoint as a model folder in the layout of the published Qwen3Guard checkpoints."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

from labels import ADDED_PLAIN, ADDED_SPECIAL, CATEGORIES, SEVERITIES, id_map


def config(cfg: dict, kind: str, tok: Tokenizer) -> dict:
    """config.json of a nano model."""
    end = tok.token_to_id("<|im_end|>")
    out = {
        "architectures": ["Qwen3ForCausalLM" if kind == "gen" else "Qwen3ForGuardModel"],
        "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": tok.token_to_id("<|endoftext|>"),
        "eos_token_id": end, "head_dim": cfg["head_dim"], "hidden_act": "silu", "hidden_size": cfg["hidden_size"],
        "initializer_range": 0.02, "intermediate_size": cfg["intermediate_size"],
        "max_position_embeddings": cfg["max_position_embeddings"], "model_type": "qwen3",
        "num_attention_heads": cfg["num_attention_heads"], "num_hidden_layers": cfg["num_hidden_layers"],
        "num_key_value_heads": cfg["num_key_value_heads"], "rms_norm_eps": cfg["rms_norm_eps"], "rope_scaling": None,
        "rope_theta": cfg["rope_theta"], "sliding_window": None, "tie_word_embeddings": True,
        "torch_dtype": "bfloat16", "use_cache": True, "use_sliding_window": False, "vocab_size": cfg["vocab_size"],
    }
    if kind == "stream":
        out |= {
            "guard_inner_size": cfg["guard_inner_size"], "num_risk_level": 3, "num_category": 8,
            "num_query_risk_level": 3, "num_query_category": 9,
            "response_risk_level_map": id_map(SEVERITIES), "query_risk_level_map": id_map(SEVERITIES),
            "response_category_map": id_map(CATEGORIES[:8]), "query_category_map": id_map(CATEGORIES),
        }
    return out


CHAT_TEMPLATE = (
    "{%- for m in messages %}{%- if m.role == 'assistant' %}"
    "{{- '<|im_start|>assistant\\n<think>\\n\\n</think>\\n\\n' + m.content + '<|im_end|>\\n' }}"
    "{%- else %}{{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{%- endif %}{%- endfor %}")


def gen_template(prompts: dict[str, str]) -> str:
    """A chat template that renders the instruction prompt for the last message's role."""
    def quoted(text: str) -> str:
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"
    conversation = (
        "{%- for m in messages %}{%- if loop.first %}{%- if m.role != 'assistant' %}{{- 'USER: ' + m.content }}{%- endif %}"
        "{%- elif m.role == 'user' %}{{- ('\\n\\n' if messages[loop.index0 - 1].role == 'system' else '\\n\\nUSER: ') + m.content }}"
        "{%- elif m.role == 'assistant' %}{{- '\\n\\nASSISTANT: ' + m.content }}{%- endif %}{%- endfor %}")
    out = ""
    for word, role in (("if", "assistant"), ("else", "user")):
        before, after = prompts[role].split("{CONVERSATION}")
        test = "{%- if messages[-1].role == 'assistant' %}" if word == "if" else "{%- else %}"
        out += f"{test}{{{{- {quoted(before)} }}}}{conversation}{{{{- {quoted(after)} }}}}"
    return out + "{%- endif %}"


def write(out: Path, kind: str, checkpoint: Path, tokenizer: Path, prompts: dict[str, str]) -> None:
    """All files but the model card."""
    state = torch.load(checkpoint, weights_only=True)
    tok = Tokenizer.from_file(str(tokenizer))
    out.mkdir(parents=True, exist_ok=True)

    def put(name: str, data: dict) -> None:
        (out / name).write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    tensors = {k: v.to(torch.bfloat16).contiguous() for k, v in sorted(state["ema"].items())
               if k.startswith("model.") or kind == "stream"}
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    put("config.json", config(state["config"], kind, tok))
    end, text = tok.token_to_id("<|im_end|>"), tok.token_to_id("<|endoftext|>")
    put("generation_config.json", {"bos_token_id": text, "do_sample": False, "eos_token_id": [end, text],
                                   "pad_token_id": text, "max_new_tokens": 128})
    added = {str(tok.token_to_id(t)): {"content": t, "lstrip": False, "normalized": False, "rstrip": False,
                                       "single_word": False, "special": t in ADDED_SPECIAL}
             for t in ADDED_SPECIAL + ADDED_PLAIN}
    put("tokenizer_config.json", {
        "add_bos_token": False, "add_prefix_space": False, "added_tokens_decoder": added, "bos_token": None,
        "chat_template": gen_template(prompts) if kind == "gen" else CHAT_TEMPLATE,
        "clean_up_tokenization_spaces": False, "eos_token": "<|im_end|>", "errors": "replace",
        "model_max_length": state["config"]["max_position_embeddings"], "pad_token": "<|endoftext|>",
        "split_special_tokens": False, "tokenizer_class": "Qwen2Tokenizer", "unk_token": None})
    (out / "tokenizer.json").write_bytes(tokenizer.read_bytes())


def main() -> None:
    """Command line."""
    from render import prompt_template
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--kind", choices=["gen", "stream"], required=True)
    p.add_argument("--checkpoint", type=Path, required=True)
    p.add_argument("--tokenizer", type=Path, default=Path(__file__).with_name(".work") / "tokenizer.json")
    p.add_argument("--out", type=Path, required=True)
    a = p.parse_args()
    write(a.out, a.kind, a.checkpoint, a.tokenizer, {r: prompt_template(r) for r in ("user", "assistant")})
    print(f"{a.out}: {sum(f.stat().st_size for f in a.out.iterdir())} bytes")


if __name__ == "__main__":
    main()
