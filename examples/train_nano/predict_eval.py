"""Predictions of a checkpoint in PyTorch on a folder of benchmarks, the everyday set and what was held out, and their metrics, as `qwen3guard eval` writes them."""

from __future__ import annotations

import argparse
from pathlib import Path

from tqdm import tqdm

from everyday import FOLDER, HALVES
from metrics import prediction, score, write_predictions
from predict import gen_records, stream_records
from render import Renderer, load_tokenizer
from train import load_model, read_jsonl


def span_tokens(row: dict, record: dict, r: Renderer) -> list[int] | None:
    """The annotated characters as token indices into the rendered conversation, both ends inclusive."""
    span = row.get("unsafe_span_chars")
    if not span:
        return None
    offsets = r.tok.encode(row["messages"][-1]["content"], add_special_tokens=False).offsets
    inside = [i for i, (a, b) in enumerate(offsets) if b > span[0] and a < span[1]]
    return [record["begin"] + inside[0], record["begin"] + inside[-1]] if inside else None


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--form", choices=["gen", "stream"], required=True)
    p.add_argument("--checkpoint", type=Path, required=True)
    p.add_argument("--work", type=Path, default=Path(__file__).with_name(".work"))
    p.add_argument("--data", type=Path, required=True, help="folder of labelled benchmarks (…/eval)")
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("--only", nargs="*", help="names of benchmarks")
    a = p.parse_args()
    r = Renderer(load_tokenizer(a.work / "tokenizer.json"))
    model = load_model(a.checkpoint)
    files = [*sorted(a.data.glob("*.jsonl")), *(FOLDER / f"{half}.jsonl" for half in HALVES), a.work / "heldout.jsonl"]
    lines = []
    for path in tqdm([f for f in files if not a.only or f.stem in a.only], desc="evaluate"):
        rows = [row for row in read_jsonl(path) if row.get("refusal") is not None or not row.get("label_derived")]
        if a.form == "gen":
            records = gen_records(model, rows, r, extra="responses" in path.stem or path.stem in HALVES)
        else:
            records = stream_records(model, rows, r)
            for row, rec in zip(rows, records):
                if "begin" in rec:
                    rec["span"] = span_tokens(row, rec, r)
        lines += [prediction(path.stem, row, rec) for row, rec in zip(rows, records)]
    write_predictions(a.out, lines)
    score(a.out)


if __name__ == "__main__":
    main()
