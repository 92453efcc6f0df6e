# SPDX-License-Identifier: Apache-2.0
"""The training rows with other weights, for the last round of nano-gen.

Everyday queries count more, so that they stay Safe when the operating point moves towards caution; responses, Chinese
forum comments and long task texts count less: the verdict on prompts is what the last round is for.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

EVERYDAY = ("clinc_queries", "banking77_queries")
HALVED = ("cold_train_dev", "p3_tasks", "t0_templates", "safetybench_zh_subset")


def factor(row: dict) -> float:
    """What the row's weight is multiplied by."""
    if row["source"] in EVERYDAY:
        return 3.5
    if row["messages"][-1]["role"] == "assistant":
        return 0.25
    return 0.5 if row["source"] in HALVED else 1.0


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--work", type=Path, required=True, help="folder with train.jsonl, dev.jsonl, tokenizer.json")
    p.add_argument("--out", type=Path, required=True, help="folder for the same files with the new weights")
    a = p.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    for name in ("dev.jsonl", "heldout.jsonl", "tokenizer.json"):
        shutil.copy(a.work / name, a.out / name)
    with (a.work / "train.jsonl").open(encoding="utf-8") as rows, (a.out / "train.jsonl").open("w", encoding="utf-8") as out:
        for line in rows:
            row = json.loads(line)
            row["weight"] *= factor(row)
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
