"""Set the operating points: one offset a verdict on the logits of Unsafe and Controversial, baked into the weights.

The offset of a verdict lets at most a given share of the safe rows of the everyday set's calibration half (and, for the
token heads, of the development split's safe streams) be flagged. The models have no biases: a vector w with h.w close
to 1 for the states of one verdict, and to 0 for those of the other kind where both share the output rows, stands in
for one; adding b*w to a class's row adds about b to its logit. `qwen3guard calibrate` sets thresholds without weights.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from dataset import Example, pad_ids
from everyday import read_half
from losses import gen_hidden, verdict_ids
from nano_model import NanoGuard
from predict import bucketed
from render import Renderer, load_tokenizer
from train import load_model, read_jsonl

UNSAFE, CONTROVERSIAL = 1, 2
TOKENS = 8192


@torch.inference_mode()
def gen_states(model: NanoGuard, rows: list[dict], r: Renderer) -> Tensor:
    """Hidden states [n, hidden] that choose the verdict word, in row order; the rows' last messages have one role."""
    role = rows[0]["messages"][-1]["role"]
    seqs = [r.gen_middle(x["messages"]) + r.tail[role] + r.text("Safety:") for x in rows]
    out = torch.zeros(len(rows), model.cfg.hidden_size)
    for group in bucketed([len(s) for s in seqs], TOKENS):
        h = gen_hidden(model, pad_ids([Example(seqs[i], "") for i in group], r.end), r.head[role])
        for n, i in enumerate(group):
            out[i] = h[n, len(seqs[i]) - 1]
    return out


@torch.inference_mode()
def head_states(model: NanoGuard, rows: list[dict], r: Renderer, query: bool) -> list[Tensor]:
    """Normalised inner states before the risk head, [1, inner] of each prompt or [n_tokens, inner] of each answer."""
    pre = "query_" if query else ""
    enc = [r.stream(x["messages"]) for x in rows]
    out: list[Tensor] = [torch.empty(0)] * len(rows)
    for group in bucketed([len(e[0]) for e in enc], TOKENS):
        h = model.model(pad_ids([Example(enc[i][0], "") for i in group], r.end))[0]
        for n, i in enumerate(group):
            _, queries, responses = enc[i]
            at = queries[-1:] if query else list(range(*responses[-1]))
            x = getattr(model, pre + "risk_level_category_pre")(h[n, at])
            out[i] = getattr(model, pre + "risk_level_category_layernorm")(x)
    return out


def stand_in(wanted: Tensor, unwanted: Tensor | None = None, ridge: float = 1e-3) -> Tensor:
    """w with h.w close to 1 over the wanted states [n, d] and close to 0 over the unwanted ones."""
    x = wanted if unwanted is None else torch.cat([wanted, unwanted])
    y = torch.zeros(len(x))
    y[: len(wanted)] = 1
    gram = x.T @ x / len(x)
    gram += ridge * gram.diagonal().mean() * torch.eye(len(gram))
    w = torch.linalg.solve(gram, x.T @ y / len(x))
    print(f"  h.w: mean {(wanted @ w).mean():.3f}, deviation {(wanted @ w).std():.3f}"
          + ("" if unwanted is None else f"; elsewhere {(unwanted @ w).mean():.3f}, {(unwanted @ w).std():.3f}"))
    return w


def margin(logits: Tensor) -> float:
    """How far a verdict [1, 3] or a stream's worst pair of neighbouring tokens [n, 3] is on the flagged side."""
    m = logits[:, 1:].amax(-1) - logits[:, 0]
    return float(m[0] if len(m) == 1 else torch.minimum(m[1:], m[:-1]).max())


def offset_for(safe: list[float], alarms: float) -> float:
    """The offset at which the share `alarms` of the safe margins is above zero."""
    return -float(torch.quantile(torch.tensor(safe), 1 - alarms))


def told(name: str, offset: float, safe: list[float], unsafe: list[float]) -> None:
    """What the offset does on the rows it was chosen with."""
    share = [100 * sum(m + offset > 0 for m in part) / max(1, len(part)) for part in (safe, unsafe)]
    print(f"{name}: offset {offset:+.2f}; flags {share[0]:.1f} % of {len(safe)} safe rows, {share[1]:.1f} % of {len(unsafe)} unsafe ones")


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--work", type=Path, required=True)
    p.add_argument("--checkpoint", type=Path, required=True)
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("--alarms", type=float, default=0.03, help="share of safe rows that may be flagged")
    p.add_argument("--stream-alarms", type=float, default=0.05, help="share of the safe development streams")
    a = p.parse_args()
    r = Renderer(load_tokenizer(a.work / "tokenizer.json"))
    model = load_model(a.checkpoint).eval()
    state = torch.load(a.checkpoint, weights_only=True)
    ema, rows = state["ema"], read_half("calibration")
    prompts, answers = ([x for x in rows if x["messages"][-1]["role"] == role] for role in ("user", "assistant"))
    streams = [x for x in read_jsonl(a.work / "dev.jsonl") if x["source"] == "splice"]
    flagged = lambda part: [x["label"] != "Safe" for x in part]  # noqa: E731

    def split(margins: list[float], part: list[dict]) -> tuple[list[float], list[float]]:
        bad = flagged(part)
        return [m for m, b in zip(margins, bad) if not b], [m for m, b in zip(margins, bad) if b]

    # Gen: both roles share the rows of the verdict words.
    states = [gen_states(model, part, r) for part in (prompts, answers)]
    table, words = "model.embed_tokens.weight", verdict_ids(r)
    before = ema[table][words].float().clone()
    for i, (name, part) in enumerate((("gen prompts", prompts), ("gen answers", answers))):
        safe, unsafe = split([margin(h[None] @ before.T) for h in states[i]], part)
        offset = offset_for(safe, a.alarms)
        told(name, offset, safe, unsafe)
        w = stand_in(states[i], states[1 - i])
        for c in (UNSAFE, CONTROVERSIAL):
            ema[table][words[c]] += offset * w

    for name, part, query in (("stream prompts", prompts, True), ("stream answers", answers, False)):
        key = ("query_" if query else "") + "risk_level_head.weight"
        inner = head_states(model, part, r, query)
        safe, unsafe = split([margin(x @ ema[key].T) for x in inner], part)
        offset = offset_for(safe, a.alarms)
        if not query and streams:
            more = head_states(model, streams, r, query)
            calm, bad = split([margin(x @ ema[key].T) for x in more], streams)
            offset = min(offset, offset_for(calm, a.stream_alarms))
            told("stream, spliced", offset, calm, bad)
            inner = inner + more
        told(name, offset, safe, unsafe)
        w = stand_in(torch.cat(inner))
        for c in (UNSAFE, CONTROVERSIAL):
            ema[key][c] += offset * w
    torch.save(state, a.out)


if __name__ == "__main__":
    main()
