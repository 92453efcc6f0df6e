#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the tokenizer with Hugging Face tokenizers on random strings, both encodings.

    tokenizer_differential.py --tokenizer tokenizer.json --program build/bin/qwen3guard [--count 20000] [--seed 1]

Needs the packages of requirements.txt. Prints the seed and the first differences; the exit code is 0 when all ids are
equal, 1 when not, 77 when tokenizers is not installed.
"""

import argparse
import json
import os
import random
import subprocess
import sys

SCRIPTS = [(0x20, 0x7E), (0xA0, 0x24F), (0x370, 0x3FF), (0x400, 0x4FF), (0x590, 0x5FF), (0x600, 0x6FF), (0x900, 0x97F),
           (0xE00, 0xE7F), (0xF00, 0xFFF), (0x1100, 0x11FF), (0x1E00, 0x1FFF), (0x2000, 0x206F), (0x2100, 0x218F),
           (0x3040, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xF900, 0xFAFF), (0xFF00, 0xFFEF), (0x1D100, 0x1D1FF),
           (0x1F300, 0x1FAFF), (0x20000, 0x2FFFF)]
SPACES = ["\t", "\n", "\x0b", "\x0c", "\r", " ", "\x85", "\xa0", "\u1680", "\u2000", "\u2003", "\u2028", "\u2029",
          "\u202f", "\u205f", "\u3000", "\r\n", "  ", "\n\n", "\u200b", "\u180e", "\x1c", "\x1f", "\ufeff"]
MARKS = [chr(c) for c in (*range(0x300, 0x370), *range(0x591, 0x5C8), *range(0x64B, 0x660), 0x93C, 0x9BE, 0xB57, 0x0F71,
                          0x0F72, 0x0F74, 0x0F80, 0x1DCE, 0x20D0, 0x302A, 0x3099, 0x309A, 0x1D165, 0x110BA, 0x11930,
                          0x1161, 0x11A8, 0x11C2)]
EMOJI = ["\U0001F468\u200d\U0001F469\u200d\U0001F467", "\U0001F44D\U0001F3FD", "\u2764\ufe0f", "\U0001F1E9\U0001F1EA",
         "1\ufe0f\u20e3", "\U0001F600", "\U0001F3F4\U000E0067\U000E0062\U000E007F"]
CONTRACTIONS = ["'s", "'S", "'\u017f", "'t", "'T", "'re", "'Re", "'RE", "'rE", "'ve", "'VE", "'m", "'M", "'ll", "'Ll",
                "'lL", "'d", "'D", "'", "''", "'r", "'v", "'l", "\u2019s", "'\u212a", "'\u1e9e", "' s", "'s's", "\u0149"]
WORDS = ["the", "Hello", "world", "don't", "na\u00efve", "function(", "return", "http://x.y/z?q=1", "foo_bar", "3.14", "if(",
         "</", "==", "\\n", "\u4e2d\u6587", "\u65e5\u672c\u8a9e", "\ud55c\uad6d\uc5b4", "\u0440\u0443\u0441\u0441\u043a\u0438\u0439", "CamelCase", "\u212b", "\u2126", "\u212a"]


class Strings:
    """Random strings that stress the places where tokenizers differ."""

    def __init__(self, seed, added):
        self.random = random.Random(seed)
        self.added = added

    def scalar(self, low=0, high=0x10FFFF):
        while True:
            c = self.random.randint(low, high)
            if not 0xD800 <= c < 0xE000:
                return chr(c)

    def fragment(self):
        token = self.random.choice(self.added) if self.added else "<|im_end|>"
        kind = self.random.randrange(5)
        if kind < 3:
            return token
        cut = self.random.randint(0, len(token))
        if kind == 3:
            return token[:cut] if self.random.random() < 0.5 else token[cut:]
        return token[:cut] + self.random.choice([" ", "|", "<", self.scalar()]) + token[cut:]

    def piece(self):
        r = self.random
        kind = r.randrange(14)
        if kind <= 1:
            return "".join(r.choice(SPACES) for _ in range(r.randint(1, 5)))
        if kind == 2:
            return "".join(self.scalar(*r.choice(SCRIPTS)) for _ in range(r.randint(1, 4)))
        if kind == 3:
            low, high = r.choice(SCRIPTS)
            return "".join(self.scalar(low, high) for _ in range(r.randint(1, 12)))
        if kind == 4:
            return r.choice(["a", "e", "o", "A", "\u1100", "\uac00", "\u0915", "\u05d0", self.scalar()]) + "".join(
                r.choice(MARKS) for _ in range(r.randint(1, 6)))
        if kind == 5:
            return r.choice(EMOJI)
        if kind == 6:
            return r.choice(CONTRACTIONS) + r.choice(["", "", "x", "E", " "])
        if kind == 7:
            return self.fragment()
        if kind == 8:
            return str(r.randint(0, 10**r.randint(1, 20)))
        if kind == 9:
            return self.scalar()
        if kind == 10:
            return chr(r.randint(0xE000, 0xF8FF)) if r.random() < 0.5 else chr(r.randint(0, 0x20))
        if kind == 11:
            return r.choice(["a", " ", "\n", "-", "=", "\u4e00", "\u00e9", "0", "ab", "\u0301"]) * r.randint(2, 90)
        if kind == 12:
            return "".join(chr(r.randint(0x21, 0x7E)) for _ in range(r.randint(1, 8)))
        return " " + r.choice(WORDS)

    def string(self):
        return "".join(self.piece() for _ in range(self.random.randint(1, 12)))


def reference(path):
    """Both encodings by Hugging Face tokenizers: a function text -> [ids, ids with control tokens as text]."""
    from tokenizers import Tokenizer

    recognized, as_text = Tokenizer.from_file(path), Tokenizer.from_file(path)
    as_text.encode_special_tokens = True
    return lambda text: [t.encode(text, add_special_tokens=False).ids for t in (recognized, as_text)]


def run_program(program, tokenizer, texts):
    """The same by `qwen3guard tokenize`, for many texts."""
    lines = "".join(json.dumps(text) + "\n" for text in texts).encode()
    columns = []
    for flags in ([], ["--no-special"]):
        command = [program, "tokenize", "--model", os.path.abspath(tokenizer), *flags]
        output = subprocess.run(command, input=lines, stdout=subprocess.PIPE, check=True).stdout
        columns.append([json.loads(line)["ids"] for line in output.splitlines()])
    assert len(columns[0]) == len(columns[1]) == len(texts), "the program does not give a line for a line"
    return list(map(list, zip(*columns)))


def compare(tokenizer, program, program_tokenizer, count, seed):
    """Number of strings whose ids differ; prints the first three."""
    expect = reference(tokenizer)
    with open(tokenizer, encoding="utf-8") as file:
        strings = Strings(seed, [token["content"] for token in json.load(file)["added_tokens"]])
    print(f"tokenizer_differential: {count} strings, seed {seed}", flush=True)
    different = 0
    for start in range(0, count, 20000):
        texts = [strings.string() for _ in range(min(20000, count - start))]
        results = run_program(program, program_tokenizer, texts)
        for number, (text, found) in enumerate(zip(texts, results), start):
            wanted = expect(text)
            if found == wanted:
                continue
            different += 1
            if different <= 3:
                print(f"string {number}: {json.dumps(text)}\n  reference {wanted}\n  program   {found}")
    print(f"tokenizer_differential: {different} of {count} strings differ")
    return different


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokenizer", required=True, help="tokenizer.json, for the reference and the program")
    parser.add_argument("--program", required=True, help="the built program qwen3guard")
    parser.add_argument("--program-tokenizer", help="what the program loads instead, e.g. a folder with vocab.json")
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    try:
        different = compare(args.tokenizer, args.program, args.program_tokenizer or args.tokenizer, args.count, args.seed)
    except ImportError:
        print("q3g-skipped: the Python package tokenizers is not installed")
        return 77
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
