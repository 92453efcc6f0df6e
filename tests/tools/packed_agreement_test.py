# SPDX-License-Identifier: Apache-2.0
"""Packed nano-gen gives the verdicts of the unpacked one, over every second row of the labelled data.

Skips without the data, without the program, and without the tokenizers package, by which the plain folder is written. The share of equal verdicts is printed.
"""

import importlib.util
import json
import os
import subprocess
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("QWEN3GUARD_DATA", ROOT.parent / "shared" / "data")) / "eval"
PROGRAM = os.environ.get("Q3G_CLI", "")


def severities(model, rows):
    args = [PROGRAM, "classify", "--model", model, "--threads", "1", "--json"]
    with rows.open("rb") as stdin:
        done = subprocess.run(args, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return [json.loads(line).get("severity") for line in done.stdout.splitlines()]


@unittest.skipUnless(PROGRAM, "Q3G_CLI, the path of the program, is not set")
@unittest.skipUnless(DATA.is_dir(), "the labelled data is not here")
@unittest.skipUnless(importlib.util.find_spec("tokenizers"), "the tokenizers package is not installed")
class PackedAgreement(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        import nano_folders

        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        nano_folders.write(Path(scratch.name))
        cls.plain_folder = Path(scratch.name) / "nano-gen"
        cls.files = [cls.every_second(f, Path(scratch.name)) for f in DATA.glob("*.jsonl") if f.stem != "spliced_streams"]
        cls.files.sort(key=lambda f: -f.stat().st_size)
        cls.plain = cls.verdicts(cls.plain_folder)

    @staticmethod
    def every_second(rows, folder):
        with rows.open("rb") as lines:
            (folder / rows.name).write_bytes(b"".join(line for n, line in enumerate(lines) if n % 2 == 0))
        return folder / rows.name

    @classmethod
    def verdicts(cls, model):
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            return list(pool.map(lambda rows: severities(model, rows), cls.files))

    def agreement(self, *options):
        with tempfile.TemporaryDirectory() as folder:
            packed = os.path.join(folder, "nano-gen.q3g")
            subprocess.run([PROGRAM, "quantize", "--model", self.plain_folder, *options, "--out", packed], check=True,
                           stdout=subprocess.DEVNULL)
            others = self.verdicts(packed)
        n_same = n_all = 0
        for plain, other, file in zip(self.plain, others, self.files):
            self.assertEqual(len(plain), len(other), file.name)
            n_all += len(plain)
            n_same += sum(a == b for a, b in zip(plain, other))
        self.assertGreater(n_all, 10000)
        print(f"{' '.join(options)}: {n_same} of {n_all} verdicts are the same ({n_same / n_all:.4f})")
        return n_same / n_all

    def test_int8(self):
        self.assertGreaterEqual(self.agreement("--type", "int8"), 0.99)

    def test_fp16(self):
        self.assertGreaterEqual(self.agreement("--type", "fp16"), 0.999)


if __name__ == "__main__":
    unittest.main()
