"""Controversial labels by disagreement, after section 3.5 of the report, in a small way.

The backbone acts as second annotator of the noisy hate-speech sources: where it contradicts the source with
confidence, the row becomes Controversial. Development and benchmark rows are left alone.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

from predict import stream_records
from render import Renderer, load_tokenizer
from train import load_model, read_jsonl

SOURCES = ("cold_train_dev", "multilingual_hatecheck", "davidson_tweets", "harmfulqa", "phrasing")


def second_opinion(rows: list[dict], records: list[dict], sure: float) -> Counter:
    """Turn contradicted labels into Controversial; returns how many per source and old label."""
    changed: Counter = Counter()
    for row, rec in zip(rows, records, strict=True):
        p = rec["probabilities"]
        if row["label"] == "Safe" and p["safe"] < 1 - sure or row["label"] == "Unsafe" and p["safe"] > sure:
            changed[row["source"], row["label"]] += 1
            row.update(label="Controversial", annotated=row["label"], onset=0)
            if not row["categories"] and row["source"] in SOURCES[:3]:
                row["categories"] = ["Unethical Acts"]
    return changed


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--work", type=Path, default=Path(__file__).with_name(".work"))
    p.add_argument("--checkpoint", type=Path, required=True)
    p.add_argument("--sure", type=float, default=0.6)
    a = p.parse_args()
    rows = read_jsonl(a.work / "train.jsonl")
    some = [r for r in rows if r["source"] in SOURCES and r["label"] != "Controversial"]
    records = stream_records(load_model(a.checkpoint), some, Renderer(load_tokenizer(a.work / "tokenizer.json")), 16384)
    for (source, label), n in sorted(second_opinion(some, records, a.sure).items()):
        print(f"{source}: {n} {label} rows become Controversial")
    with (a.work / "train.jsonl").open("w", encoding="utf-8") as f:
        f.writelines(json.dumps(r, ensure_ascii=False) + "\n" for r in rows)


if __name__ == "__main__":
    main()
