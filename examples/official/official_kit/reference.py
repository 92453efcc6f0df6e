# SPDX-License-Identifier: Apache-2.0
"""Runs reference_worker.py and hands over what it found."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np

from .errors import NotCompared
from .folder import Checkpoint
from .program import ending, last_line

PACKAGES = ["torch", "transformers", "tokenizers", "safetensors", "numpy"]
MAX_NEW_TOKENS = 128  # as the model cards have it
WORKER = Path(__file__).with_name("reference_worker.py")


def versions() -> dict[str, str | None]:
    """Of the packages; null for what is not installed. Imports none."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def missing_packages() -> str | None:
    missing = [name for name in ("torch", "transformers") if importlib.util.find_spec(name) is None]
    return f"{' and '.join(missing)} not installed (setup_venv.sh makes an environment)" if missing else None


def compute(checkpoint: Checkpoint, conversations: list[dict], out: Path, options, inputs: dict, is_new: bool = False) -> None:
    """Fills the folder `out`; what is there of the same inputs stays, unless is_new. Throws NotCompared."""
    if reason := missing_packages():
        raise NotCompared(reason)
    if not checkpoint.has_chat_template:
        raise NotCompared("the checkpoint has no chat template (chat_template.jinja, or in tokenizer_config.json)")
    stamp = out / "inputs.json"
    if out.exists() and (is_new or not stamp.exists() or json.loads(stamp.read_text("ascii")) != inputs):
        shutil.rmtree(out)
    out.mkdir(parents=True, exist_ok=True)
    stamp.write_text(json.dumps(inputs) + "\n", "ascii")
    job = {
        "folder": str(checkpoint.path),
        "kind": checkpoint.kind,
        "conversations": conversations,
        "out": str(out),
        "threads": options.threads,
        "max_new_tokens": MAX_NEW_TOKENS,
        "trust_remote_code": options.trust_remote_code,
        "weight_files": [str(file) for file in checkpoint.weight_files],
    }
    path = out / "job.json"
    path.write_text(json.dumps(job) + "\n", "ascii")
    run_worker(path)


def run_worker(job: Path) -> None:
    """The worker's progress goes to our standard error; of a failure the last line is the message."""
    environment = {**os.environ, "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    process = subprocess.Popen(
        [sys.executable, "-B", WORKER, job],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=environment,
        text=True,
        errors="replace",
    )
    said = ""
    try:
        for line in process.stderr:
            if line.startswith("  transformers:"):
                print(line, end="", file=sys.stderr, flush=True)
            elif line.strip():
                said = line
        code = process.wait()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if code:
        raise NotCompared(f"transformers failed ({ending(code)}): {last_line(said).removeprefix('error: ')}")


def load(out: Path, conversations: list[dict]) -> list[dict[str, np.ndarray]]:
    """What was computed, a dict of arrays for each conversation. Throws NotCompared when it is not there."""
    found = []
    for conversation in conversations:
        path = out / f"{conversation['id']}.npz"
        if not path.exists():
            raise NotCompared("transformers has not computed its side")
        with np.load(path) as arrays:
            found.append({name: arrays[name] for name in arrays.files})
    return found
