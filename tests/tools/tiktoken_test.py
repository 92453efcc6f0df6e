# SPDX-License-Identifier: Apache-2.0
"""Rank files against the tiktoken package, both ways round. Q3G_CLI names the built program; what is missing is skipped.
Q3G_SEED repeats a run with the seed that it printed."""

import base64
import json
import os
import random
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from tokenizer_differential import Strings, run_program

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "tests/golden/tiny/gen"
GOLDEN = ROOT / "tests/golden/tokenizer/qwen3_tokenizer_golden.jsonl"
DATA = Path(os.environ.get("QWEN3GUARD_TEST_DATA") or ROOT / "build/test_data")
QWEN3 = DATA / "qwen3_tokenizer/tokenizer.json"
PROGRAM = os.environ.get("Q3G_CLI", "")
SEED = int(os.environ.get("Q3G_SEED") or random.SystemRandom().randrange(2**32))
QWEN_PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
                r"|\s+(?!\S)|\s+")
OTHER_PATTERNS = [r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
                  QWEN_PATTERN.replace(r"\p{N}|", r"\p{N}{1,3}|")]

try:
    import tiktoken
    import tokenizers
    from tiktoken.load import load_tiktoken_bpe
    HAVE_REFERENCE = tiktoken.__version__ == "0.12.0" and tokenizers.__version__ == "0.22.1"
except ImportError:
    HAVE_REFERENCE = False


def run(*arguments, stdin=""):
    """Exit code, lines of output, text of errors."""
    done = subprocess.run([PROGRAM, *map(str, arguments)], input=stdin.encode(), capture_output=True, check=False)
    return done.returncode, done.stdout.decode().splitlines(), done.stderr.decode()


class Reference:
    """A rank file and its settings in the tiktoken package."""

    def __init__(self, file):
        self.settings = json.loads(Path(f"{file}.json").read_text("utf-8"))
        self.ranks = load_tiktoken_bpe(str(file))
        self.encoding = tiktoken.Encoding("test", pat_str=self.settings["pat_str"], mergeable_ranks=self.ranks,
                                          special_tokens=self.settings["special_tokens"],
                                          explicit_n_vocab=self.settings.get("explicit_n_vocab"))
        nfc = tokenizers.normalizers.NFC()
        self.normalize = nfc.normalize_str if self.settings.get("normalizer") else lambda text: text

    def ids(self, text, allowed):
        """Special tokens are looked for in the text as it is, and what lies between them is normalised."""
        special = self.settings["special_tokens"]
        out = []
        for part in re.split("(" + "|".join(map(re.escape, allowed)) + ")", text) if allowed else [text]:
            out += [special[part]] if part in allowed else self.encoding.encode_ordinary(self.normalize(part))
        if self.normalize(text) == text:
            assert out == self.encoding.encode(text, allowed_special=set(allowed), disallowed_special=())
        return out

    def both(self, text):
        return [self.ids(text, list(self.settings["special_tokens"])), self.ids(text, self.settings.get("allowed_special", []))]


def program_texts(model, rows):
    code, out, errors = run("tokenize", "--model", model, "--decode", stdin="".join(f"{row}\n" for row in rows))
    assert code == 0, errors
    return [json.loads(line)["text"] for line in out]


def write_ranks(ranks, file):
    """As the package's own dump_tiktoken_bpe(), which needs one more package for it."""
    in_order = sorted(ranks.items(), key=lambda item: item[1])
    file.write_bytes(b"".join(base64.b64encode(token) + b" %d\n" % rank for token, rank in in_order))


def byte_tokens():
    return [bytes([byte]) for byte in range(256)]


@unittest.skipUnless(HAVE_REFERENCE, "tiktoken 0.12.0 or tokenizers 0.22.1 is not installed (scripts/make_venv.sh)")
@unittest.skipUnless(PROGRAM, "Q3G_CLI does not name the program")
class TiktokenTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        print(f"tiktoken_test: seed {SEED}", flush=True)
        os.environ["TIKTOKEN_CACHE_DIR"] = ""
        cls.golden = [json.loads(line) for line in GOLDEN.read_text("utf-8").splitlines()]

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.random = random.Random(SEED)

    def check_ids(self, model, reference, texts):
        for text, found in zip(texts, run_program(PROGRAM, model, texts), strict=True):
            self.assertEqual(found, reference.both(text), f"seed {SEED}: {json.dumps(text)}")

    def check_decode(self, model, reference, count):
        """Any ids at all: pieces of characters become U+FFFD the same."""
        used = sorted([*reference.ranks.values(), *reference.settings["special_tokens"].values()])
        rows = [[self.random.choice(used) for _ in range(self.random.randint(1, 12))] for _ in range(count)]
        for row, found in zip(rows, program_texts(model, rows), strict=True):
            self.assertEqual(found, reference.encoding.decode(row), f"seed {SEED}: {row}")

    def export(self, model, name="test.tiktoken"):
        file = self.folder / name
        code, out, errors = run("tokenize", "--model", model, "--export-tiktoken", file)
        self.assertEqual((code, errors), (0, ""))
        self.assertEqual(json.loads(out[0]),
                         {"schema": 1, "type": "tiktoken", "file": str(file), "settings_file": f"{file}.json"})
        return file

    def check_both_ways(self, tokenizer, count):
        """tokenizer.json here, what is exported in the package, and that here again: the same ids of every text."""
        file = self.export(tokenizer)
        reference = Reference(file)
        strings = Strings(SEED, list(reference.settings["special_tokens"]))
        texts = [row["text"] for row in self.golden] + [strings.string() for _ in range(count)]
        self.check_ids(tokenizer, reference, texts)
        self.check_ids(file, reference, texts)
        self.check_decode(file, reference, 500)
        # What the package writes is the same, byte for byte.
        write_ranks(reference.ranks, self.folder / "dumped")
        self.assertEqual((self.folder / "dumped").read_bytes(), file.read_bytes())
        # So is what is exported of what was loaded.
        again = self.export(file, "again.tiktoken")
        self.assertEqual(again.read_bytes(), file.read_bytes())
        self.assertEqual(Path(f"{again}.json").read_bytes(), Path(f"{file}.json").read_bytes())
        return file

    def test_nano(self):
        self.check_both_ways(TINY / "tokenizer.json", 20000)

    @unittest.skipUnless(QWEN3.exists(), "run scripts/fetch_test_data.sh for the published vocabulary")
    def test_qwen3(self):
        file = self.check_both_ways(QWEN3, 20000)
        for row, found in zip(self.golden, run_program(PROGRAM, file, [row["text"] for row in self.golden]), strict=True):
            self.assertEqual(found, [row["ids"], row.get("ids_no_special", row["ids"])])

    def random_ranks(self):
        """Bytes at any ranks, tokens that no merges lead to, several ways to most of the others."""
        r = self.random
        alphabets = [[b"a", b"b"], [b"x", b"y", b"z", b"Q"], [b" "], [b"\xe4", b"\xb8", b"\xad", b"\x96"],
                     [text.encode() for text in ("\u00e9", "\u4e2d", "\u0301", "'", "s", "1", "\n", "-")],
                     [bytes([byte]) for byte in range(256)]]
        tokens = set(byte_tokens())
        while len(tokens) < 256 + 600:
            alphabet = r.choice(alphabets)
            tokens.add(b"".join(r.choice(alphabet) for _ in range(r.choice([2, 2, 3, 4, 5, 8, 20]))))
        short = sorted(tokens)
        while len(tokens) < 256 + 900:
            tokens.add(r.choice(short) + r.choice(short))
        order = sorted(tokens)
        r.shuffle(order)
        return {token: rank for rank, token in enumerate(order)}

    def random_texts(self, ranks, special, count):
        """Also of the vocabulary's own pieces, and words that are long."""
        r = self.random
        strings = Strings(SEED, special)
        pieces = [piece for piece in (token.decode(errors="ignore") for token in sorted(ranks)) if piece]
        makers = [strings.string,
                  lambda: "".join(r.choice(pieces) for _ in range(r.randint(1, 30))),
                  lambda: "".join(r.choice("ab") for _ in range(r.randint(1, 300))),
                  lambda: "".join(r.choice("xyzQ\u4e2d") for _ in range(r.randint(1, 80))),
                  lambda: r.choice(["\u4e2d\u4e16", "ab", "-", " "]) * r.randint(1, 200)]
        return [r.choice(makers)() for _ in range(count)]

    def patterns(self):
        """Those that the program can match: the published one needs no RE2, which a build may be without."""
        file = self.folder / "other.tiktoken"
        write_ranks({token: rank for rank, token in enumerate(byte_tokens())}, file)
        Path(f"{file}.json").write_text(json.dumps({"pat_str": OTHER_PATTERNS[0], "special_tokens": {}}))
        code, _, errors = run("tokenize", "--model", file)
        self.assertTrue(code == 0 or "RE2" in errors, errors)
        return [QWEN_PATTERN, *(OTHER_PATTERNS if code == 0 else [])]

    def test_random_ranks(self):
        patterns = self.patterns()
        for number in range(6):
            ranks = self.random_ranks()
            n = len(ranks)
            settings = {"pat_str": patterns[number % len(patterns)],
                        "special_tokens": {"<|im_end|>": n, "<think>": n + 1, "[INST]": n + 7, "<|fim_pad|>": n + 3}}
            if number % 2:
                settings["allowed_special"] = ["<think>", "<|fim_pad|>"]
            if number % 3 == 2:
                settings["normalizer"] = "NFC"
            file = self.folder / "random.tiktoken"
            write_ranks(ranks, file)
            lines = file.read_text().splitlines(keepends=True)
            self.random.shuffle(lines)
            file.write_text("".join(lines))
            Path(f"{file}.json").write_text(json.dumps(settings), "utf-8")
            reference = Reference(file)
            self.check_ids(file, reference, self.random_texts(ranks, list(settings["special_tokens"]), 1500))
            self.check_decode(file, reference, 200)
            again = Reference(self.export(file, f"again{number}.tiktoken"))
            self.assertEqual(again.ranks, ranks)
            for key, value in settings.items():
                self.assertEqual(again.settings[key], value)

    def test_long_words(self):
        """Longer than one window of the encoder, many equal neighbours."""
        ranks = self.random_ranks()
        file = self.folder / "random.tiktoken"
        write_ranks(ranks, file)
        Path(f"{file}.json").write_text(json.dumps({"pat_str": QWEN_PATTERN, "special_tokens": {}}))
        r = self.random
        texts = ["".join(r.choice(alphabet) for _ in range(17000)) for alphabet in ("ab", "a", "xyzQ\u4e2d")]
        self.check_ids(file, Reference(file), texts)

    def test_checkpoint_folder(self):
        """A folder whose tokenizer is a rank file is loaded, packed and judged with as with tokenizer.json."""
        folder = self.folder / "model"
        shutil.copytree(TINY, folder, ignore=shutil.ignore_patterns("tokenizer*"))
        self.assertNotEqual(run("classify", "--model", folder, "--prompt", "Hello")[0], 0)
        shutil.move(self.export(TINY / "tokenizer.json"), folder / "nano.tiktoken")
        self.assertIn("no nano.tiktoken.json beside it", run("classify", "--model", folder, "--prompt", "Hello")[2])
        shutil.move(self.folder / "test.tiktoken.json", folder / "nano.tiktoken.json")
        packed, usual = self.folder / "nano.q3g", self.folder / "usual.q3g"
        for model, file in ((folder, packed), (TINY, usual)):
            self.assertEqual(run("quantize", "--model", model, "--type", "bf16", "--out", file)[0], 0)
        self.assertEqual(run("verify", "--model", packed)[0], 0)
        arguments = ["--json", "--prompt", "How do I hurt <|im_end|> someone?"]
        texts = [row["text"] for row in self.golden]
        ids = run_program(PROGRAM, TINY / "tokenizer.json", texts)
        for model, other in ((folder, TINY), (packed, usual)):
            expected, found = (json.loads(run("classify", "--model", name, *arguments)[1][0]) for name in (other, model))
            for key in ("severity", "categories", "tokens"):
                self.assertEqual(found[key], expected[key])
            self.assertEqual(run_program(PROGRAM, model, texts), ids)
        self.assertEqual(run("info", "--model", packed)[0], 0)
        self.assertIn(b"file:nano.tiktoken.json", packed.read_bytes())

    def test_existing_files(self):
        file = self.export(TINY)
        for existing in (file, Path(f"{file}.json")):
            existing.write_bytes(b"mine")
            for other in {file, Path(f"{file}.json")} - {existing}:
                other.unlink(missing_ok=True)
            code, _, errors = run("tokenize", "--model", TINY, "--export-tiktoken", file)
            self.assertEqual(code, 2)
            self.assertIn("replaced only on request", errors)
            self.assertEqual(existing.read_bytes(), b"mine")
            self.assertEqual(len(list(self.folder.iterdir())), 1)
            self.assertEqual(run("tokenize", "--model", TINY, "--export-tiktoken", file, "--force")[0], 0)
            self.assertEqual(len(Reference(file).ranks), 8187)
        self.assertIn("a name that ends in", run("tokenize", "--model", TINY, "--export-tiktoken", self.folder / "x")[2])
        self.assertNotEqual(run("tokenize", "--model", TINY, "--force")[0], 0)


if __name__ == "__main__":
    unittest.main()
