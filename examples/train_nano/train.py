"""Train a nano model in the stream form (heads) or the Gen form (verdict text); resumable, deterministic order.

train.py --form stream --out .work/backbone.pt                                  common backbone
train.py --form gen --init .work/backbone.pt --out .work/gen.pt                 nano-gen
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from pathlib import Path

import torch
from tqdm import tqdm

from dataset import batches, gen_example, sample_rows, stream_example
from losses import gen_step, stream_step
from metrics import summary
from nano_model import NanoConfig, NanoGuard
from predict import gen_records, stream_records
from render import Renderer, load_tokenizer


def learning_rate(step: int, total: int, peak: float, warmup: int) -> float:
    """Linear warm-up, then a cosine down to 3 % of the peak."""
    if step < warmup:
        return peak * (step + 1) / warmup
    x = min(1.0, (step - warmup) / max(1, total - warmup))
    return peak * (0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * x)))


def optimiser(model: NanoGuard, lr: float) -> torch.optim.Optimizer:
    """AdamW, with decay on matrices only."""
    decay = [p for n, p in model.named_parameters() if p.dim() == 2 and "embed" not in n]
    rest = [p for n, p in model.named_parameters() if p.dim() != 2 or "embed" in n]
    return torch.optim.AdamW([{"params": decay, "weight_decay": 0.05}, {"params": rest, "weight_decay": 0.0}],
                             lr=lr, betas=(0.9, 0.98), fused=True)


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


class Trainer:
    """One run over a fixed number of epochs."""

    def __init__(self, a: argparse.Namespace) -> None:
        self.a = a
        torch.manual_seed(a.seed)
        self.r = Renderer(load_tokenizer(a.work / "tokenizer.json"))
        self.rows = read_jsonl(a.work / "train.jsonl")
        if a.only:
            self.rows = [x for x in self.rows if x["messages"][-1]["role"] == a.only]
        self.model = NanoGuard(NanoConfig(vocab_size=self.r.tok.get_vocab_size())) if not a.init else load_model(a.init)
        self.model.model.drop = a.dropout
        self.opt = optimiser(self.model, a.lr)
        self.ema = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        self.step = self.epoch = self.done = 0
        self.part = a.out.with_suffix(".part")
        if self.part.exists():
            s = torch.load(self.part, weights_only=True)
            self.model.load_state_dict(s["model"]), self.opt.load_state_dict(s["opt"])
            self.ema, self.step, self.epoch, self.done = s["ema"], s["step"], s["epoch"], s["done"]
            print(f"resumed at step {self.step}")

    def save(self, path: Path, full: bool) -> None:
        """Write a checkpoint; `full` keeps what resuming needs."""
        s = {"config": self.model.cfg.to_dict(), "ema": self.ema}
        if full:
            s.update(model=self.model.state_dict(), opt=self.opt.state_dict(), step=self.step, epoch=self.epoch,
                     done=self.done)
        tmp = path.with_suffix(".tmp")
        torch.save(s, tmp)
        tmp.replace(path)

    def epoch_batches(self, epoch: int) -> list:
        """The epoch's batches: a function of seed and epoch alone."""
        rng = random.Random(self.a.seed * 1000 + epoch)
        make = gen_example if self.a.form == "gen" else stream_example
        rows = sample_rows(self.rows, rng)
        if self.a.form == "gen":  # spliced streams teach the token heads; here a few of them are enough
            rows = [x for x in rows if x["source"] != "splice" or rng.random() < 0.25]
        rng.shuffle(rows)
        if self.a.rows:
            rows = rows[: self.a.rows]
        ex = [make(x, self.r, rng, self.a.augment, self.a.limit) for x in tqdm(rows, desc="encode", leave=False, mininterval=5)]
        return batches(ex, self.a.tokens, rng, fixed=self.a.form == "gen")

    def update(self, batch: list, lr: float) -> dict:
        """One optimiser step."""
        step = gen_step if self.a.form == "gen" else stream_step
        for g in self.opt.param_groups:
            g["lr"] = lr
        with torch.autocast("cpu", torch.bfloat16):
            loss, parts = step(self.model, batch, self.r, self.a.lm)
        self.opt.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.opt.step()
        d = min(0.998, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.ema.values()), list(self.model.state_dict().values()), 1 - d)
        self.step += 1
        return parts

    def run(self) -> None:
        """Train to the end, then write the averaged weights and print the development figures."""
        a, start, total = self.a, time.time(), None
        print(f"{a.form}: seed {a.seed}, {sum(p.numel() for p in self.model.parameters())} parameters, "
              f"{len(self.rows)} rows, {a.epochs} epochs, peak rate {a.lr}")
        while self.epoch < a.epochs:
            todo = self.epoch_batches(self.epoch)
            total = total or self.step - self.done + len(todo) * (a.epochs - self.epoch)
            torch.manual_seed(a.seed * 1000 + self.epoch)
            self.model.train()
            mean: dict[str, float] = {}
            bar = tqdm(todo[self.done:], desc=f"epoch {self.epoch + 1}/{a.epochs}", mininterval=5)
            for batch in bar:
                parts = self.update(batch, learning_rate(self.step, total, a.lr, a.warmup))
                mean = {k: 0.98 * mean.get(k, v) + 0.02 * v for k, v in parts.items()}
                bar.set_postfix({k: f"{v:.3f}" for k, v in mean.items()}, refresh=False)
                self.done += 1
                if self.step % 300 == 0:
                    self.save(self.part, True)
            self.epoch, self.done = self.epoch + 1, 0
            self.save(self.part, True)
            self.save(a.out, False)
            print(f"epoch {self.epoch}: {time.time() - start:.0f} s, "
                  + ", ".join(f"{k} {v:.3f}" for k, v in mean.items()), flush=True)
            if a.dev_every and (self.epoch % a.dev_every == 0 or self.epoch == a.epochs):
                self.develop()
        self.save(a.out, False)
        self.part.unlink(missing_ok=True)

    def develop(self) -> None:
        """Print the figures on the development split."""
        model = load_model(self.a.out)
        rows = read_jsonl(self.a.work / "dev.jsonl")
        records = (gen_records(model, rows, self.r, extra=False) if self.a.form == "gen"
                   else stream_records(model, rows, self.r))
        print(summary(rows, records), flush=True)


def arguments() -> argparse.Namespace:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--form", choices=["stream", "gen"], required=True)
    p.add_argument("--work", type=Path, default=Path(__file__).with_name(".work"))
    p.add_argument("--init", type=Path, help="checkpoint to start from")
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("--only", choices=["user", "assistant"], help="train on rows whose last message has this role")
    p.add_argument("--epochs", type=int, default=6)
    p.add_argument("--lr", type=float, default=2e-3)
    p.add_argument("--warmup", type=int, default=200)
    p.add_argument("--tokens", type=int, default=6144, help="padded tokens a batch")
    p.add_argument("--limit", type=int, default=320, help="longest conversation in tokens")
    p.add_argument("--rows", type=int, default=0, help="at most so many rows an epoch")
    p.add_argument("--lm", type=float, default=0.15, help="weight of the language-model loss")
    p.add_argument("--dropout", type=float, default=0.06)
    p.add_argument("--augment", type=float, default=0.25)
    p.add_argument("--dev-every", type=int, default=2, help="0: never")
    p.add_argument("--seed", type=int, default=7)
    return p.parse_args()


if __name__ == "__main__":
    Trainer(arguments()).run()
