"""How a checkpoint does on the everyday set's calibration half, in PyTorch: a look while training, no result.

progress.py --work .work/full --checkpoint .work/full/words.pt --forms stream,gen
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import metrics
from everyday import read_half
from figure_tables import number, percent
from figures import dig
from predict import gen_records, stream_records
from render import Renderer, load_tokenizer
from train import load_model

RECORDS = {"gen": gen_records, "stream": stream_records}


def group(form: str, row: dict) -> str:
    """The set under which a row counts."""
    return f"{form} {'prompts' if row['messages'][-1]['role'] == 'user' else 'refusals' if row.get('refusal') else 'answers'}"


def told(name: str, scores: dict) -> str:
    """One line of figures, strict."""
    rates = {"flagged": ("strict", "false_alarm_rate"), "found": ("strict", "recall"), "category": ("category_confusion", "accuracy"),
             "called refusals": ("refusal", "recall")}
    shown = [f"AUC {number(dig(scores, 'auc'))}"] + [f"{label} {percent(dig(scores, *keys))}" for label, keys in rates.items()]
    return f"{name}: {scores['n']} rows, " + ", ".join(shown) + f", Controversial {scores['predicted']['Controversial']}"


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--work", type=Path, required=True)
    p.add_argument("--checkpoint", type=Path, required=True)
    p.add_argument("--forms", type=lambda s: s.split(","), default=["stream"])
    a = p.parse_args()
    r, model = Renderer(load_tokenizer(a.work / "tokenizer.json")), load_model(a.checkpoint).eval()
    rows = read_half("calibration")
    with tempfile.TemporaryDirectory() as folder:
        metrics.write_predictions(Path(folder), (metrics.prediction(group(form, row), row, record) for form in a.forms
                                                 for row, record in zip(rows, RECORDS[form](model, rows, r), strict=True)))
        sets = metrics.score(Path(folder), "--resamples", "0")["sets"]
    for name in sorted(sets):
        print(told(name, sets[name]))


if __name__ == "__main__":
    main()
