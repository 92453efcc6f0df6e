"""Train the backbone of the nano models in the stream form (heads), the Gen form (verdict text) or both in turn.

    train.py --work .work/full --forms stream --init .work/full/start.pt --out .work/full/words.pt
    train.py --work .work/full --forms stream,gen --init .work/full/words.pt --out .work/full/both.pt

Resumable: OUT.part holds what going on needs. The order of rows and all chance are functions of the seed.
--device cuda trains on an accelerator; nothing needs one.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from dataset import Batch, Example, Target, batches, changed, gen_example, sample_rows, stream_example, target_of
from losses import VectorTargets, gen_step, stream_step
from nano_model import NanoConfig, NanoGuard
from optimiser import optimisers
from render import Renderer, load_tokenizer
from teachers.vectors import ENCODERS, Vectors

SHOW_EVERY = 50
AVERAGE = 0.998


def learning_rate(done: float, warmup: float, steady: bool = False) -> float:
    """Share of the peak after a part of the run (0 to 1): linear warm-up, constant, linear down over the last 40 % unless `steady`."""
    if done < warmup:
        return max(done, 1e-3) / warmup
    return 1.0 if steady or done < 0.6 else 0.02 + 0.98 * (1 - done) / 0.4


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

    def __init__(self, work: Path, r: Renderer, labels_only: bool = False) -> None:
        self.rows = read_jsonl(work / "train.jsonl")
        self.r = r
        soft: dict[str, np.ndarray] = {}
        if (work / "soft.npz").exists() and not labels_only:
            with np.load(work / "soft.npz") as z:
                soft = {i: s for i, s in zip(z["ids"].tolist(), z["soft"]) if not np.isnan(s[0])}
        self.rows = [x for x in self.rows if x["label"] is not None or x["id"] in soft]
        self.targets: list[Target] = [target_of(x, soft.get(x["id"])) for x in self.rows]
        stores = [Vectors(work / "vectors", name) for name in ENCODERS] if (work / "vectors").exists() and not labels_only else []
        self.place: dict[str, int] = {}
        tables: list[torch.Tensor] = []
        if stores:
            texts = list({m["content"]: None for x in self.rows for m in x["messages"][-2:]})
            texts = [t for t in texts if all(t in s for s in stores)]
            self.place = {t: i for i, t in enumerate(texts)}
            tables = [torch.from_numpy(s.at(texts)) for s in stores]
        self.tables = tables
        self.calm: dict[str, list[str]] = {}  # by language: what people wrote as everyday prompts
        for x in self.rows:
            if x["source"] == "hand" and x["label"] == "Safe" and len(x["messages"]) == 1:
                self.calm.setdefault(x["lang"], []).append(x["messages"][0]["content"])

    def joined(self, row: dict, rng: random.Random) -> dict:
        """The prompt with a safe everyday one before or behind it: the whole is as harmful as the prompt, in words not met before."""
        other, own = rng.choice(self.calm[row["lang"]]), row["messages"][0]["content"]
        texts = [other, own] if rng.random() < 0.5 else [own, other]
        return {**row, "messages": [{"role": "user", "content": rng.choice((" ", "\n", "\n\n")).join(texts)}]}

    def example(self, i: int, form: str, rng: random.Random, a: argparse.Namespace) -> Example:
        """Row i, encoded for a form."""
        row = self.rows[i]
        if a.join and len(row["messages"]) == 1 and row["lang"] in self.calm and rng.random() < a.join:
            row = self.joined(row, rng)
        vectors = [self.place.get(m["content"], -1) for m in row["messages"][-2:]]
        make = gen_example if form == "gen" else stream_example
        return make(row, self.targets[i], vectors, self.r, changed(row, rng, a.augment), a.limit)


class Feed:
    """Batches in the order of training. A chunk of rows (a share of an epoch) is a function of the seed and its number
    alone, so that other processes can encode chunks ahead, and a resumed run meets the same batches."""

    def __init__(self, a: argparse.Namespace, corpus: Corpus) -> None:
        self.a, self.corpus = a, corpus

    def chunk(self, number: int) -> list[Batch]:
        """The batches of one chunk."""
        a, rng = self.a, random.Random(self.a.seed * 1000 + number)
        out: list[Batch] = []
        for form in a.forms:
            share = {"hand": a.hand, "splice": a.splice * (a.gen_splice if form == "gen" else 1.0)}
            weights = [x["weight"] * share.get(x["source"], 1.0) for x in self.corpus.rows]
            picked = sample_rows(weights, rng)
            rng.shuffle(picked)
            ex = [self.corpus.example(i, form, rng, a) for i in picked[: a.chunk]]
            judged = [e for e in ex if e.risk or e.safe]  # of a long conversation, the answer may lie beyond the limit
            out += batches(judged, a.tokens, rng, form, self.corpus.r.end)
        rng.shuffle(out)
        return out

    def chunks(self) -> Iterator[list[Batch]]:
        """All chunks from the first, without end; with --workers, encoded ahead."""
        if not self.a.workers:
            number = 0
            while True:
                yield self.chunk(number)
                number += 1
        pool = ProcessPoolExecutor(self.a.workers, get_context("fork"), _adopt, (self,))
        ahead: deque[Future] = deque(pool.submit(_encode, n) for n in range(self.a.workers + 1))
        number = len(ahead)
        try:
            while True:
                ready = ahead.popleft().result()
                ahead.append(pool.submit(_encode, number))
                number += 1
                yield ready
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


_feed: Feed | None = None  # of a worker process


def _adopt(feed: Feed) -> None:
    global _feed
    _feed = feed
    torch.set_num_threads(1)


def _encode(number: int) -> list[Batch]:
    return _feed.chunk(number)


class Trainer:
    """One run of a number of minutes or steps."""

    def __init__(self, a: argparse.Namespace) -> None:
        self.a, self.device = a, torch.device(a.device)
        self.r = Renderer(load_tokenizer(a.work / "tokenizer.json"))
        self.corpus = Corpus(a.work, self.r, a.labels_only)
        self.chunks = Feed(a, self.corpus).chunks()
        self.first_chunk = next(self.chunks)  # the workers start before the accelerator is touched
        torch.manual_seed(a.seed)
        self.model = load_model(a.init).to(self.device)
        if a.compile:
            self.model.model.compile_layers()
        self.vectors = None
        if self.corpus.tables:
            self.vectors = VectorTargets(self.model.cfg.hidden_size, self.corpus.tables).to(self.device)
        self.opts = optimisers(self.model, self.vectors, a.lr, a.matrix_lr)
        self.ema = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        self.step, self.spent = 0, 0.0
        self.part = a.out.with_suffix(".part")
        if self.part.exists():
            s = torch.load(self.part, weights_only=True, map_location=self.device)
            self.model.load_state_dict(s["model"])
            for opt, state in zip(self.opts, s["opts"], strict=True):
                opt.load_state_dict(state)
            if self.vectors is not None:
                self.vectors.load_state_dict(s["vectors"])
            self.ema, self.step, self.spent = s["ema"], s["step"], s["spent"]
            print(f"resumed at step {self.step}")

    def save(self, path: Path, full: bool) -> None:
        """Write a checkpoint; `full` keeps what resuming needs."""
        s = {"config": self.model.cfg.to_dict(), "ema": self.ema if full else {k: v.cpu() for k, v in self.ema.items()}}
        if full:
            s.update(model=self.model.state_dict(), opts=[o.state_dict() for o in self.opts], step=self.step,
                     spent=self.spent, vectors=self.vectors.state_dict() if self.vectors is not None else {})
        tmp = path.with_suffix(".tmp")
        torch.save(s, tmp)
        tmp.replace(path)

    def update(self, batch: Batch, rate: float) -> dict[str, torch.Tensor]:
        """One optimiser step."""
        for opt in self.opts:
            for g in opt.param_groups:
                g["lr"] = g["peak"] * rate
        if self.vectors is not None:
            self.vectors.settling = self.step < self.a.settle
        with torch.autocast(self.device.type, torch.bfloat16):
            step = gen_step if batch.form == "gen" else stream_step
            loss, parts = step(self.model, batch.tensors(self.device), self.r, self.vectors, self.a.vector_share)
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
        chunk, first, batch_list = 0, 0, self.first_chunk
        while first + len(batch_list) <= self.step:  # where a broken run was
            chunk, first, batch_list = chunk + 1, first + len(batch_list), next(self.chunks)
        mean: dict[str, torch.Tensor] = {}
        last, warm, shown = time.time(), False, self.step // SHOW_EVERY
        while True:
            for batch in batch_list[self.step - first:]:
                done = self.step / a.steps if a.steps else self.spent / (60 * a.minutes)
                if done >= 1:
                    self.chunks.close()
                    self.save(a.out, False)
                    print(f"{a.out}: {self.step} steps, {self.spent / 60:.1f} minutes", flush=True)
                    return
                for k, v in self.update(batch, learning_rate(done, a.warmup, a.steady)).items():
                    mean[k] = mean[k].lerp(v, 0.02) if k in mean else v
                now = time.time()
                if not a.compile or warm:  # compiling is no training, and must not use the warm-up up
                    self.spent += now - last
                last, warm = now, True
                if self.step // SHOW_EVERY > shown:
                    shown = self.step // SHOW_EVERY
                    print(f"step {self.step}, {self.spent / 60:.1f} min, chunk {chunk}: "
                          + ", ".join(f"{k} {float(v):.3f}" for k, v in mean.items()), flush=True)
                if self.step % a.save_every == 0:
                    self.save(self.part, True)
            chunk, first, batch_list = chunk + 1, first + len(batch_list), next(self.chunks)


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
    p.add_argument("--limit", type=int, default=256, help="tokens of a conversation")
    p.add_argument("--lr", type=float, default=2e-3, help="peak rate of AdamW")
    p.add_argument("--matrix-lr", type=float, default=0.02, help="peak rate of Muon")
    p.add_argument("--warmup", type=float, default=0.01, help="share of the run")
    p.add_argument("--steady", action="store_true", help="keep the rate up to the end: the average of the weights stands in for a falling rate")
    p.add_argument("--vector-share", type=float, default=2.0, help="weight of the teachers' sentence vectors")
    p.add_argument("--settle", type=int, default=0, help="first steps in which the vectors teach only the maps to them")
    p.add_argument("--gen-splice", type=float, default=0.25, help="how often spliced streams come in the Gen form")
    p.add_argument("--splice", type=float, default=1.0, help="how often spliced streams come, beside their weight")
    p.add_argument("--hand", type=float, default=1.0, help="how often hand-written rows come, beside their weight")
    p.add_argument("--augment", type=float, default=0.35, help="share of texts that are disturbed")
    p.add_argument("--join", type=float, default=0.15, help="share of single prompts that get an everyday one beside them")
    p.add_argument("--labels-only", action="store_true", help="learn from labels alone, without the teachers (for comparison)")
    p.add_argument("--save-every", type=int, default=200, help="steps between checkpoints to resume from")
    p.add_argument("--device", default="cpu", help="cpu, or cuda for an accelerator")
    p.add_argument("--workers", type=int, default=0, help="processes that encode rows ahead")
    p.add_argument("--compile", action="store_true", help="compile the layers: faster, not the same to the bit")
    p.add_argument("--seed", type=int, default=7)
    a = p.parse_args()
    Trainer(a).run()


if __name__ == "__main__":
    main()
