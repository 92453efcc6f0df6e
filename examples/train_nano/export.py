"""Write a stage's weights (stages.py) as a model folder in the layout of the published Qwen3Guard checkpoints.

export.py --kind gen --stage .work/full/stage --out .work/models/nano-gen      needs no PyTorch
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tokenizers import Tokenizer

import safetensors_file
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


def write(out: Path, kind: str, stage: Path, prompts: dict[str, str]) -> None:
    """All files but the model card."""
    weights, tokenizer = stage / "model.safetensors", stage / "tokenizer.json"
    shape = json.loads(safetensors_file.read_header(weights)["__metadata__"]["nano_config"])
    tok = Tokenizer.from_file(str(tokenizer))
    out.mkdir(parents=True, exist_ok=True)

    def put(name: str, data: dict) -> None:
        (out / name).write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    tensors = {name: t for name, t in safetensors_file.read_tensors(weights).items() if name.startswith("model.") or kind == "stream"}
    safetensors_file.write(out / "model.safetensors", tensors, {"format": "pt"})
    put("config.json", config(shape, kind, tok))
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
        "model_max_length": shape["max_position_embeddings"], "pad_token": "<|endoftext|>",
        "split_special_tokens": False, "tokenizer_class": "Qwen2Tokenizer", "unk_token": None})
    (out / "tokenizer.json").write_bytes(tokenizer.read_bytes())


def main() -> None:
    """Command line."""
    from render import prompt_template
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--kind", choices=["gen", "stream"], required=True)
    p.add_argument("--stage", type=Path, required=True, help="a folder that stages.py wrote")
    p.add_argument("--out", type=Path, required=True)
    a = p.parse_args()
    write(a.out, a.kind, a.stage, {r: prompt_template(r) for r in ("user", "assistant")})
    print(f"{a.out}: {sum(f.stat().st_size for f in a.out.iterdir())} bytes")


if __name__ == "__main__":
    main()
