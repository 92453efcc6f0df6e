"""Sentence vectors of every training text by the frozen encoders, kept in shards, so that a broken run goes on.

python3 -m teachers.vectors --work .work/full      writes .work/full/vectors/{use,e5}-NNN.npz
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from pathlib import Path

import numpy as np

from teachers.e5_encoder import E5Encoder
from teachers.use_encoder import UseEncoder

ENCODERS = {"use": UseEncoder, "e5": E5Encoder}
SHARD = 4096


def key(text: str) -> bytes:
    """Eight bytes that stand for a text."""
    return hashlib.sha256(text.encode("utf-8")).digest()[:8]


def texts_of(rows: list[dict]) -> list[str]:
    """Every message that a vector is wanted of, once, in a stable order; spliced answers are nonsense as a whole."""
    seen: dict[str, None] = {}
    for r in rows:
        for m in r["messages"][-2:]:
            if r["source"] != "splice" or m["role"] == "user":
                seen.setdefault(m["content"])
    return list(seen)


class Vectors:
    """The vectors of one encoder by text, float16."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.row: dict[bytes, int] = {}
        parts = []
        self.shards = sorted(folder.glob(f"{name}-*.npz"))
        for path in self.shards:
            with np.load(path) as z:
                for k in z["keys"]:
                    self.row[k.tobytes()] = len(self.row)
                parts.append(z["vectors"])
        self.values = np.concatenate(parts) if parts else np.zeros((0, 0), np.float16)

    def add(self, keys: list[bytes], values: np.ndarray) -> None:
        """Write one shard more (they are read when the next object is made)."""
        path = self.folder / f"{self.name}-{len(self.shards):03d}.npz"
        tmp = path.with_suffix(".tmp")
        with tmp.open("wb") as f:
            np.savez(f, keys=np.frombuffer(b"".join(keys), "V8"), vectors=values.astype(np.float16))
        tmp.replace(path)
        self.shards.append(path)

    def __contains__(self, text: str) -> bool:
        return key(text) in self.row

    def at(self, texts: list[str]) -> np.ndarray:
        """Vectors [n, dim] in float32. KeyError for a text that has none."""
        return self.values[[self.row[key(t)] for t in texts]].astype(np.float32)


def extend(folder: Path, name: str, texts: list[str]) -> None:
    """Add the vectors of those texts that have none yet."""
    folder.mkdir(parents=True, exist_ok=True)
    have = Vectors(folder, name)
    todo = [t for t in texts if t not in have]
    if not todo:
        return
    encoder, start = ENCODERS[name](), time.time()
    for i in range(0, len(todo), SHARD):
        part = todo[i:i + SHARD]
        have.add([key(t) for t in part], encoder.encode(part).numpy())
        done = i + len(part)
        print(f"{name}: {done} of {len(todo)} texts, {done / (time.time() - start):.0f} a second", flush=True)


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--work", type=Path, required=True)
    a = p.parse_args()
    rows = [json.loads(line) for name in ("train", "dev") for line in (a.work / f"{name}.jsonl").open(encoding="utf-8")]
    for name in ENCODERS:
        extend(a.work / "vectors", name, texts_of(rows))


if __name__ == "__main__":
    main()
