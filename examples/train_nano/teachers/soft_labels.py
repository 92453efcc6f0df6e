"""Soft labels of the teachers for every row, out of fold, and Controversial by disagreement for the noisy sources.

python3 -m teachers.soft_labels --work .work/full      writes .work/full/soft.npz and rewrites train.jsonl's labels
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import metrics
from everyday import read_half
from labelling.folds import fold_of, out_of_fold
from labelling.vote import vote
from labels import CATEGORY_ID, SEVERITIES, SEVERITY_ID
from teachers.probe import N_CATEGORY, UNKNOWN, Probe, Targets, fit, predict
from teachers.vectors import ENCODERS, Vectors, extend, texts_of

N_FOLDS = 4
#: Sources whose annotators judge single sentences without a policy like ours.
NOISY = ("cold_train_dev", "multilingual_hatecheck", "davidson_tweets", "harmfulqa", "phrasing", "toxigen_demos", "hh")
STRICT, LOOSE, SURE = 2.5, 0.4, 0.75


def group_of(row: dict) -> str:
    """Rows of one group share a fold: equal prompts stay together."""
    users = [m["content"] for m in row["messages"] if m["role"] == "user"]
    return "".join(c for c in (users[-1] if users else row["id"]).casefold() if c.isalnum())


def features(rows: list[dict], vectors: list[Vectors]) -> Tensor:
    """[n, 896] for prompts; [n, 1792] for answers: the answer's vectors, then the prompt's."""
    answers = rows[0]["messages"][-1]["role"] == "assistant"
    last = [v.at([r["messages"][-1]["content"] for r in rows]) for v in vectors]
    if answers:
        last += [v.at([r["messages"][-2]["content"] for r in rows]) for v in vectors]
    return torch.from_numpy(np.concatenate(last, 1))


def targets(rows: list[dict]) -> Targets:
    """The rows' labels as tensors."""
    def category(r: dict) -> int:
        known = r["label"] not in ("Safe", None) and r["categories"]
        return CATEGORY_ID[r["categories"][0]] if known else UNKNOWN
    return Targets(torch.tensor([UNKNOWN if r["label"] is None else SEVERITY_ID[r["label"]] for r in rows]),
                   torch.tensor([category(r) for r in rows]),
                   torch.tensor([UNKNOWN if r.get("refusal") is None else int(r["refusal"]) for r in rows]),
                   torch.tensor([float(r["weight"]) for r in rows]))


def opinions(rows: list[dict], vectors: list[Vectors], seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, Probe]:
    """Out-of-fold predictions [n, 14] of a level probe, P(not Safe) of a strict and a loose one [n], and a probe of all."""
    x, t = features(rows, vectors), targets(rows)
    folds = np.array([fold_of(group_of(r), N_FOLDS) for r in rows])
    def annotate(lean: float) -> np.ndarray:
        return out_of_fold(folds, lambda tr, te: predict(fit(x[torch.from_numpy(tr)], t.at(tr), seed, lean), x[torch.from_numpy(te)]))
    return annotate(1.0), 1 - annotate(STRICT)[:, 0], 1 - annotate(LOOSE)[:, 0], fit(x, t, seed)


def check(rows: list[dict], probe: Probe, vectors: list[Vectors], name: str) -> Iterator[dict]:
    """What the teacher says of the calibration half, for metrics.py."""
    for row, (safe, unsafe, controversial) in zip(rows, predict(probe, features(rows, vectors))[:, :3].tolist(), strict=True):
        severity = SEVERITIES[int(np.argmax([safe, unsafe, controversial]))]
        yield metrics.prediction(name, row, {"severity": severity, "categories": [],
                                             "probabilities": {"safe": safe, "unsafe": unsafe, "controversial": controversial}})


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--work", type=Path, required=True)
    p.add_argument("--seed", type=int, default=7)
    a = p.parse_args()
    torch.manual_seed(a.seed)
    rows = [json.loads(line) for line in (a.work / "train.jsonl").open(encoding="utf-8")]
    everyday = read_half("calibration")
    for name in ENCODERS:
        extend(a.work / "vectors", name, texts_of([{"source": "", **r} for r in everyday]))
    vectors = [Vectors(a.work / "vectors", name) for name in ENCODERS]
    soft = np.full((len(rows), 3 + N_CATEGORY + 2), np.nan, np.float32)
    changed: Counter = Counter()
    checked: list[dict] = []
    for role in ("user", "assistant"):
        at = [i for i, r in enumerate(rows) if r["messages"][-1]["role"] == role and r["source"] != "splice"
              and len(r["messages"]) >= (2 if role == "assistant" else 1)]
        part = [rows[i] for i in at]
        level, strict, loose, probe = opinions(part, vectors, a.seed)
        soft[at] = level
        for r, s, l in zip(part, strict, loose, strict=True):
            if r["source"] in NOISY and not r.get("annotated"):
                new = vote(r["label"], float(s), float(l), SURE)
                if new != r["label"]:
                    changed[role, r["source"], r["label"], new] += 1
                    r.update(annotated=r["label"], label=new, onset=None if new == "Safe" else 0)
        checked += check([r for r in everyday if r["messages"][-1]["role"] == role], probe, vectors, f"everyday {role}")
    for k, n in sorted(changed.items(), key=str):
        print(*k, n)
    np.savez(a.work / "soft.npz", ids=np.array([r["id"] for r in rows]), soft=soft)
    tmp = a.work / "train.tmp"
    with tmp.open("w", encoding="utf-8") as f:
        f.writelines(json.dumps(r, ensure_ascii=False) + "\n" for r in rows)
    tmp.replace(a.work / "train.jsonl")
    with tempfile.TemporaryDirectory() as folder:
        metrics.write_predictions(Path(folder), checked)
        for name, scores in metrics.score(Path(folder), "--resamples", "0")["sets"].items():
            print(f"teacher on {name}: AUC {scores['auc']:.3f}")


if __name__ == "__main__":
    main()
