# SPDX-License-Identifier: Apache-2.0
"""The published-layout folders, in BF16, of the stage of training that the repository keeps. Needs the tokenizers package."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TRAINING = ROOT / "examples/train_nano"
sys.path.insert(0, str(TRAINING))
import export  # noqa: E402
import render  # noqa: E402

STAGE = TRAINING / "stages/nano"


def write(out: pathlib.Path) -> None:
    """Writes nano-gen and nano-stream below `out`."""
    prompts = {role: render.prompt_template(role) for role in ("user", "assistant")}
    for kind in ("gen", "stream"):
        export.write(out / f"nano-{kind}", kind, STAGE, prompts)
