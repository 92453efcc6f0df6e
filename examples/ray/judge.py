#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Judges JSON lines or Parquet on all cores of a machine or of a Ray cluster.

    judge.py --model Qwen3Guard-Gen-0.6B --data conversations.jsonl more.parquet --out verdicts
    judge.py ... --address auto        # on the cluster that this machine is part of

The same command goes on with a run that was stopped. README.md beside this file has the rest.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time

import qwen3guard
from guard_ray import ray_run
from guard_ray.attempts import stop_attempts
from guard_ray.judge_rows import GuardOptions
from guard_ray.output_folder import OutputFolder
from guard_ray.problems import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_JUDGED, EXIT_NOT_ALL_JUDGED, RunError, shown
from guard_ray.run_end import Summary, end_run
from guard_ray.run_plan import Asked, RunPlan, open_run

_PROGRESS_S = 5.0


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Exits with 2 for what is no command."""
    parser = argparse.ArgumentParser(description="judges JSON lines or Parquet on a Ray cluster; the same command goes on with a run "
                                     "that was stopped", epilog="exit code: 0 all rows were judged, 3 the output is complete and some "
                                     "were not, 2 the run could not begin or is not finished, 130 Ctrl-C")
    parser.add_argument("--model", required=True, help="a checkpoint folder, a packed file or a model of the library (nano-gen)")
    parser.add_argument("--data", required=True, nargs="+", metavar="FILE", help="JSON lines or Parquet")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="a new folder, or that of the run to go on with; all nodes "
                        "must see it, and the data and the model, under this path")
    parser.add_argument("--policy", help="a policy's file, or a preset's name (default: the library's default policy)")
    parser.add_argument("--thinking", default="none", choices=["none", "judge", "skip"], help="what becomes of responses' thinking")
    parser.add_argument("--long-text", choices=["error", "windows"], help="messages that do not fit (default: as the policy says)")
    parser.add_argument("--type", default="int8", choices=["int8", "int4", "bf16", "fp16"], dest="weights",
                        help="how a model that is not packed is packed (default: int8)")
    parser.add_argument("--isa", default="", help="one instruction set for all nodes, so that all give the same bits")
    parser.add_argument("--max-context", type=_positive, default=0, metavar="TOKENS", help="(default: the model's own)")
    parser.add_argument("--workers", type=_positive, metavar="N", help="each takes a core (default: all cores)")
    parser.add_argument("--address", help="of a Ray cluster, or auto; without it, Ray is started on this machine")
    parser.add_argument("--shard-rows", type=_positive, default=5000, metavar="N", help="rows of an output file (default: 5000)")
    parser.add_argument("--batch-rows", type=_positive, default=16, metavar="N", help="rows judged together (default: 16)")
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def read_policy(name: str | None) -> str:
    """A preset, a file, or the default policy, as the library writes it. Raises RunError."""
    if name is None:
        return qwen3guard.Policy().to_json()
    try:
        policy = qwen3guard.Policy.preset(name) if name in qwen3guard.Policy.presets() else qwen3guard.Policy.load(name)
        return policy.to_json()
    except qwen3guard.Qwen3GuardError as error:
        raise RunError(f"--policy {shown(name)}: {error}") from None


def run(options: argparse.Namespace) -> int:
    """The whole run. Raises RunError."""
    out = OutputFolder(options.out)
    guard = GuardOptions(read_policy(options.policy), options.thinking, options.long_text, options.isa, options.max_context)
    asked = Asked(options.data, options.model, options.weights, guard, options.shard_rows, options.batch_rows)
    out.make()
    with out.lock():
        plan = open_run(asked, out)
        waiting = [shard for shard in plan.shards if out.done(shard) is None]
        started = time.monotonic()
        if waiting:
            with contextlib.redirect_stdout(sys.stderr):  # Ray talks; standard output is the summary's alone
                judge(options, plan, out)
        summary = end_run(out, plan.shards)
    report(summary, sum(shard.n_rows for shard in waiting), time.monotonic() - started)
    return EXIT_NOT_ALL_JUDGED if summary.n_not_judged else EXIT_JUDGED


def judge(options: argparse.Namespace, plan: RunPlan, out: OutputFolder) -> None:
    """All shards that are not finished. Raises RunError."""
    waiting = [shard for shard in plan.shards if out.done(shard) is None]
    n_before, given_up, shown_at = len(plan.shards) - len(waiting), [], time.monotonic()
    try:
        n_workers = ray_run.connect(options.address, options.workers)
        print(f"{len(waiting)} shards on {n_workers} workers; {n_before} are finished already", file=sys.stderr, flush=True)
        for i, problem in enumerate(ray_run.judge_all(plan, waiting, out, n_workers), 1):
            given_up += [problem] if problem else []
            if time.monotonic() > shown_at + _PROGRESS_S:
                shown_at = time.monotonic()
                print(f"{n_before + i} of {len(plan.shards)} shards", file=sys.stderr, flush=True)
    finally:
        ray_run.disconnect()
        stop_attempts(out.attempts)
    if given_up:
        raise RunError(f"{len(given_up)} shards were given up, the first one because {given_up[0]}; the others are finished")


def report(summary: Summary, n_rows: int, seconds: float) -> None:
    """One line of JSON on standard output, and one for people when rows were not judged."""
    print(json.dumps({"rows": summary.rows, "severities": summary.severities, "not_judged": summary.errors,
                      "set_aside": summary.set_aside, "worker_deaths": summary.worker_deaths, "judged_now": n_rows,
                      "seconds": round(seconds, 3)}))
    if summary.n_not_judged:
        print(f"judge.py: {summary.n_not_judged} of {summary.rows} rows were not judged; the errors are in the output", file=sys.stderr)


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns its exit code."""
    try:
        return run(parse_arguments(arguments))
    except (RunError, OSError) as error:
        print(f"judge.py: error: {error}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        print("judge.py: interrupted; the same command goes on", file=sys.stderr)
        return EXIT_INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
