"""Train the byte-level BPE that both nano models share, and write it in the form of Qwen's tokenizer.json."""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from labels import ADDED_PLAIN, ADDED_SPECIAL, CATEGORIES, SEVERITIES
from render import PROMPTS, prompt_template, verdict_text

SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")


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


def corpus(rows: list[dict], per_lang_chars: int, seed: int) -> list[str]:
    """Texts balanced over languages, then the prompts and verdict lines often enough to win whole-word merges."""
    rng = random.Random(seed)
    by_lang: dict[str, list[str]] = {}
    for r in rows:
        for m in r["messages"]:
            by_lang.setdefault(r["lang"], []).append(m["content"])
    out: list[str] = []
    for lang in sorted(by_lang):
        texts = sorted(set(by_lang[lang]))
        rng.shuffle(texts)
        budget = per_lang_chars * (6 if lang == "en" else 2 if lang == "zh" else 1)
        for t in texts:
            if budget <= 0:
                break
            out.append(t)
            budget -= len(t)
    fixed = [prompt_template(r) for r in ("user", "assistant")]
    fixed += [verdict_text(s, [c], f) for s in SEVERITIES for c in CATEGORIES for f in (True, False)]
    return out + fixed * 40


def train(rows: list[dict], vocab: int, seed: int, per_lang_chars: int = 400_000) -> Tokenizer:
    """Train, then put the added tokens at the end of the vocabulary."""
    tok = empty_tokenizer()
    added = ADDED_SPECIAL + ADDED_PLAIN
    trainer = trainers.BpeTrainer(vocab_size=vocab - len(added), show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), max_token_length=24)
    tok.train_from_iterator(corpus(rows, per_lang_chars, seed), trainer)
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
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--work", type=Path, default=Path(__file__).with_name(".work"))
    p.add_argument("--vocab", type=int, default=8192)
    p.add_argument("--seed", type=int, default=7)
    a = p.parse_args()
    print(f"tokenizer: seed {a.seed}, vocabulary {a.vocab}")
    rows = [json.loads(line) for line in (a.work / "train.jsonl").open(encoding="utf-8")]
    tok = train(rows, a.vocab, a.seed)
    save(tok, a.work / "tokenizer.json")
    print(f"written with {tok.get_vocab_size()} tokens; prompts from {PROMPTS.name}/")


if __name__ == "__main__":
    main()
