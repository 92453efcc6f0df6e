# SPDX-License-Identifier: Apache-2.0
"""Packs int8 and int4, and measures what they cost (logits, probabilities, verdicts) and bring (size, speed)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .compare_verdicts import PROBABILITIES, verdict_of
from .errors import NotCompared
from .results import StepResult
from .tolerances import kl_divergence

TYPES = ["int8", "int4"]


def pack(program, checkpoint, kind: str, out: Path) -> Path:
    """The packed file, made anew: `quantize` writes it whole or not at all."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{checkpoint.kind}-{kind}.q3g"
    program.run("quantize", "--type", kind, "--out", path, "--force", model=checkpoint.path)
    return path


def logits_error(plain: list[np.ndarray], packed: list[np.ndarray]) -> dict:
    """As in docs/numerics.md: RMS of the difference over the spread, KL in nats; the worst of the heads."""
    rows = []
    for a, b in zip(plain, packed):
        a, b = a.astype(np.float64), b.astype(np.float64)
        rows.append((np.sqrt(np.mean((a - b) ** 2)) / a.std(), kl_divergence(a, b).mean(), (a.argmax(-1) == b.argmax(-1)).mean()))
    error, kl, same = zip(*rows)
    return {"relative_rms": float(max(error)), "kl": float(max(kl)), "top1_agreement": float(min(same))}


def verdict_error(plain: list[dict], packed: list[dict]) -> dict:
    """Of `classify --json` rows of the same conversations; all are verdicts."""
    a, b = [verdict_of(row) for row in plain], [verdict_of(row) for row in packed]
    moved = [max(abs(x["probabilities"][key] - y["probabilities"][key]) for key in PROBABILITIES) for x, y in zip(plain, packed)]
    return {
        "n": len(plain),
        **{f"n_same_{part}": sum(x[part] == y[part] for x, y in zip(a, b)) for part in ("severity", "categories", "refusal")},
        "probability_error": {"largest": max(moved), "mean": float(np.mean(moved))},
        "changed": [row["id"] for row, x, y in zip(plain, a, b) if x["severity"] != y["severity"]],
    }


def judged(result: StepResult, name: str, rows: list[dict]) -> bool:
    """Whether all conversations have verdicts with finite probabilities; fails the step's check if not."""
    bad = [
        row["id"]
        for row in rows
        if row["type"] != "verdict"
        or row["probabilities"] is None
        or not np.isfinite([row["probabilities"][key] for key in PROBABILITIES]).all()
    ]
    result.judge(
        f"{name}: every conversation gets a verdict", not bad, f"{len(rows) - len(bad)} of {len(rows)}", "all", ", ".join(bad)
    )
    return not bad


def stacked(program, model: Path, checkpoint, id_lists: list[list[int]]) -> list[np.ndarray]:
    """For each head, the logits of all conversations."""
    found = [program.logits(model, ids, last=checkpoint.kind == "gen") for ids in id_lists]
    return [np.concatenate(head) for head in zip(*found)]


def compare(result: StepResult, program, checkpoint, conversations: list[dict], id_lists: list[list[int]], out: Path) -> None:
    """id_lists: the conversations' tokens by transformers, for the logits; empty when it computed none."""
    plain_rows = program.classify(checkpoint.path, conversations)
    if not judged(result, "float", plain_rows):
        raise NotCompared("the checkpoint itself gives no verdict on some conversations")
    plain_logits = stacked(program, checkpoint.path, checkpoint, id_lists) if id_lists else None
    for kind in TYPES:
        path = pack(program, checkpoint, kind, out)
        verified = program.json_lines("verify", "--json", "--model", path)
        is_whole = [row["type"] for row in verified] == ["verified"]
        result.judge(f"{kind}: checksums of the packed file", is_whole, "equal" if is_whole else "different", "equal")
        figures = {"file_bytes": path.stat().st_size, "weight_dtype": program.info(path)["weight_dtype"]}
        rows = program.classify(path, conversations)
        if judged(result, kind, rows):
            figures |= verdict_error(plain_rows, rows)
        if plain_logits is not None:
            figures["logits"] = logits_error(plain_logits, stacked(program, path, checkpoint, id_lists))
        result.figures[kind] = figures


def measure_speed(result: StepResult, program, models: dict[str, Path], is_quick: bool) -> None:
    """`bench` of each, in figures by the name of the weights."""
    for name, path in models.items():
        found = program.json_lines("bench", "--json", *(["--quick"] if is_quick else []), model=path)[0]
        found.pop("model")  # a path of this machine
        result.figures[name] = found
