"""Move the operating point of a trained model: constant offsets on the Unsafe and Controversial logits, baked in.

The models have no biases. A vector w with h.w close to 1 for every verdict state h (ridge regression on the
development rows) stands in for one: adding b*w to a class's row of the output matrix adds about b to its logit.
The offsets are given; `qwen3guard calibrate` fits thresholds without touching the weights.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from dataset import Example, pad_ids
from losses import gen_hidden, verdict_ids
from metrics import summary
from nano_model import NanoGuard
from predict import _bucketed, gen_records, stream_records
from render import Renderer, load_tokenizer
from train import load_model, read_jsonl


@torch.inference_mode()
def gen_states(model: NanoGuard, rows: list[dict], r: Renderer) -> Tensor:
    """Hidden states that choose the verdict word, in row order (user rows)."""
    head = r.head["user"]
    seqs = [r.gen_middle(x["messages"]) + r.tail["user"] + r.text("Safety:") for x in rows]
    out = torch.zeros(len(rows), model.cfg.hidden_size)
    for group in _bucketed([len(s) for s in seqs], 8192):
        with torch.autocast("cpu", torch.bfloat16):
            h = gen_hidden(model, pad_ids([Example(seqs[i], "") for i in group], r.end), head)
        for n, i in enumerate(group):
            out[i] = h[n, len(seqs[i]) - 1].float()
    return out


@torch.inference_mode()
def head_states(model: NanoGuard, rows: list[dict], r: Renderer, query: bool) -> Tensor:
    """Normalised inner states before the risk head: of each prompt, or of up to 16 tokens of each response."""
    pre = "query_" if query else ""
    enc = [r.stream(x["messages"]) for x in rows]
    out: list[Tensor] = [torch.empty(0)] * len(rows)
    for group in _bucketed([len(e[0]) for e in enc], 8192):
        with torch.autocast("cpu", torch.bfloat16):
            h = model.model(pad_ids([Example(enc[i][0], "") for i in group], r.end))[0]
        for n, i in enumerate(group):
            ids, queries, responses = enc[i]
            at = queries[-1:] if query else list(range(*responses[-1]))[:: max(1, (responses[-1][1] - responses[-1][0]) // 16)]
            x = getattr(model, pre + "risk_level_category_pre")(h[n, at].float())
            out[i] = getattr(model, pre + "risk_level_category_layernorm")(x)
    return torch.cat(out)


def unit_vector(states: Tensor, ridge: float = 1e-3) -> Tensor:
    """w with states @ w close to 1."""
    gram = states.T @ states / len(states)
    gram += ridge * gram.diagonal().mean() * torch.eye(len(gram))
    return torch.linalg.solve(gram, states.mean(0))


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--form", choices=["gen", "stream"], required=True)
    p.add_argument("--work", type=Path, default=Path(__file__).with_name(".work"))
    p.add_argument("--checkpoint", type=Path, required=True)
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("--offsets", type=float, nargs=2, required=True, help="offsets for Unsafe and Controversial")
    p.add_argument("--response", type=float, nargs=2, default=[0.0, 0.0], help="the same for the response heads")
    a = p.parse_args()
    r = Renderer(load_tokenizer(a.work / "tokenizer.json"))
    model = load_model(a.checkpoint).eval()
    rows = read_jsonl(a.work / "dev.jsonl")
    users = [x for x in rows if x["messages"][-1]["role"] == "user"]
    state = torch.load(a.checkpoint, weights_only=True)
    if a.form == "gen":
        x, name, at = gen_states(model, users, r), "model.embed_tokens.weight", verdict_ids(r)
    else:
        x, name, at = head_states(model, users, r, True), "query_risk_level_head.weight", [0, 1, 2]
    w = unit_vector(x)
    print(f"h.w: mean {(x @ w).mean():.3f}, deviation {(x @ w).std():.3f}")
    u, c = a.offsets
    print(f"offsets: Unsafe {u:+.1f}, Controversial {c:+.1f}")
    state["ema"][name][at[1]] += u * w
    state["ema"][name][at[2]] += c * w
    if a.form == "stream" and any(a.response):
        w = unit_vector(head_states(model, [x for x in rows if x["messages"][-1]["role"] == "assistant"], r, False))
        for row, b in zip((1, 2), a.response):
            state["ema"]["risk_level_head.weight"][row] += b * w
    torch.save(state, a.out)
    records = gen_records if a.form == "gen" else stream_records
    print(summary(rows, records(load_model(a.out), rows, r)))


if __name__ == "__main__":
    main()
