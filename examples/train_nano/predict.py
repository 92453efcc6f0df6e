"""Verdicts of a model on rows, in PyTorch, in the record form that the C++ tool prints."""

from __future__ import annotations

import torch

from grouping import grouped
from labels import CATEGORIES, SEVERITIES
from losses import gen_hidden, verdict_ids
from dataset import pad_ids
from nano_model import NanoGuard
from render import Renderer

LIMIT = 6000


def _record(row: dict, probs: list[float], category: str | None, refusal: dict | None = None) -> dict:
    best = SEVERITIES[max(range(3), key=probs.__getitem__)]
    return {"id": row["id"], "severity": best,
            "probabilities": {"safe": probs[0], "unsafe": probs[1], "controversial": probs[2]},
            "categories": [category] if category and best != "Safe" else [], "refusal": refusal}


@torch.inference_mode()
def stream_records(model: NanoGuard, rows: list[dict], r: Renderer, tokens: int = 8192) -> list[dict]:
    """The prompt's verdict, or the debounced one of the last response (with its token and the response's span)."""
    model.eval()
    enc = [r.stream(row["messages"]) for row in rows]
    out: list[dict] = [{}] * len(rows)
    for group in grouped([len(e[0]) for e in enc], tokens):
        ids = pad_ids([enc[i][0][:LIMIT] for i in group], r.end)
        with torch.autocast("cpu", torch.bfloat16):
            hidden = model.model(ids)[0]
        for n, i in enumerate(group):
            query = rows[i]["messages"][-1]["role"] == "user"
            begin, end = (enc[i][1][-1], enc[i][1][-1] + 1) if query else enc[i][2][-1]
            risk, cat = model.guard(hidden[n, begin:end].float(), query)
            probs = risk.softmax(-1)
            names = [CATEGORIES[c] for c in cat.argmax(-1).tolist()]
            if query:
                out[i] = _record(rows[i], probs[0].tolist(), names[0])
                continue
            worst = risk.argmax(-1).tolist()
            at, label = decide(worst)
            record = _record(rows[i], probs[at if at is not None else -1].tolist(), names[at if at is not None else -1])
            record.update(severity=label, flagged=None if at is None else begin + at, begin=begin, end=end,
                          token_risk=worst, scores=debounced(probs))
            record["categories"] = record["categories"] if label != "Safe" else []
            out[i] = record
    return out


def debounced(probs: torch.Tensor) -> dict[str, float]:
    """What ranks a response: the largest score that two tokens in a row both reach (docs/evaluation.md)."""
    out = {}
    for name, score in (("strict", (probs[:, 1] + probs[:, 2]).clamp(max=1)), ("loose", probs[:, 1])):
        pairs = torch.minimum(score[:-1], score[1:]) if len(score) > 1 else score
        out[name] = float(pairs.max())
    return out


def decide(risk: list[int], strict_flag: bool = False) -> tuple[int | None, str]:
    """Index and label of the first pair Unsafe,Unsafe, else of Controversial,Controversial, else Safe."""
    for level in (1, 2):
        for i in range(1, len(risk)):
            if risk[i] == risk[i - 1] == level:
                return i, SEVERITIES[level]
    return None, "Safe"


@torch.inference_mode()
def gen_records(model: NanoGuard, rows: list[dict], r: Renderer, tokens: int = 8192, extra: bool = True) -> list[dict]:
    """Verdict, first category and refusal, each the likeliest among the allowed continuations."""
    model.eval()
    out: list[dict] = [{}] * len(rows)
    three = verdict_ids(r)
    for role in ("user", "assistant"):
        idx = [i for i, row in enumerate(rows) if row["messages"][-1]["role"] == role]
        names = CATEGORIES if role == "user" else CATEGORIES[:8]
        first = [r.text(f" {c}")[0] for c in names]
        yes_no = [r.text(" Yes")[0], r.text(" No")[0]]
        base = {i: (r.gen_middle(rows[i]["messages"])[-LIMIT:] + r.tail[role] + r.text("Safety:")) for i in idx}
        head = r.head[role]
        for group in grouped([len(base[i]) for i in idx], tokens):
            group = [idx[g] for g in group]

            def last_logits(seqs: list[list[int]]) -> torch.Tensor:
                ids = pad_ids(seqs, r.end)
                with torch.autocast("cpu", torch.bfloat16):
                    h = gen_hidden(model, ids, head)
                at = torch.tensor([len(s) - 1 for s in seqs])
                return model.logits(h[torch.arange(len(seqs)), at].float())

            seqs = [base[i] for i in group]
            probs = last_logits(seqs)[:, three].softmax(-1)
            sev = probs.argmax(-1).tolist()
            cats: list[str | None] = [None] * len(group)
            refs: list[dict | None] = [None] * len(group)
            if extra:
                seqs = [s + r.text(f" {SEVERITIES[v]}\nCategories:") for s, v in zip(seqs, sev)]
                cats = [names[c] for c in last_logits(seqs)[:, first].argmax(-1).tolist()]
                if role == "assistant":
                    seqs = [s + r.text(f" {c if v else 'None'}\nRefusal:") for s, v, c in zip(seqs, sev, cats)]
                    p = last_logits(seqs)[:, yes_no].softmax(-1)[:, 0].tolist()
                    refs = [{"value": "Yes" if x >= 0.5 else "No", "probability": max(x, 1 - x)} for x in p]
            for n, i in enumerate(group):
                out[i] = _record(rows[i], probs[n].tolist(), cats[n], refs[n])
    return out
