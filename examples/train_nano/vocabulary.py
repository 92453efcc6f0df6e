"""The byte-level BPE that both nano models share, in the form of Qwen's tokenizer.json.

Merges are learnt from the training texts and from the teachers' own pieces, each as often as its unigram probability
says: so words that our texts hardly hold, in any language of the teachers, get a token, too.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
from collections.abc import Iterator
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from labels import ADDED_PLAIN, ADDED_SPECIAL, CATEGORIES, SEVERITIES
from render import prompt_template, verdict_text

SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")
#: Characters of text per language; English and Chinese, whose texts are most varied here, get a multiple.
PER_LANGUAGE_CHARS = 300_000
SHARE = {"en": 16.0, "zh": 2.0}
#: How often the rows written by hand are shown.
HAND_COUNT = 4
#: How often a piece of unigram probability 1 would be shown.
PIECE_COUNT = {"use": 5.0e6, "e5": 3.0e6}
#: Pieces inside words count less: a token that is a word has a vector that means something.
INNER_SHARE = 0.3
#: A letter of its own among the pieces is shown at least so often if it is shown at all: no byte fragments of it.
LETTER_COUNT = 80
#: Scripts and letters of languages that only the second teacher knows: Devanagari, Bengali, Vietnamese.
E5_ONLY = re.compile("[\u0900-\u097f\u0980-\u09ff\u1ea0-\u1ef9\u01a0\u01a1\u01af\u01b0\u0110\u0111]")


def empty_tokenizer() -> Tokenizer:
    """A BPE model without merges, with Qwen's normaliser, pre-tokeniser and decoder."""
    tok = Tokenizer(models.BPE())
    tok.normalizer = normalizers.NFC()
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tok.decoder = decoders.ByteLevel()
    return tok


def text_corpus(rows: list[dict], rng: random.Random) -> Iterator[str]:
    """Texts balanced over languages, then the prompts and verdict lines often enough to win whole-word merges."""
    by_lang: dict[str, dict[str, None]] = {}
    for r in rows:
        for m in r["messages"]:
            by_lang.setdefault(r["lang"], {})[m["content"]] = None
    for lang in sorted(by_lang):
        texts = sorted(by_lang[lang])
        rng.shuffle(texts)
        budget = PER_LANGUAGE_CHARS * SHARE.get(lang, 1.0)
        for t in texts:
            budget -= len(t)
            if budget > 0:
                yield t
    for r in rows:  # what a newcomer would type: its words are worth a token
        if r["source"] == "hand":
            for m in r["messages"]:
                yield from [m["content"]] * HAND_COUNT
    fixed = [prompt_template(r) for r in ("user", "assistant")]
    fixed += [verdict_text(s, [c], f) for s in SEVERITIES for c in CATEGORIES for f in (True, False)]
    for _ in range(40):
        yield from fixed


def piece_corpus(pieces: list[tuple[str, float]], count: float, rng: random.Random) -> Iterator[str]:
    """Each piece of (text, log probability) as often as count * probability, spaces in their place."""
    for text, score in pieces:
        word = text.replace("\u2581", " ")
        expected = count * math.exp(score) * (INNER_SHARE if word[:1].isalpha() and ord(word[0]) < 0x2E80 else 1.0)
        n = int(expected) + (rng.random() < expected % 1)
        if n and len(word) == 1 and word.isalpha() and ord(word) > 127:
            n = max(n, LETTER_COUNT)
        if word.strip():
            for _ in range(min(n, 20_000)):
                yield word


def teacher_pieces() -> dict[str, list[tuple[str, float]]]:
    """(piece, log probability) of both teachers."""
    from teachers.e5_encoder import E5Encoder
    from teachers.use_encoder import UseEncoder
    use = UseEncoder().pieces
    return {"use": [(use.id_to_piece(i), use.get_score(i)) for i in range(3, use.get_piece_size())],
            "e5": [x for x in E5Encoder().scored_pieces if E5_ONLY.search(x[0])]}


def train(rows: list[dict], pieces: dict[str, list[tuple[str, float]]], vocab: int, seed: int) -> Tokenizer:
    """Train, then put the added tokens at the end of the vocabulary."""
    tok, rng = empty_tokenizer(), random.Random(seed)
    added = ADDED_SPECIAL + ADDED_PLAIN
    def corpus() -> Iterator[str]:
        yield from text_corpus(rows, rng)
        for name in sorted(pieces):
            yield from piece_corpus(pieces[name], PIECE_COUNT[name], rng)
    trainer = trainers.BpeTrainer(vocab_size=vocab - len(added), show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), max_token_length=24)
    tok.train_from_iterator(corpus(), trainer)
    tok.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in ADDED_SPECIAL])
    tok.add_tokens([AddedToken(t, normalized=False, special=False) for t in ADDED_PLAIN])
    return tok


def save(tok: Tokenizer, path: Path) -> None:
    """Write tokenizer.json compactly, merges as "left right" strings like the published file."""
    data = json.loads(tok.to_str())
    merges = data["model"]["merges"]
    data["model"]["merges"] = [m if isinstance(m, str) else " ".join(m) for m in merges]
    path.write_text(json.dumps(data, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--work", type=Path, required=True)
    p.add_argument("--vocab", type=int, default=40960)
    p.add_argument("--seed", type=int, default=7)
    p.add_argument("--no-teachers", action="store_true", help="from the training texts alone (smoke run)")
    a = p.parse_args()
    rows = [json.loads(line) for line in (a.work / "train.jsonl").open(encoding="utf-8")]
    tok = train(rows, {} if a.no_teachers else teacher_pieces(), a.vocab, a.seed)
    save(tok, a.work / "tokenizer.json")
    print(f"vocabulary: seed {a.seed}, {tok.get_vocab_size()} tokens")


if __name__ == "__main__":
    main()
