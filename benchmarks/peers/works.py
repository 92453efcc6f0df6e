# SPDX-License-Identifier: Apache-2.0
"""What is measured, in terms of two operations that every peer has, so that all do the same work.

A peer is a process of its own: it loads the model, does every work once to warm up, then each work some times, and
prints one JSON object. Peak memory is therefore the peer's alone.
"""

import argparse
import json
import resource
import sys
import time
from pathlib import Path
from typing import Protocol

import numpy as np

HISTORY = 300  # tokens before the one that "decode" measures


class Runtime(Protocol):
    def forget(self, keep: int) -> None:
        """Cuts the cache to its first `keep` tokens. Never timed, except at the start of a whole verdict."""

    def feed(self, ids: list[int], want_logits: bool) -> int:
        """Appends tokens. Returns the best next token when logits are wanted, else 0.

        Without logits the vocabulary is not multiplied, if the runtime can do without: that is how a Stream
        model, which has small heads instead, would run.
        """

    def logits(self) -> np.ndarray:
        """Of the last token fed with want_logits: [vocabulary], float32."""


class Works:
    def __init__(self, runtime: Runtime, task: dict, headless: bool):
        self.runtime, self.task = runtime, task
        self.works = {
            "prefill_128": lambda: self._prefill(128),
            "prefill_512": lambda: self._prefill(512),
            "decode": lambda: self._decode(True),
            "verdict_whole": self._verdict_whole,
            "verdict_prefix": lambda: self._verdict_prefix(1),
            "verdict_prefix_all": lambda: self._verdict_prefix(task["verdict_tokens"]),
        }
        if headless:
            self.works["decode_headless"] = lambda: self._decode(False)

    def _prefill(self, n: int) -> float:
        self.runtime.forget(0)
        start = time.perf_counter()
        self.runtime.feed(self.task["random_ids"][:n], True)
        return time.perf_counter() - start

    def _decode(self, want_logits: bool) -> float:
        """The mean of 8 tokens, HISTORY - 4 to HISTORY + 3 of them in the cache."""
        self.runtime.forget(0)
        self.runtime.feed(self.task["random_ids"][:HISTORY - 4], True)
        ids = self.task["random_ids"][HISTORY - 4:HISTORY + 4]
        start = time.perf_counter()
        for token in ids:
            self.runtime.feed([token], want_logits)
        return (time.perf_counter() - start) / len(ids)

    def _generate(self, ids: list[int], n_tokens: int) -> None:
        token = self.runtime.feed(ids, True)
        for _ in range(n_tokens - 1):
            token = self.runtime.feed([token], True)

    def _verdict_whole(self) -> float:
        start = time.perf_counter()
        self.runtime.forget(0)
        self._generate(self.task["prompt_ids"], self.task["verdict_tokens"])
        return time.perf_counter() - start

    def _verdict_prefix(self, n_tokens: int) -> float:
        n = self.task["prefix_tokens"]
        self.runtime.forget(0)
        self.runtime.feed(self.task["prompt_ids"][:n], True)
        start = time.perf_counter()
        self._generate(self.task["prompt_ids"][n:], n_tokens)
        return time.perf_counter() - start

    def measure(self, repeat: int) -> dict[str, list[float]]:
        """Milliseconds of each run; the works take turns."""
        found = {name: [] for name in self.works}
        for turn in range(repeat + 1):
            for name, work in self.works.items():
                seconds = work()
                if turn > 0:  # the first turn warms up
                    found[name].append(1000 * seconds)
        return found


def main(load, *, headless: bool) -> None:
    """A peer's main. load(model: Path, precision: str, threads: int) returns its Runtime and a dict of facts."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--precision", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--task", type=Path, required=True, help="JSON with token ids, made by run_peers.py")
    parser.add_argument("--repeat", type=int, required=True)
    parser.add_argument("--logits", type=Path, help="where to store the logits after the Gen prompt, as .npy")
    args = parser.parse_args()
    task = json.loads(args.task.read_text())
    start = time.perf_counter()
    runtime, facts = load(args.model, args.precision, args.threads)
    load_ms = 1000 * (time.perf_counter() - start)
    if args.logits:
        runtime.forget(0)
        runtime.feed(task["prompt_ids"], True)
        np.save(args.logits, runtime.logits())
    found = Works(runtime, task, headless).measure(args.repeat)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    json.dump({"ms": found, "load_ms": load_ms, "peak_rss_mb": peak, "facts": facts}, sys.stdout)
    print()
