"""Train the backbone of the nano models in the stream form (heads), the Gen form (verdict text) or both in turn.

    train.py --work .work/full --forms stream --init .work/full/start.pt --out .work/full/words.pt
    train.py --work .work/full --forms stream,gen --init .work/full/words.pt --out .work/full/both.pt

Resumable: OUT.part holds what going on needs. The order of rows and all chance are functions of the seed.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from pathlib import Path

import numpy as np
import torch

from dataset import Example, Target, batches, changed, gen_example, sample_rows, stream_example, target_of
from losses import VectorTargets, gen_step, stream_step
from nano_model import NanoConfig, NanoGuard
from optimiser import optimisers
from render import Renderer, load_tokenizer
from teachers.vectors import ENCODERS, Vectors

SAVE_EVERY = 200
AVERAGE = 0.998


def learning_rate(done: float, warmup: float) -> float:
    """Share of the peak after a part of the run (0 to 1): linear warm-up, constant, linear down over the last 40 %."""
    if done < warmup:
        return max(done, 1e-3) / warmup
    return 1.0 if done < 0.6 else 0.02 + 0.98 * (1 - done) / 0.4


def read_jsonl(path: Path) -> list[dict]:
    """All rows of a file."""
    with path.open(encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def load_model(path: Path) -> NanoGuard:
    """The averaged weights of a checkpoint."""
    state = torch.load(path, weights_only=True)
    model = NanoGuard(NanoConfig(**state["config"]))
    model.load_state_dict(state["ema"])
    return model


class Corpus:
    """The training rows with their targets and where their texts' sentence vectors are."""

    def __init__(self, work: Path, r: Renderer) -> None:
        self.rows = [x for x in read_jsonl(work / "train.jsonl")]
        self.r = r
        soft: dict[str, np.ndarray] = {}
        if (work / "soft.npz").exists():
            with np.load(work / "soft.npz") as z:
                soft = {i: s for i, s in zip(z["ids"].tolist(), z["soft"]) if not np.isnan(s[0])}
        self.rows = [x for x in self.rows if x["label"] is not None or x["id"] in soft]
        self.targets: list[Target] = [target_of(x, soft.get(x["id"])) for x in self.rows]
        stores = [Vectors(work / "vectors", name) for name in ENCODERS] if (work / "vectors").exists() else []
        self.place: dict[str, int] = {}
        tables: list[torch.Tensor] = []
        if stores:
            texts = list({m["content"]: None for x in self.rows for m in x["messages"][-2:]})
            texts = [t for t in texts if all(t in s for s in stores)]
            self.place = {t: i for i, t in enumerate(texts)}
            tables = [torch.from_numpy(s.at(texts)) for s in stores]
        self.tables = tables

    def example(self, i: int, form: str, rng: random.Random, rate: float, limit: int) -> Example:
        """Row i, encoded for a form."""
        row = self.rows[i]
        vectors = [self.place.get(m["content"], -1) for m in row["messages"][-2:]]
        make = gen_example if form == "gen" else stream_example
        return make(row, self.targets[i], vectors, self.r, changed(row, rng, rate), limit)


class Trainer:
    """One run of a number of minutes or steps."""

    def __init__(self, a: argparse.Namespace) -> None:
        self.a = a
        torch.manual_seed(a.seed)
        self.r = Renderer(load_tokenizer(a.work / "tokenizer.json"))
        self.corpus = Corpus(a.work, self.r)
        self.model = load_model(a.init)
        self.model.model.drop = a.drop
        if a.compile:
            self.model.model.compile_layers()
        self.vectors = VectorTargets(self.model.cfg.hidden_size, self.corpus.tables) if self.corpus.tables else None
        self.opts = optimisers(self.model, self.vectors, a.lr, a.matrix_lr)
        self.ema = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        self.step, self.spent = 0, 0.0
        self.part = a.out.with_suffix(".part")
        if self.part.exists():
            s = torch.load(self.part, weights_only=True)
            self.model.load_state_dict(s["model"])
            for opt, state in zip(self.opts, s["opts"], strict=True):
                opt.load_state_dict(state)
            if self.vectors is not None:
                self.vectors.load_state_dict(s["vectors"])
            self.ema, self.step, self.spent = s["ema"], s["step"], s["spent"]
            print(f"resumed at step {self.step}")

    def save(self, path: Path, full: bool) -> None:
        """Write a checkpoint; `full` keeps what resuming needs."""
        s = {"config": self.model.cfg.to_dict(), "ema": self.ema}
        if full:
            s.update(model=self.model.state_dict(), opts=[o.state_dict() for o in self.opts], step=self.step,
                     spent=self.spent, vectors=self.vectors.state_dict() if self.vectors is not None else {})
        tmp = path.with_suffix(".tmp")
        torch.save(s, tmp)
        tmp.replace(path)

    def todo(self, chunk: int) -> list[tuple[str, list[Example]]]:
        """The batches of one chunk of rows (a share of an epoch): a function of seed and chunk alone."""
        a, rng = self.a, random.Random(self.a.seed * 1000 + chunk)
        out: list[tuple[str, list[Example]]] = []
        for form in a.forms:
            weights = [x["weight"] * (a.gen_splice if form == "gen" and x["source"] == "splice" else 1.0)
                       for x in self.corpus.rows]
            picked = sample_rows(weights, rng)
            rng.shuffle(picked)
            rows = picked[: a.chunk // (2 if form == "gen" and len(a.forms) > 1 else 1)]
            ex = [self.corpus.example(i, form, rng, a.augment, a.limit) for i in rows]
            out += [(form, b) for b in batches(ex, a.tokens, rng, by_role=form == "gen")]
        rng.shuffle(out)
        return out

    def update(self, form: str, batch: list[Example], rate: float) -> dict:
        """One optimiser step."""
        for opt in self.opts:
            for g in opt.param_groups:
                g["lr"] = g["peak"] * rate
        if self.vectors is not None:
            self.vectors.settling = self.step < self.a.settle
        with torch.autocast("cpu", torch.bfloat16):
            step = gen_step if form == "gen" else stream_step
            loss, parts = step(self.model, batch, self.r, self.vectors, self.a.vector_share)
        for opt in self.opts:
            opt.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for o in self.opts for g in o.param_groups for p in g["params"]], 1.0)
        for opt in self.opts:
            opt.step()
        d = min(AVERAGE, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.ema.values()), list(self.model.state_dict().values()), 1 - d)
        self.step += 1
        return parts

    def run(self) -> None:
        """Train until the steps are done (or the minutes, at least one step), then write the averaged weights."""
        a = self.a
        print(f"{'+'.join(a.forms)}: seed {a.seed}, {sum(p.numel() for p in self.model.parameters())} parameters, "
              f"{len(self.corpus.rows)} rows", flush=True)
        chunk, first = 0, 0
        batch_list = self.todo(0)
        while first + len(batch_list) <= self.step:  # where a broken run was
            chunk, first = chunk + 1, first + len(batch_list)
            batch_list = self.todo(chunk)
        mean: dict[str, float] = {}
        last, shown = time.time(), 0
        while True:
            for form, batch in batch_list[self.step - first:]:
                done = self.step / a.steps if a.steps else self.spent / (60 * a.minutes)
                if done >= 1:
                    self.save(a.out, False)
                    print(f"{a.out}: {self.step} steps, {self.spent / 60:.1f} minutes", flush=True)
                    return
                for k, v in self.update(form, batch, learning_rate(done, a.warmup)).items():
                    mean[k] = 0.98 * mean.get(k, v) + 0.02 * v
                now = time.time()
                self.spent, last = self.spent + now - last, now
                if self.step // 50 > shown:
                    shown = self.step // 50
                    print(f"step {self.step}, {self.spent / 60:.1f} min, chunk {chunk}: "
                          + ", ".join(f"{k} {v:.3f}" for k, v in mean.items()), flush=True)
                if self.step % SAVE_EVERY == 0:
                    self.save(self.part, True)
            chunk, first = chunk + 1, first + len(batch_list)
            batch_list = self.todo(chunk)


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--work", type=Path, required=True)
    p.add_argument("--forms", type=lambda s: s.split(","), required=True, help="stream, gen, or stream,gen")
    p.add_argument("--init", type=Path, required=True, help="checkpoint to start from")
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("--steps", type=int, default=0, help="optimiser steps; reproducible to the bit on one machine")
    p.add_argument("--minutes", type=float, default=90, help="without --steps: train so long")
    p.add_argument("--chunk", type=int, default=40000, help="rows that are encoded at a time")
    p.add_argument("--tokens", type=int, default=6144, help="tokens in a batch, padding included")
    p.add_argument("--limit", type=int, default=160, help="tokens of a conversation")
    p.add_argument("--lr", type=float, default=2e-3, help="peak rate of AdamW")
    p.add_argument("--matrix-lr", type=float, default=0.02, help="peak rate of Muon")
    p.add_argument("--warmup", type=float, default=0.01, help="share of the run")
    p.add_argument("--vector-share", type=float, default=2.0, help="weight of the teachers' sentence vectors")
    p.add_argument("--settle", type=int, default=0, help="first steps in which the vectors teach only the maps to them")
    p.add_argument("--gen-splice", type=float, default=0.25, help="how often spliced streams come in the Gen form")
    p.add_argument("--augment", type=float, default=0.2, help="share of texts that are disturbed")
    p.add_argument("--drop", type=float, default=0.0, help="share of tokens that are blanked")
    p.add_argument("--compile", action="store_true", help="compile the layers: faster, not the same to the bit")
    p.add_argument("--seed", type=int, default=7)
    a = p.parse_args()
    Trainer(a).run()


if __name__ == "__main__":
    main()
