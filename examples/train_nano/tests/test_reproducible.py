"""The smoke run of train.sh, a thousand rows from data to both folders, gives the same bytes each time on one machine."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import torch

HERE = Path(__file__).resolve().parents[1]


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file by its path."""
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(folder.rglob("*")) if f.is_file()}


class Reproducible(unittest.TestCase):
    def run_once(self, folder: Path) -> dict[str, str]:
        done = subprocess.run(["sh", HERE / "train.sh", "--smoke", "--work", folder / "work", "--out", folder / "out"],
                              env=os.environ | {"PYTHON": sys.executable}, capture_output=True, text=True)
        self.assertEqual(0, done.returncode, done.stderr[-2000:])
        return digests(folder / "out")

    def test_two_runs_are_equal_to_the_bit(self) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            first, again = Path(scratch, "first"), Path(scratch, "again")
            found = self.run_once(first)
            self.assertEqual({f"nano-{kind}/{name}" for kind in ("gen", "stream") for name in (
                "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")}, set(found))
            self.assertEqual(found, self.run_once(again))
            # Rows that other processes encode are the same.
            done = subprocess.run([sys.executable, "-B", HERE / "train.py", "--work", first / "work", "--forms", "stream,gen", "--init",
                                   first / "work/words.pt", "--out", first / "ahead.pt", "--steps", "12", "--chunk", "400", "--tokens", "2048",
                                   "--workers", "2"], env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
            self.assertEqual(0, done.returncode, done.stderr[-2000:])
            ahead, alone = (torch.load(path, weights_only=True)["ema"] for path in (first / "ahead.pt", first / "work/both.pt"))
            self.assertEqual([], [name for name in alone if not torch.equal(ahead[name], alone[name])])
            # Each stage learns: equal runs of nothing would be equal, too.
            stages = [torch.load(first / f"work/{name}.pt", weights_only=True)["ema"] for name in ("start", "words", "both", "third", "last")]
            for before, after in zip(stages, stages[1:]):
                self.assertFalse(any(torch.equal(before[name], after[name]) for name in before if "layers" in name))


if __name__ == "__main__":
    unittest.main()
