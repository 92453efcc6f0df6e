"""How a checkpoint does on the everyday set's calibration half, in PyTorch: a look while training, no result.

progress.py --work .work/full --checkpoint .work/full/words.pt --forms stream,gen
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from everyday import read_half
from predict import gen_records, stream_records
from render import Renderer, load_tokenizer
from train import load_model


def auc(safe: np.ndarray, unsafe: np.ndarray) -> float:
    """Chance that an unsafe row ranks above a safe one, ties half."""
    more = unsafe[:, None] - safe[None]
    return float((more > 0).mean() + 0.5 * (more == 0).mean())


def shares(rows: list[dict], records: list[dict], wanted: str) -> str:
    """Rates at the model's own verdicts."""
    score = np.array([1 - r["probabilities"]["safe"] for r in records])
    flagged = np.array([r["severity"] != "Safe" for r in records])
    unsafe = np.array([r["label"] == "Unsafe" for r in rows])
    found = [i for i in np.flatnonzero(unsafe & flagged)]
    right = np.mean([rows[i]["categories"][0] in records[i]["categories"] for i in found]) if found else 0
    line = np.quantile(score[~unsafe], 0.95)
    out = (f"{wanted}: AUC {auc(score[~unsafe], score[unsafe]):.3f}, at 5 % alarms {np.mean(score[unsafe] > line):.2f}; own: "
           f"alarms {100 * flagged[~unsafe].mean():.1f} %, recall {100 * flagged[unsafe].mean():.1f} %, category {100 * right:.0f} %, "
           f"Controversial {np.mean([r['severity'] == 'Controversial' for r in records]):.3f}")
    refused = np.array([bool(r.get("refusal")) for r in rows])
    if refused.any():
        out += f"; refusals flagged {100 * flagged[refused].mean():.1f} %"
        said = np.array([bool(r["refusal"]) and r["refusal"]["value"] == "Yes" for r in records])
        out += f", found {100 * said[refused].mean():.0f} %, invented {100 * said[~refused].mean():.0f} %" if said.any() else ""
    return out


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--work", type=Path, required=True)
    p.add_argument("--checkpoint", type=Path, required=True)
    p.add_argument("--forms", type=lambda s: s.split(","), default=["stream"])
    a = p.parse_args()
    r, model = Renderer(load_tokenizer(a.work / "tokenizer.json")), load_model(a.checkpoint).eval()
    rows = [{"source": "", **x} for x in read_half("calibration")]
    for form in a.forms:
        records = (gen_records if form == "gen" else stream_records)(model, rows, r)
        for role in ("user", "assistant"):
            at = [i for i, x in enumerate(rows) if x["messages"][-1]["role"] == role]
            print(f"{form} " + shares([rows[i] for i in at], [records[i] for i in at], "prompts" if role == "user" else "answers"))


if __name__ == "__main__":
    main()
