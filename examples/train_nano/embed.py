#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pack what export.py wrote for the library: one file of weights that both models share, and the Gen form's config.json.

The Gen folder's tensors must be those of the Stream folder, which has the heads as well. tokenizer.json stays beside the
packed file: inside there would be a snapshot of it, too, which costs more bytes than the milliseconds that it saves are
worth here. tokenizer_config.json is left out: the library runs no chat template, and would report these as unknown.

Usage: embed.py --gen FOLDER --stream FOLDER [--out FOLDER] [--program QWEN3GUARD]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from safetensors_file import read_tensors

EMBEDDED = Path(__file__).resolve().parents[2] / "src/embedded"
PACKED = ["config.json", "generation_config.json", "model.safetensors"]
SHARED, TOKENIZER = "nano.q3g", "tokenizer.json"


def difference(gen: Path, stream: Path) -> str:
    """Why the two folders are not one backbone; empty when they are."""
    for name in ("tokenizer.json", "generation_config.json"):
        if (gen / name).read_bytes() != (stream / name).read_bytes():
            return f"{name} differs"
    one, both = (json.loads((folder / "config.json").read_text(encoding="utf-8")) for folder in (gen, stream))
    changed = sorted(key for key in one if one[key] != both.get(key))
    if changed != ["architectures"] or not one["tie_word_embeddings"]:
        return f"config.json differs in {changed}" if changed != ["architectures"] else "the embeddings are not tied"
    backbone, everything = read_tensors(gen / "model.safetensors"), read_tensors(stream / "model.safetensors")
    return next((f"tensor {name} differs" for name in backbone if backbone[name] != everything.get(name)), "")


def pack(folder: Path, out: Path, program: str) -> None:
    """The folder without its tokenizer as a packed file."""
    with tempfile.TemporaryDirectory() as scratch:
        for name in PACKED:
            os.symlink((folder / name).resolve(), Path(scratch) / name)
        subprocess.run([program, "quantize", "--model", scratch + "/.", "--out", out, "--force"], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--gen", type=Path, required=True)
    p.add_argument("--stream", type=Path, required=True)
    p.add_argument("--out", type=Path, default=EMBEDDED)
    p.add_argument("--program", default=os.environ.get("QWEN3GUARD_PROGRAM", "qwen3guard"))
    a = p.parse_args()
    if found := difference(a.gen, a.stream):
        sys.exit(f"embed.py: {a.gen} and {a.stream} share no backbone: {found}")
    (a.out / "nano-gen").mkdir(parents=True, exist_ok=True)
    pack(a.stream, a.out / SHARED, a.program)
    for source, target in ((a.gen / "config.json", a.out / "nano-gen/config.json"), (a.gen / TOKENIZER, a.out / TOKENIZER)):
        if not (target.exists() and target.samefile(source)):
            shutil.copy(source, target)
    print(f"{a.out / SHARED}: {(a.out / SHARED).stat().st_size} bytes")


if __name__ == "__main__":
    main()
