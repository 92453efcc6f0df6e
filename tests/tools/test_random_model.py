# SPDX-License-Identifier: Apache-2.0
"""benchmarks/peers/make_random_model.py: the runtime loads what it makes.

Needs NumPy; the parts that run the program skip unless Q3G_CLI names it.
"""
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

CLI = os.environ.get("Q3G_CLI")
MAKER = Path(__file__).resolve().parents[2] / "benchmarks/peers/make_random_model.py"

try:
    import numpy  # noqa: F401  the maker imports it in its own process
except ImportError:
    numpy = None


def make(folder, kind, *options):
    subprocess.run([sys.executable, MAKER, "--shape", "tiny", "--kind", kind, "--out", folder, "--vocab", "300",
                    *options], check=True, capture_output=True, timeout=120)
    return Path(folder)


@unittest.skipUnless(numpy, "NumPy is not installed")
class RandomModelTest(unittest.TestCase):
    def test_same_seed_same_file(self):
        with tempfile.TemporaryDirectory() as folder:
            first, second, other = (
                make(f"{folder}/{name}", "gen", "--seed", seed) for name, seed in (("a", "3"), ("b", "3"), ("c", "4")))
            name = "model.safetensors"
            self.assertEqual((first / name).read_bytes(), (second / name).read_bytes())
            self.assertNotEqual((first / name).read_bytes(), (other / name).read_bytes())

    @unittest.skipUnless(CLI and os.path.exists(CLI), "Q3G_CLI does not name the built program")
    def test_runtime_computes_with_it(self):
        for kind, heads in (("gen", ["logits"]), ("stream", ["risk_level_logits", "category_logits"])):
            for options in ((), ("--outliers",)):
                with self.subTest(kind=kind, options=options), tempfile.TemporaryDirectory() as folder:
                    model = make(folder + "/model", kind, *options)
                    done = subprocess.run([CLI, "logits", "--model", model, "--ids", "5,7,9", "--last"],
                                          check=True, capture_output=True, timeout=120)
                    logits = json.loads(done.stdout)["heads"]
                    for head in heads:
                        # Random weights, but none so large that all probability is on one token.
                        spread = max(logits[head][0]) - min(logits[head][0])
                        self.assertTrue(0.1 < spread < 30, f"{head}: {spread}")


if __name__ == "__main__":
    unittest.main()
