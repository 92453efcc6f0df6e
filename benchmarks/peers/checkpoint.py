# SPDX-License-Identifier: Apache-2.0
"""Reads a checkpoint's config.json and its BF16 tensors, memory-mapped."""

import json
from pathlib import Path

import numpy as np


def read_config(folder: Path) -> dict:
    return json.loads((folder / "config.json").read_text())


def _read_file(path: Path) -> dict[str, np.ndarray]:
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    found = {}
    for name, entry in header.items():
        if entry["dtype"] != "BF16":
            raise SystemExit(f"{path}: tensor {name} has dtype {entry['dtype']}, expected BF16")
        found[name] = np.memmap(path, "<u2", "r", 8 + length + entry["data_offsets"][0], tuple(entry["shape"]))
    return found


def read_tensors(folder: Path) -> dict[str, np.ndarray]:
    """All tensors as bfloat16 bits."""
    files = sorted(folder.glob("model*.safetensors"))
    if not files:
        raise SystemExit(f"{folder}: no model*.safetensors")
    found = {}
    for path in files:
        found |= _read_file(path)
    return found


def widen(bits: np.ndarray) -> np.ndarray:
    """bfloat16 bits to float32, exactly."""
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)
