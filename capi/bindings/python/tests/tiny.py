# SPDX-License-Identifier: Apache-2.0
"""Checkpoints that settle what tests ask about, whatever the models in the library believe."""

from pathlib import Path

GEN, STREAM = (str(Path(__file__).resolve().parents[4] / "tests/golden/tiny" / kind) for kind in ("gen", "stream"))
