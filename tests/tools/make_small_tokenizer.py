#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/tokenizer/small: a made tokenizer in every form the library reads, and what the reference does
with it. Needs tokenizers 0.22.1 (requirements.txt); the result is committed.

    make_small_tokenizer.py FOLDER
"""

import json
import sys
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from tokenizer_differential import Strings

PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
           r"|\s+(?!\S)|\s+")
SIZE = 500
SEED = 20

TEXT = """The quick brown fox jumps over the lazy dog, and the dog doesn't mind. It's what they're for; we've seen it.
    if (x == 0) {
        return "nothing";
    }
How do you make a safe place for people to talk to each other? Read what they wrote before you answer them.
The answer is 42, or 3.14159 -- nobody knows. 12 + 30 = 42!  user assistant system think Safe Unsafe Controversial
caf\u00e9 na\u00efve \u00fcber stra\u00dfe \u4e2d\u6587\u6587\u672c\u6d4b\u8bd5 \u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8 \ud55c\uad6d\uc5b4 \u0440\u0443\u0441\u0441\u043a\u0438\u0439 \u0442\u0435\u043a\u0441\u0442 \U0001F600\U0001F44D
"""

ADDED = [AddedToken("<|endoftext|>", special=True, normalized=False),
         AddedToken("<|im_start|>", special=True, normalized=False),
         AddedToken("<|im_end|>", special=True, normalized=False),
         AddedToken("<|im_end|>\n\n", special=True, normalized=False),
         AddedToken("<think>", special=False, normalized=False),
         AddedToken("</think>", special=False, normalized=False),
         AddedToken("<left>", special=False, normalized=False, lstrip=True),
         AddedToken("<right>", special=False, normalized=False, rstrip=True),
         AddedToken("\u00e9t\u00e9", special=False, normalized=True)]

EXTRA = ["", " ", "\n", "<|im_end|>", "<|im_end|>\n\n\n", "<|im_<think>end|>", "a <left> b", "a \u3000\n<left><right>\t c",
         "<right> <left> x", "e\u0301te\u0301", "\u00e9t\u00e9s", "<|im_end", "<|im_end|><|im_end|>", "'\u017f", "\u212b \u212a"]


def make():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=SIZE, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([TEXT], trainer)
    tokenizer.add_tokens([token for token in ADDED if not token.special])
    tokenizer.add_special_tokens([token for token in ADDED if token.special])
    return tokenizer


def dump(path, value):
    path.write_text(json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n")


def main():
    folder = Path(sys.argv[1])
    (folder / "two_files").mkdir(parents=True, exist_ok=True)
    tokenizer = make()
    content = json.loads(tokenizer.to_str())
    merges = [tuple(merge) for merge in content["model"]["merges"]]
    dump(folder / "tokenizer.json", content)
    content["model"]["merges"] = [" ".join(merge) for merge in merges]
    dump(folder / "tokenizer_merges_as_strings.json", content)
    dump(folder / "two_files" / "vocab.json", content["model"]["vocab"])
    lines = ["#version: 0.2", *(" ".join(merge) for merge in merges)]
    (folder / "two_files" / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    added = {str(token["id"]): {k: v for k, v in token.items() if k != "id"} for token in content["added_tokens"]}
    dump(folder / "two_files" / "tokenizer_config.json", {"added_tokens_decoder": added})

    as_text = Tokenizer.from_str(tokenizer.to_str())
    as_text.encode_special_tokens = True
    strings = Strings(SEED, [token.content for token in ADDED])
    with open(folder / "golden.jsonl", "w", encoding="ascii") as out:
        for text in EXTRA + [strings.string() for _ in range(300)]:
            row = {"text": text, "ids": tokenizer.encode(text).ids, "ids_no_special": as_text.encode(text).ids}
            out.write(json.dumps(row, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
