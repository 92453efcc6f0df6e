# SPDX-License-Identifier: Apache-2.0
"""The command line."""

from __future__ import annotations

import argparse
from pathlib import Path

from .errors import UsageError
from .folder import OPTION

STEPS = ["reference", "logits", "verdicts", "packed", "speed", "evaluation"]
QUICK_ROWS = 20
ROWS = 200


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Throws UsageError; --help and ill-formed options end the process as argparse does (0, 2)."""
    parser = argparse.ArgumentParser(
        prog="check.py",
        description="Checks qwen3guard against transformers on published weights; README.md says "
        "what is compared. Exit code 0: all that was asked for passed; 1: something failed; 2: nothing "
        "could run; 3: nothing failed, but a step could not run.",
    )
    add = parser.add_argument
    add("--checkpoint", type=Path, help="folder of a Qwen3Guard-Gen checkpoint")
    add("--stream-checkpoint", type=Path, help="folder of a Qwen3Guard-Stream checkpoint")
    add("--data", type=Path, help="folder of benchmarks, *.jsonl")
    add(
        "--out", type=Path, required=True, help="folder for report.md, check.json and what steps leave; may hold an interrupted run"
    )
    add("--program", help="qwen3guard (default: on the PATH, or in this checkout's build folders)")
    add("--threads", type=int, default=0, help="for both sides; 0: all cores")
    add("--quick", action="store_true", help=f"a few minutes: fewer conversations, coarse speeds, {QUICK_ROWS} rows a benchmark")
    add("--again", nargs="*", metavar="STEP", choices=STEPS, help=f"repeat finished steps, or only these: {', '.join(STEPS)}")
    add("--eval-weights", choices=["int8", "int4", "float"], default="int8", help="what judges whole benchmarks (default: int8)")
    add(
        "--sample",
        type=int,
        help=f"rows of a benchmark that float, int8 and int4 judge (default: {ROWS}; with --quick {QUICK_ROWS})",
    )
    add("--trust-remote-code", action="store_true", help="Stream: run the checkpoint's own Python code as the reference")
    add("--ignore-memory", action="store_true", help="start transformers even where its memory seems not to suffice")
    options = parser.parse_args(argv)
    if options.checkpoint is None and options.stream_checkpoint is None:
        raise UsageError("no checkpoint given: expected --checkpoint (Gen), --stream-checkpoint (Stream), or both")
    if options.threads < 0:
        raise UsageError(f"--threads is {options.threads}, expected 0 or more")
    if options.sample is None:
        options.sample = QUICK_ROWS if options.quick else ROWS
    if options.sample < 1:
        raise UsageError(f"--sample is {options.sample}, expected 1 or more")
    options.folders = {
        kind: folder for kind, folder in (("gen", options.checkpoint), ("stream", options.stream_checkpoint)) if folder
    }
    assert set(options.folders) <= set(OPTION)
    return options


def repeats(options: argparse.Namespace, step: str) -> bool:
    return options.again is not None and (not options.again or step in options.again)
