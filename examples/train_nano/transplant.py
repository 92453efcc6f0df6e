"""Carry a checkpoint over to another tokenizer: shared tokens keep their vector, new ones get the mean of their parts.

The first stage trains on the sources alone; when synthetic rows bring new languages and with them a new vocabulary,
this saves training again from nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from tokenizers import Tokenizer


def transplant(state: dict, old: Tokenizer, new: Tokenizer) -> dict:
    """The averaged weights with the embedding re-indexed."""
    source = state["ema"]["model.embed_tokens.weight"]
    out = torch.empty(new.get_vocab_size(), source.shape[1])
    vocab = old.get_vocab()
    kept = 0
    for token, i in new.get_vocab().items():
        if token in vocab:
            out[i] = source[vocab[token]]
            kept += 1
            continue
        text = new.decode([i])
        parts = old.encode(text, add_special_tokens=False).ids if text and "\ufffd" not in text else []
        parts = parts or [vocab[c] for c in token if c in vocab]
        out[i] = source[parts].mean(0)
    print(f"{kept} of {len(out)} tokens kept")
    return {"config": {**state["config"], "vocab_size": len(out)}, "ema": {**state["ema"], "model.embed_tokens.weight": out}}


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--checkpoint", type=Path, required=True)
    p.add_argument("--old", type=Path, required=True, help="tokenizer.json of the checkpoint")
    p.add_argument("--new", type=Path, required=True, help="tokenizer.json to carry it over to")
    p.add_argument("--out", type=Path, required=True)
    a = p.parse_args()
    state = torch.load(a.checkpoint, weights_only=True)
    torch.save(transplant(state, Tokenizer.from_file(str(a.old)), Tokenizer.from_file(str(a.new))), a.out)


if __name__ == "__main__":
    main()
