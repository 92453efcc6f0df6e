# SPDX-License-Identifier: Apache-2.0
"""Metrics come from the program: predictions go in as `qwen3guard eval` writes them, metrics.json comes out.

The program is named by QWEN3GUARD_PROGRAM (or Q3G_CLI, in tests); by default it is the release build of this checkout.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[2] / "build/release/bin/qwen3guard"


def program() -> str:
    """The built program. Exits when there is none."""
    path = os.environ.get("QWEN3GUARD_PROGRAM") or os.environ.get("Q3G_CLI") or str(PROGRAM)
    if not os.path.exists(path):
        raise SystemExit(f"{path}: no such program; build it (cmake --preset release && cmake --build --preset release), "
                         "or name it in QWEN3GUARD_PROGRAM")
    return path


def prediction(set_name: str, row: dict, record: dict) -> dict:
    """A line of predictions.jsonl: the row's labels and what predict.py said of it."""
    line = {"set": set_name, "id": str(row["id"]), "lang": row.get("lang"), "role": row["messages"][-1]["role"],
            "label": None if row.get("label_derived") else row.get("label"), "categories": row.get("categories") or [],
            "refusal": row.get("refusal"), "verdict": {"severity": record["severity"], "probabilities": record["probabilities"],
                                                       "categories": record["categories"]}}
    if record.get("refusal"):
        line["verdict"]["refusal"] = {"value": record["refusal"]["value"] in (True, "Yes"), "probability": record["refusal"]["probability"]}
    if "token_risk" in record:
        line.update(pred_risk_levels=record["token_risk"], split_idx_eval=record["begin"])
    if "scores" in record:
        line["scores"] = record["scores"]
    if record.get("span"):
        line.update(unsafe_start_index=record["span"][0], unsafe_end_index=record["span"][1])
    return line


def write_predictions(folder: Path, lines: Iterable[dict]) -> None:
    """predictions.jsonl of a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "predictions.jsonl").open("w", encoding="utf-8") as out:
        out.writelines(json.dumps(line) + "\n" for line in lines)


def score(folder: Path, *options: str) -> dict:
    """metrics.json of a folder with predictions, made anew."""
    (folder / "metrics.json").unlink(missing_ok=True)
    done = subprocess.run([program(), "eval", "score", str(folder), *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    # The program is not content with rows that were not judged, either, but counts them against the model.
    if not (folder / "metrics.json").is_file():
        raise SystemExit(done.stderr.strip())
    return read(folder)


def read(folder: Path) -> dict:
    """metrics.json of a run."""
    return json.loads((folder / "metrics.json").read_text("utf-8"))
