#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds the library three times, by Q3G_PARALLEL, and writes what thread_team_bench says of each as Markdown, in a table
of ratios to `team`: median of rounds that take turns, so that a machine that grows warm or busy is so for all three.

    benchmarks/parallel.py [--gen MODEL] [--stream MODEL] [--threads N] [--rounds 5] > parallel.md
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODES = ("team", "openmp", "none")


def build(mode: str) -> Path:
    folder = ROOT / "build" / f"parallel_{mode}"
    for command in (["cmake", "--preset", "benchmarks", "-B", folder, f"-DQ3G_PARALLEL={mode}", "-DQ3G_BUILD_CLI=OFF",
                     "-DQ3G_BUILD_CAPI=OFF", "-DQ3G_INSTALL=OFF"],
                    ["cmake", "--build", folder, "--target", "thread_team_bench", "--parallel"]):
        subprocess.run(command, check=True, cwd=ROOT, stdout=sys.stderr)
    return folder / "benchmarks" / "thread_team_bench"


def measure(program: Path, env: dict[str, str]) -> dict[str, float]:
    """Microseconds of loops; milliseconds of calls, and of the CPU after one."""
    out = subprocess.run([program, "--benchmark_format=json"], check=True, capture_output=True, text=True, env=env).stdout
    found = {}
    for run in json.loads(out)["benchmarks"]:
        name = run["name"].replace("/real_time", "").replace("/iterations:10", "")
        found[name] = run["cpu_ms"] if name == "idle" else run["real_time"]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gen", default="")
    parser.add_argument("--stream", default="")
    parser.add_argument("--threads", default="")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    env = {**os.environ, "Q3G_BENCH_GEN": args.gen, "Q3G_BENCH_STREAM": args.stream}
    if args.threads:
        env["OMP_NUM_THREADS"] = args.threads
    programs = {mode: build(mode) for mode in MODES}
    rounds: dict[str, list[dict[str, float]]] = {mode: [] for mode in MODES}
    for _ in range(args.rounds):
        for mode, program in programs.items():
            rounds[mode].append(measure(program, env))

    def median(mode: str, name: str) -> float:
        return statistics.median(found[name] for found in rounds[mode])

    print("| call | team | openmp | none | openmp / team | none / team |\n|---|---:|---:|---:|---:|---:|")
    for name, text in (("verdict", "a verdict, ms"), ("token", "a token of a stream, ms"),
                       ("verdict/busy_host", "a verdict on a busy host, ms"),
                       ("token/busy_host", "a token on a busy host, ms"),
                       ("idle", "CPU time in the 100 ms after a verdict, ms")):
        team, openmp, none = (median(mode, name) for mode in MODES)
        ratios = f"{openmp / team:.2f} | {none / team:.2f}" if name != "idle" else " | "
        print(f"| {text} | {team:.3g} | {openmp:.3g} | {none:.3g} | {ratios} |")
    print("\n| loop of two items | team | openmp | none | openmp / team | none / team |\n|---|---:|---:|---:|---:|---:|")
    # All three in one program: the build with OpenMP has them.
    for name in (name for name in rounds["openmp"][0] if name.startswith("loops/team/")):
        team, openmp, none = (median("openmp", name.replace("/team/", f"/{mode}/")) for mode in MODES)
        text = name.removeprefix("loops/team/").replace("/", ", ").replace("item_us:", "items of ").replace("gap_us:", "gap ")
        print(f"| {text} us | {team:.3g} | {openmp:.3g} | {none:.3g} | {openmp / team:.2f} | {none / team:.2f} |")


main()
