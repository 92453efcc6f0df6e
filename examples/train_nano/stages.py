"""Keep a stage's weights, in the repository too, and go on from them: BF16, with the vocabulary that they belong to.
Two seeds that went on from the same weights are joined in their mean (model soups: Wortsman et al., arXiv:2203.05482).

    stages.py save --checkpoint .work/full/words.pt --tokenizer .work/full/tokenizer.json --stage stages/words
    stages.py load --stage stages/words --work .work/full          writes tokenizer.json and words.pt there
    stages.py mean --checkpoint .work/full/third7.pt .work/full/third8.pt --out .work/full/third.pt
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file


def save(checkpoint: Path, tokenizer: Path, stage: Path) -> None:
    """Write the averaged weights of a checkpoint, with its shape, and its vocabulary."""
    state = torch.load(checkpoint, weights_only=True)
    stage.mkdir(parents=True, exist_ok=True)
    tensors = {k: v.to(torch.bfloat16).contiguous() for k, v in sorted(state["ema"].items())}
    save_file(tensors, stage / "model.safetensors", metadata={"format": "pt", "nano_config": json.dumps(state["config"])})
    shutil.copyfile(tokenizer, stage / "tokenizer.json")


def load(stage: Path, work: Path) -> Path:
    """The checkpoint that train.py and calibrate.py read, named after the stage; returns its path."""
    with safe_open(stage / "model.safetensors", "pt") as f:
        state = {"config": json.loads(f.metadata()["nano_config"]), "ema": {k: f.get_tensor(k).float() for k in f.keys()}}
    work.mkdir(parents=True, exist_ok=True)
    out = work / f"{stage.name}.pt"
    torch.save(state, out)
    shutil.copyfile(stage / "tokenizer.json", work / "tokenizer.json")
    return out


def mean(checkpoints: list[Path], out: Path) -> None:
    """Write the mean of the averaged weights of checkpoints of one shape."""
    states = [torch.load(path, weights_only=True, map_location="cpu") for path in checkpoints]
    for path, state in zip(checkpoints, states, strict=True):
        if state["config"] != states[0]["config"]:
            raise ValueError(f"{path} has another shape than {checkpoints[0]}")
    ema = {name: torch.stack([state["ema"][name].float() for state in states]).mean(0) for name in states[0]["ema"]}
    partial = out.with_suffix(".tmp")
    torch.save({"config": states[0]["config"], "ema": ema}, partial)
    partial.replace(out)


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = p.add_subparsers(dest="command", required=True)
    one = sub.add_parser("save")
    one.add_argument("--checkpoint", type=Path, required=True)
    one.add_argument("--tokenizer", type=Path, required=True)
    two = sub.add_parser("load")
    two.add_argument("--work", type=Path, required=True)
    for s in (one, two):
        s.add_argument("--stage", type=Path, required=True)
    three = sub.add_parser("mean")
    three.add_argument("--checkpoint", type=Path, nargs="+", required=True)
    three.add_argument("--out", type=Path, required=True)
    a = p.parse_args()
    if a.command == "save":
        save(a.checkpoint, a.tokenizer, a.stage)
    elif a.command == "mean":
        mean(a.checkpoint, a.out)
    else:
        print(load(a.stage, a.work))


if __name__ == "__main__":
    main()
