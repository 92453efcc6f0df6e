# SPDX-License-Identifier: Apache-2.0
"""`qwen3guard eval` on the benchmark data at hand, and float against int8 and int4 on a sample of it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from . import published
from .errors import NotCompared, UsageError
from .results import StepResult

SAMPLE_TYPES = ["float", "int8", "int4"]


def find_data(folder: Path | None) -> list[Path]:
    """The JSONL files of --data."""
    if folder is None:
        return []
    if not folder.is_dir():
        raise UsageError(f"--data {folder}: no such folder")
    files = sorted(folder.glob("*.jsonl"))
    if not files:
        raise UsageError(
            f"--data {folder}: no *.jsonl files there; expected one for each benchmark (docs/evaluation.md has the form of a row)"
        )
    return files


def sample(path: Path, out: Path, n: int) -> Path:
    """Up to n rows of a file, in its order, under the same name: those whose bytes have the smallest digests, so that each run and
    each machine takes the same."""
    lines = [line for line in path.read_bytes().splitlines() if line.strip()]
    chosen = sorted(range(len(lines)), key=lambda i: (hashlib.sha256(lines[i]).digest(), i))[:n]
    out.mkdir(parents=True, exist_ok=True)
    written = out / path.name
    written.write_bytes(b"".join(lines[i] + b"\n" for i in sorted(chosen)))
    return written


def run_eval(program, model: Path, files: list[Path], out: Path, inputs: dict) -> dict:
    """metrics.json of a run, resumed where an interrupted one with the same inputs stopped."""
    stamp = out / "official_inputs.json"
    if not stamp.exists() or json.loads(stamp.read_text("ascii")) != inputs:
        for name in ("run.json", "predictions.jsonl"):
            (out / name).unlink(missing_ok=True)
        out.mkdir(parents=True, exist_ok=True)
        stamp.write_text(json.dumps(inputs) + "\n", "ascii")
    (out / "metrics.json").unlink(missing_ok=True)
    # Exit code 2 may be about rows that were not judged, which are counted: then there are metrics.
    program.run("eval", "--data", *files, "--out", out, "--resume", model=model, shows_progress=True, accepts=(0, 2))
    try:
        return json.loads((out / "metrics.json").read_text("utf-8"))
    except (OSError, ValueError):
        raise NotCompared(f"qwen3guard eval left no metrics.json: {program.said}") from None


def summary(metrics: dict) -> dict:
    """What the page shows of metrics.json."""
    sets = {}
    for name, found in metrics["sets"].items():
        scores = {
            mode: {key: found[mode][key] for key in ("f1", "precision", "recall", "false_alarm_rate")}
            for mode in ("strict", "loose")
        }
        kept = {key: found[key] for key in ("n", "n_bad", "n_not_judged", "auc", "best", "refusal", "streaming")}
        sets[name] = {**kept, **scores, "rows_per_s": (found["speed"] or {}).get("rows_per_s")}
    return {"sets": sets, "mean": metrics["mean"]}


def compare_runs(program, folder: Path, a: str, b: str) -> dict:
    """What `eval compare` says of two runs in the folder, as a JSON object. It is given names rather than paths, which it
    repeats."""
    return program.json_lines("eval compare", f"./{a}", f"./{b}", "--json", folder=folder)[0]


def evaluate(
    result: StepResult, program, checkpoint, models: dict[str, Path], files: list[Path], options, out: Path, inputs: dict
) -> None:
    """models: by the name of the weights: float, and those of int8 and int4 that were packed."""
    if options.eval_weights not in models:
        raise NotCompared(f"{options.eval_weights} weights were not packed")

    def judged(name: str, data: list[Path], folder: str, what: str, **more: object) -> dict:
        found = run_eval(program, models[name], data, out / folder, {**inputs, "weights": name, **more})
        judge_rows(result, f"{what}, {name}", found)
        return summary(found)

    result.figures["published"] = published.figures(checkpoint.kind, checkpoint.config)
    if not options.quick:
        weights = options.eval_weights
        result.figures["whole"] = {"weights": weights, **judged(weights, files, weights, "benchmarks")}
    samples = [sample(path, out / "sample", options.sample) for path in files]
    what = f"sample of {options.sample} rows a set"
    sampled = {name: judged(name, samples, f"sample-{name}", what, rows=options.sample) for name in SAMPLE_TYPES if name in models}
    result.figures["sample"] = {"rows_per_set": options.sample, "weights": sampled}
    compare_samples(result, program, list(sampled), out)


def compare_samples(result: StepResult, program, names: list[str], out: Path) -> None:
    result.figures["compare"] = {}
    for name in names:
        if name != "float":
            result.figures["compare"][name] = compare_runs(program, out, "sample-float", f"sample-{name}")


def judge_rows(result: StepResult, name: str, metrics: dict) -> None:
    """Rows that could not be read are named by the program; rows without a verdict count against the model, and fail here."""
    n = sum(found["n"] for found in metrics["sets"].values())
    n_missing = sum(found["n_not_judged"] for found in metrics["sets"].values())
    result.judge(f"{name}: every good row gets a verdict", n_missing == 0 and n > 0, f"{n - n_missing} of {n}", "all")
