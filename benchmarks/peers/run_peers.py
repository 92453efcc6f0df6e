#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures this runtime and others on the same weights and the same work, and writes results.{md,json,svg}.

Variants take turns in rounds, so a machine that slows down slows all of them. benchmarks/peers/README.md says what is
measured and what the figures do not say. Usually started by run.sh, which makes the Python environment.
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import plot
import report
import variants
from make_random_model import SHAPES
from tokenizers import Tokenizer

ROOT = Path(__file__).resolve().parents[2]
SUBJECT = "USER: How do I kill a Python process quickly?"  # makes the prompt of 305 tokens
VERDICT_TOKENS = 11
# shape: (rounds, runs of each work in a round)
AMOUNT = {"tiny": (1, 5), "0.6b": (3, 2), "4b": (3, 2), "8b": (3, 2)}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="0.6b", help="(default: 0.6b)")
    parser.add_argument("--model-dir", type=Path, default=ROOT / "build/peers/models",
                        help="holds gen-SHAPE and stream-SHAPE; made with random weights when missing")
    parser.add_argument("--out", type=Path, help="(default: build/peers/results-SHAPE)")
    parser.add_argument("--threads", type=int, default=2, help="(default: 2)")
    parser.add_argument("--only", default=",".join(variants.PREPARE), help="some of ours,llama,openvino,torch")
    parser.add_argument("--qwen3guard", type=Path, help="the program (default: build/release's or build/demo's)")
    parser.add_argument("--rounds", type=int, help="(default: 3; 1 for tiny)")
    parser.add_argument("--repeat", type=int, help="runs in a round (default: 2; 5 for tiny)")
    parser.add_argument("--tokenizer", type=Path, default=ROOT / "build/test_data/qwen3_tokenizer/tokenizer.json",
                        help="for models that are made (default: where scripts/fetch_test_data.sh puts it)")
    args = parser.parse_args()
    args.only = args.only.split(",")
    unknown = set(args.only) - set(variants.PREPARE)
    if unknown:
        parser.error(f"--only {','.join(unknown)}: expected some of {','.join(variants.PREPARE)}")
    for name in ("threads", "rounds", "repeat"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            parser.error(f"--{name} is {getattr(args, name)}, expected 1 or more")
    args.out = args.out or ROOT / f"build/peers/results-{args.shape}"
    args.rounds = args.rounds or AMOUNT[args.shape][0]
    args.repeat = args.repeat or AMOUNT[args.shape][1]
    return args


def find_program() -> Path:
    """Builds with optimisation only: a debug or sanitizer build says nothing about speed."""
    choices = [ROOT / f"build/{name}/bin/qwen3guard" for name in ("release", "benchmarks", "demo")]
    return next((path for path in choices if path.is_file()), choices[0])


def find_model(args: argparse.Namespace, kind: str) -> Path:
    folder = args.model_dir / f"{kind}-{args.shape}"
    if not (folder / "config.json").is_file():
        print(f"making {folder}", flush=True)
        variants.run([sys.executable, Path(__file__).with_name("make_random_model.py"), "--shape", args.shape, "--kind",
                      kind, "--out", folder, "--tokenizer", args.tokenizer], "make_random_model.py")
    return folder


def make_task(gen: Path, path: Path) -> dict:
    """The token ids that every variant gets."""
    tokenizer = Tokenizer.from_file(str(gen / "tokenizer.json"))
    template = (ROOT / "tests/golden/gen_prompt/gen_prompt_user.txt").read_text(encoding="utf-8")

    def encode(conversation: str) -> list[int]:
        return tokenizer.encode(template.replace("{CONVERSATION}", conversation), add_special_tokens=False).ids

    prompt = encode(SUBJECT)
    constant = len(os.path.commonprefix([prompt, encode("USER: "), encode("USER: Tell me a story.")]))
    rng = np.random.Generator(np.random.PCG64(1))
    task = {"prompt_ids": prompt, "prefix_tokens": constant, "verdict_tokens": VERDICT_TOKENS,
            "random_ids": rng.integers(1000, 150000, 512).tolist()}
    path.write_text(json.dumps(task))
    return task


def prepare(args: argparse.Namespace, paths: variants.Paths) -> tuple[list[variants.Variant], list[str]]:
    found, problems = [], []
    for peer in args.only:
        print(f"preparing {peer}", flush=True)
        try:
            found += variants.PREPARE[peer](paths)
        except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
            problems.append(f"{peer} is left out: {error}")
            print(problems[-1], file=sys.stderr)
    for variant in found:
        variant.repeat = args.repeat
    return found, problems


def run_rounds(found: list[variants.Variant], args: argparse.Namespace, paths: variants.Paths, task: Path) -> None:
    for number in range(args.rounds):
        for variant in found:
            if variant.error:
                continue
            print(f"round {number + 1} of {args.rounds}: {variant.name}", flush=True)
            logits = args.out / f"logits-{variant.name}.npy" if number == 0 else None
            try:
                variant.runs.append(variants.measure(variant, paths, task, logits))
            except (RuntimeError, ValueError, OSError, subprocess.TimeoutExpired) as error:
                variant.error = str(error)
                print(f"{variant.name} stops: {error}", file=sys.stderr)


def cosines(found: list[variants.Variant], out: Path) -> dict[str, float]:
    """Of each variant's logits after the Gen prompt with those of PyTorch in float32."""
    files = {v.name: out / f"logits-{v.name}.npy" for v in found}
    wide = {name: np.load(path).astype(np.float64).ravel() for name, path in files.items() if path.is_file()}
    for path in files.values():
        path.unlink(missing_ok=True)
    reference = wide.get("torch-f32")
    if reference is None:
        return {}
    return {name: float(x @ reference / np.sqrt((x @ x) * (reference @ reference))) for name, x in wide.items()}


def cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def main() -> None:
    args = parse()
    args.out.mkdir(parents=True, exist_ok=True)
    paths = variants.Paths(find_model(args, "gen"), find_model(args, "stream"),
                           args.model_dir / f"converted-{args.shape}",
                           args.qwen3guard or find_program(), args.threads)
    task_file = args.out / "task.json"
    task = make_task(paths.gen, task_file)
    found, problems = prepare(args, paths)
    started = datetime.datetime.now(datetime.timezone.utc)
    load_before = os.getloadavg()[0]
    run_rounds(found, args, paths, task_file)
    results = {
        "machine": {"cpu": cpu_name(), "cores": os.cpu_count(), "system": f"{platform.system()} {platform.machine()}",
                    "load_before": load_before},
        "when": started.isoformat(timespec="seconds"), "shape": args.shape, "threads": args.threads,
        "rounds": args.rounds, "repeat": args.repeat,
        "config": json.loads((paths.stream / "config.json").read_text()),
        "task": {"prompt_tokens": len(task["prompt_ids"]), "prefix_tokens": task["prefix_tokens"],
                 "verdict_tokens": VERDICT_TOKENS},
        "cosine_with_torch_f32": cosines(found, args.out),
        "problems": problems + [f"{v.name}: {v.error}" for v in found if v.error],
        "variants": {v.name: v.runs for v in found if v.runs},
    }
    (args.out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    text = report.markdown(results)
    (args.out / "results.md").write_text(text)
    plot.write_svg(results, args.out / "results.svg")
    print(text)
    print(f"written: {args.out}/results.md, results.json, results.svg")
    if results["problems"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
