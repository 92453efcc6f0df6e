"""Set the operating points: offsets on the logits of Unsafe and Controversial for each verdict, baked into the weights.

The offset of a verdict lets at most a given share of safe rows be flagged: of prompts, those of the everyday set's
calibration half; of answers, which are few there, those and the development split's hand-written ones. The token heads'
is lowered where it would flag more than a share of that split's safe streams. How far Controversial's lies from Unsafe's
in the prompts' verdicts is what tells the split's unsafe and controversial hand-written rows apart best.

The models have no biases: a vector w with h.w close to 1 for the states of one verdict, and to 0 for those of the other
kind where both share the output rows, stands in for one; adding b*w to a class's row adds about b to its logit. w is
fitted to the development split's states as well: fitted to everyday texts alone, it is another offset on texts of
another kind. Most of the shift is learnt (PRIOR in losses.py): what w adds differs from text to text, and grows with b.
`qwen3guard calibrate` sets thresholds without weights.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import torch
from torch import Tensor

from dataset import pad_ids
from everyday import read_half
from grouping import grouped
from losses import gen_hidden, verdict_ids
from nano_model import NanoGuard
from render import Renderer, load_tokenizer
from train import load_model, read_jsonl

UNSAFE, CONTROVERSIAL = 1, 2
TOKENS = 8192
#: Finding an unsafe row counts so much more than calling it by the right one of two names.
FOUND_SHARE = 3.0
#: Development rows of each role to whose states the offsets are fitted, unless --sample says another number.
N_DEVELOPMENT = 1500


@torch.inference_mode()
def gen_states(model: NanoGuard, rows: list[dict], r: Renderer) -> Tensor:
    """Hidden states [n, hidden] that choose the verdict word, in row order; the rows' last messages have one role."""
    role = rows[0]["messages"][-1]["role"]
    seqs = [r.gen_middle(x["messages"]) + r.tail[role] + r.text("Safety:") for x in rows]
    out = torch.zeros(len(rows), model.cfg.hidden_size)
    for group in grouped([len(s) for s in seqs], TOKENS):
        h = gen_hidden(model, pad_ids([seqs[i] for i in group], r.end), r.head[role])
        for n, i in enumerate(group):
            out[i] = h[n, len(seqs[i]) - 1]
    return out


@torch.inference_mode()
def head_states(model: NanoGuard, rows: list[dict], r: Renderer, query: bool) -> list[Tensor]:
    """Normalised inner states before the risk head, [1, inner] of each prompt or [n_tokens, inner] of each answer."""
    pre = "query_" if query else ""
    enc = [r.stream(x["messages"]) for x in rows]
    out: list[Tensor] = [torch.empty(0)] * len(rows)
    for group in grouped([len(e[0]) for e in enc], TOKENS):
        h = model.model(pad_ids([enc[i][0] for i in group], r.end))[0]
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


def margin(logits: Tensor, lean: float = 0.0) -> float:
    """How far a verdict [1, 3] or a stream's worst pair of neighbouring tokens [n, 3] is on the flagged side, with
    `lean` on Controversial."""
    m = torch.maximum(logits[:, UNSAFE], logits[:, CONTROVERSIAL] + lean) - logits[:, 0]
    return float(m[0] if len(m) == 1 else torch.minimum(m[1:], m[:-1]).max())


def offset_for(safe: list[float], alarms: float) -> float:
    """The offset at which the share `alarms` of the safe margins is above zero."""
    return -float(torch.quantile(torch.tensor(safe), 1 - alarms))


def lean_for(safe: Tensor, unsafe: Tensor, controversial: Tensor, alarms: float) -> float:
    """What to add to Controversial's logit beside the common offset: the value with which the logits [n, 3] of unsafe and
    controversial rows are called what they are most often, at the wanted rate of alarms on safe ones."""
    best, score = 0.0, -1.0
    for step in range(-8, 17):
        lean = step / 4
        offset = offset_for([margin(x[None], lean) for x in safe], alarms)
        def called(x: Tensor, lean: float = lean, offset: float = offset) -> Tensor:
            shifted = x + torch.tensor([0.0, offset, offset + lean])
            return shifted.argmax(-1)
        right = ((called(unsafe) == UNSAFE).float().mean() + FOUND_SHARE * (called(unsafe) > 0).float().mean()
                 + (called(controversial) == CONTROVERSIAL).float().mean())
        if float(right) > score:
            best, score = lean, float(right)
    return best


def told(name: str, offset: float, lean: float, margins: list[list[float]]) -> None:
    """What the offsets do on the rows they were chosen with: safe, unsafe, and safe streams."""
    share = [f"{100 * sum(m + offset > 0 for m in part) / len(part):.1f} % of {len(part)}" if part else "none" for part in margins]
    print(f"{name}: offset {offset:+.2f}, on Controversial {lean:+.2f} more; flags {share[0]} safe rows, {share[1]} unsafe ones, "
          f"{share[2]} safe streams")


def flagged(rows: list[dict]) -> list[bool]:
    """Whether each row's label is not Safe."""
    return [x["label"] != "Safe" for x in rows]


def split(values: list, part: list[dict]) -> tuple[list, list]:
    """Those of safe rows, those of the others."""
    bad = flagged(part)
    return [v for v, b in zip(values, bad) if not b], [v for v, b in zip(values, bad) if b]


def sampled(development: list[dict], n: int, seed: int) -> list[list[dict]]:
    """Short conversations of all sources, of each role n at most."""
    short = [x for x in development if len(x["messages"]) <= 2 and x["source"] != "splice"]
    parts = [[x for x in short if x["messages"][-1]["role"] == role] for role in ("user", "assistant")]
    return [random.Random(seed).sample(part, min(len(part), n)) for part in parts]


def arguments() -> argparse.Namespace:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--work", type=Path, required=True)
    p.add_argument("--checkpoint", type=Path, required=True)
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("--alarms", type=float, default=0.02, help="share of safe prompts that may be flagged")
    p.add_argument("--answer-alarms", type=float, default=0.04, help="share of safe answers that may be flagged")
    p.add_argument("--stream-alarms", type=float, default=0.04, help="share of the safe development streams")
    p.add_argument("--sample", type=int, default=N_DEVELOPMENT, help="development rows of each role to which the offsets are fitted")
    p.add_argument("--seed", type=int, default=7)
    return p.parse_args()


def shift(weights: Tensor, rows_of: list[int], w: Tensor, offset: float, lean: float) -> None:
    """Bake the offsets into an output matrix."""
    weights[rows_of[UNSAFE]] += offset * w
    weights[rows_of[CONTROVERSIAL]] += (offset + lean) * w


def main() -> None:
    """Fit, tell and bake in the offsets of the four verdicts."""
    a = arguments()
    print(f"calibrate: seed {a.seed}")
    r = Renderer(load_tokenizer(a.work / "tokenizer.json"))
    model = load_model(a.checkpoint).eval()
    state = torch.load(a.checkpoint, weights_only=True)
    ema, rows = state["ema"], read_half("calibration")
    prompts, answers = ([x for x in rows if x["messages"][-1]["role"] == role] for role in ("user", "assistant"))
    development = read_jsonl(a.work / "dev.jsonl")
    streams = [x for x in development if x["source"] == "splice"]
    wide = sampled(development, a.sample, a.seed)
    hand, hand_answers = ([x for x in development if x["source"] == "hand" and x["messages"][-1]["role"] == role] for role in ("user", "assistant"))
    answers = answers + hand_answers
    unsafe_hand, controversial_hand = ([x for x in hand if x["label"] == label] for label in ("Unsafe", "Controversial"))

    def settle(name: str, safe: list[Tensor], unsafe: list[Tensor], lean: float, alarms: float, calm: list[Tensor] = ()) -> float:
        """Choose and tell a verdict's offset."""
        margins = [[margin(x, lean) for x in part] for part in (safe, unsafe, calm)]
        offset = offset_for(margins[0], alarms)
        if calm:
            offset = min(offset, offset_for(margins[2], a.stream_alarms))
        told(name, offset, lean, margins)
        return offset

    # Gen: both roles share the rows of the verdict words.
    states = [gen_states(model, part, r) for part in (prompts, answers)]
    all_states = [torch.cat([x, gen_states(model, part, r)]) if part else x for x, part in zip(states, wide, strict=True)]
    table, words = ema["model.embed_tokens.weight"], verdict_ids(r)
    before = table[words].float().clone()
    for i, (name, part) in enumerate((("gen prompts", prompts), ("gen answers", answers))):
        logits = states[i] @ before.T
        bad = torch.tensor(flagged(part))
        lean = 0.0
        if i == 0 and controversial_hand and unsafe_hand:
            lean = lean_for(logits[~bad], *(gen_states(model, x, r) @ before.T for x in (unsafe_hand, controversial_hand)), a.alarms)
        offset = settle(name, list(logits[~bad][:, None]), list(logits[bad][:, None]), lean, (a.alarms, a.answer_alarms)[i])
        shift(table, words, stand_in(all_states[i], all_states[1 - i]), offset, lean)

    for name, part, query in (("stream prompts", prompts, True), ("stream answers", answers, False)):
        weights = ema[("query_" if query else "") + "risk_level_head.weight"]
        inner = head_states(model, part, r, query)
        logits = [x @ weights.T for x in inner]
        safe, unsafe = split(logits, part)
        calm: list[Tensor] = []
        lean = 0.0
        if query and controversial_hand and unsafe_hand:
            more = [torch.cat(head_states(model, x, r, True)) @ weights.T for x in (unsafe_hand, controversial_hand)]
            lean = lean_for(torch.cat(safe), *more, a.alarms)
        elif not query and streams:
            more = head_states(model, streams, r, False)
            inner += more
            calm, _ = split([x @ weights.T for x in more], streams)
        offset = settle(name, safe, unsafe, lean, a.alarms if query else a.answer_alarms, calm)
        inner += head_states(model, wide[not query], r, query)
        shift(weights, [0, 1, 2], stand_in(torch.cat(inner)), offset, lean)
    partial = a.out.with_suffix(".tmp")
    torch.save(state, partial)
    partial.replace(a.out)


if __name__ == "__main__":
    main()
