# SPDX-License-Identifier: Apache-2.0
"""What transformers computes, in float32: a process of its own, so that its memory is free again when the program is measured.

    reference_worker.py JOB.json

One NAME.npz for each conversation, written whole; those that are there are passed over. Arrays:
    ids [tokens]                  the rendered conversation, by the checkpoint's own template and tokenizer
    text                          the same before the tokenizer
  Gen:
    logits [vocabulary]           behind the last token
    severities [3]                behind the prompt and "Safety:", the best logit of a token that only " Safe", " Controversial",
                                  " Unsafe" can begin with; n_shared: 1 when a token that begins several was better than all
    generated, margins            greedy decoding: what was written, [steps] the lead of the best token over the next
  Stream:
    risk_level_logits, category_logits, query_risk_level_logits, query_category_logits [tokens, entries]
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors import safe_open

HEADS = ["risk_level_logits", "category_logits", "query_risk_level_logits", "query_category_logits"]
SECONDS_BETWEEN_LINES = 10
SEVERITIES = [" Safe", " Controversial", " Unsafe"]


class Refused(Exception):
    """One sentence for the person at the terminal."""


def render(tokenizer, kind: str, messages: list[dict]) -> tuple[str, list[int]]:
    """As the published scripts do it."""
    options = {} if kind == "gen" else {"add_generation_prompt": False, "enable_thinking": False}
    text = tokenizer.apply_chat_template(messages, tokenize=False, **options)
    return text, tokenizer([text])["input_ids"][0]


def load_plain(model_class, folder: str):
    """A model of transformers in float32, all of whose weights come from the folder."""
    config = transformers.Qwen3Config.from_pretrained(folder, local_files_only=True)
    model, report = model_class.from_pretrained(
        folder, config=config, dtype=torch.float32, local_files_only=True, output_loading_info=True
    )
    if report["missing_keys"] or report["mismatched_keys"]:
        missing = sorted([*report["missing_keys"], *map(str, report["mismatched_keys"])])
        raise Refused(f"transformers finds no weights for {missing[0]} and {len(missing) - 1} others")
    return model.eval()


def read_tensors(paths: list[str], names: list[str]) -> dict[str, torch.Tensor]:
    found = {}
    for path in paths:
        with safe_open(path, "pt") as file:
            found |= {name: file.get_tensor(name).float() for name in names if name in file.keys()}
    return found


class GenReference:
    def __init__(self, job: dict, tokenizer):
        self.model = load_plain(transformers.Qwen3ForCausalLM, job["folder"])
        self.tokenizer = tokenizer
        self.n_new = job["max_new_tokens"]
        vocabulary = {token.replace("\u0120", " "): i for token, i in tokenizer.get_vocab().items()}
        fits = {i: [k for k, word in enumerate(SEVERITIES) if token and word.startswith(token)] for token, i in vocabulary.items()}
        self.single = [[i for i, of in fits.items() if of == [k]] for k in range(len(SEVERITIES))]
        self.shared = [i for i, of in fits.items() if len(of) > 1]

    def forward(self, ids: list[int]) -> torch.Tensor:
        """[vocabulary], behind the last token."""
        return self.model(torch.tensor([ids]), logits_to_keep=1, use_cache=False).logits[0, -1].float()

    def compute(self, ids: list[int]) -> dict:
        behind_safety = self.forward(ids + self.tokenizer("Safety:", add_special_tokens=False)["input_ids"])
        severities = torch.stack([behind_safety[tokens].max() for tokens in self.single])
        is_shared = bool(self.shared) and bool(behind_safety[self.shared].max() > severities.max())
        done = self.model.generate(
            torch.tensor([ids]),
            attention_mask=torch.ones(1, len(ids), dtype=torch.long),
            max_new_tokens=self.n_new,
            do_sample=False,
            temperature=None,
            top_p=None,
            top_k=None,
            repetition_penalty=1.0,
            return_dict_in_generate=True,
            output_logits=True,
        )
        steps = torch.stack([step[0] for step in done.logits]).float()
        best = steps.topk(2, dim=-1).values
        text = self.tokenizer.decode(done.sequences[0, len(ids) :], skip_special_tokens=True)
        return {
            "logits": self.forward(ids),
            "severities": severities,
            "n_shared": int(is_shared),
            "margins": best[:, 0] - best[:, 1],
            "generated": text,
        }


class StreamReference:
    """The backbone of transformers, and the four heads after arXiv:2510.14276, equation 3: x = RMSNorm(W_pre h), risk = W_risk x,
    category = W_category x, once for responses and once (query_) for prompts."""

    def __init__(self, job: dict, tokenizer):
        self.model = load_plain(transformers.Qwen3Model, job["folder"])
        parts = ["risk_level_category_pre", "risk_level_category_layernorm", "risk_level_head", "category_head"]
        self.weights = read_tensors(job["weight_files"], [f"{p}{part}.weight" for p in ("", "query_") for part in parts])

    def compute(self, ids: list[int]) -> dict:
        hidden = self.model(torch.tensor([ids]), use_cache=False).last_hidden_state[0].float()
        found = {}
        for prefix in ("", "query_"):

            def product(x, name, prefix=prefix):
                return x @ self.weights[f"{prefix}{name}.weight"].T

            inner = product(hidden, "risk_level_category_pre")
            inner = inner * torch.rsqrt(inner.pow(2).mean(-1, keepdim=True) + self.model.config.rms_norm_eps)
            inner = inner * self.weights[f"{prefix}risk_level_category_layernorm.weight"]
            found[f"{prefix}risk_level_logits"] = product(inner, "risk_level_head")
            found[f"{prefix}category_logits"] = product(inner, "category_head")
        return found


class RemoteReference:
    """The checkpoint's own code."""

    def __init__(self, job: dict, tokenizer):
        self.model = transformers.AutoModel.from_pretrained(
            job["folder"], dtype=torch.float32, local_files_only=True, trust_remote_code=True
        ).eval()

    def compute(self, ids: list[int]) -> dict:
        n = len(ids)
        # The published scripts hand over the whole causal mask, since the code builds none of this form itself.
        mask = torch.tril(torch.ones(1, 1, n, n, dtype=torch.bool))
        out = self.model(input_ids=torch.tensor([ids]), attention_mask=mask)
        missing = [head for head in HEADS if getattr(out, head, None) is None]
        if missing:
            raise Refused(f"the checkpoint's own code gives no {missing[0]}")
        return {head: getattr(out, head).reshape(n, -1).float() for head in HEADS}


def make_reference(job: dict, tokenizer):
    if job["kind"] == "gen":
        return GenReference(job, tokenizer)
    return (RemoteReference if job["trust_remote_code"] else StreamReference)(job, tokenizer)


def save(path: Path, arrays: dict) -> None:
    part = path.with_suffix(".part.npz")
    np.savez(
        part, **{name: value.numpy() if isinstance(value, torch.Tensor) else np.array(value) for name, value in arrays.items()}
    )
    os.replace(part, path)


@torch.inference_mode()
def run(job: dict) -> None:
    out = Path(job["out"])
    todo = [c for c in job["conversations"] if not (out / f"{c['id']}.npz").exists()]
    if not todo:
        return
    if job["threads"]:
        torch.set_num_threads(job["threads"])
    tokenizer = transformers.AutoTokenizer.from_pretrained(
        job["folder"], local_files_only=True, trust_remote_code=job["trust_remote_code"]
    )
    if not tokenizer.chat_template:
        raise Refused("the checkpoint has no chat template")
    reference = make_reference(job, tokenizer)
    next_line = 0.0
    for k, conversation in enumerate(todo, 1):
        text, ids = render(tokenizer, job["kind"], conversation["messages"])
        save(out / f"{conversation['id']}.npz", {"ids": ids, "text": text, **reference.compute(ids)})
        if k == len(todo) or time.monotonic() >= next_line:
            print(f"  transformers: {k} of {len(todo)} conversations", file=sys.stderr, flush=True)
            next_line = time.monotonic() + SECONDS_BETWEEN_LINES


def main() -> None:
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    try:
        run(json.loads(Path(sys.argv[1]).read_text("ascii")))
    except Refused as error:
        sys.exit(f"error: {error}")
    except Exception as error:  # whatever transformers, or the checkpoint's own code, throws: the caller shows one line
        text = " ".join(str(error).split())
        sys.exit(f"error: {type(error).__name__}: {text[:400]}")


if __name__ == "__main__":
    main()
