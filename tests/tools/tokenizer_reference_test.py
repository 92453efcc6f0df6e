# SPDX-License-Identifier: Apache-2.0
"""The tokenizer against Hugging Face tokenizers. Q3G_CLI names the built program; what is missing is skipped."""

import filecmp
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import tokenizer_differential

ROOT = Path(__file__).resolve().parents[2]
SMALL = ROOT / "tests/golden/tokenizer/small"
DATA = Path(os.environ.get("QWEN3GUARD_TEST_DATA") or ROOT / "build/test_data")
QWEN3 = DATA / "qwen3_tokenizer/tokenizer.json"
PROGRAM = os.environ.get("Q3G_CLI", "")

try:
    import tokenizers
    HAVE_REFERENCE = tokenizers.__version__ == "0.22.1"
except ImportError:
    HAVE_REFERENCE = False


@unittest.skipUnless(HAVE_REFERENCE, "tokenizers 0.22.1 is not installed (scripts/make_venv.sh)")
class GeneratedFiles(unittest.TestCase):

    def test_unicode_tables_are_up_to_date(self):
        script = ROOT / "src/tokenizer/make_unicode_classes.py"
        self.assertEqual(subprocess.run([sys.executable, script, "--check"], check=False).returncode, 0)

    def test_small_tokenizer_is_up_to_date(self):
        script = ROOT / "tests/tools/make_small_tokenizer.py"
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, script, folder], check=True)
            names = [path.relative_to(SMALL) for path in SMALL.rglob("*") if path.is_file()]
            self.assertGreaterEqual(len(names), 6)
            for name in names:
                self.assertTrue(filecmp.cmp(SMALL / name, Path(folder) / name, shallow=False), name)


@unittest.skipUnless(HAVE_REFERENCE, "tokenizers 0.22.1 is not installed (scripts/make_venv.sh)")
@unittest.skipUnless(PROGRAM, "Q3G_CLI does not name the program")
class Differential(unittest.TestCase):

    def check(self, tokenizer, count, seed, program_tokenizer=None):
        different = tokenizer_differential.compare(str(tokenizer), PROGRAM, str(program_tokenizer or tokenizer), count, seed)
        self.assertEqual(different, 0)

    def test_small(self):
        self.check(SMALL / "tokenizer.json", 4000, 101)

    def test_small_from_vocab_and_merges(self):
        self.check(SMALL / "tokenizer.json", 2000, 102, SMALL / "two_files")

    @unittest.skipUnless(QWEN3.exists(), "run scripts/fetch_test_data.sh for the published vocabulary")
    def test_qwen3(self):
        self.check(QWEN3, 20000, 103)


if __name__ == "__main__":
    unittest.main()
