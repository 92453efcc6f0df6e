# SPDX-License-Identifier: Apache-2.0
"""The folder that a run writes, which all nodes of a cluster must see.

    run.json          what the run is about; without it the folder is not one of a run
    plan.jsonl        its shards
    parts/            a part for each finished shard: the output
    done/             a file for each finished shard, with counts
    attempts/         what workers are doing
    set_aside.jsonl   the rows that were given up, when the run is finished
    model.q3g         the packed model, when --model names another one
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from typing import IO, Any, Optional

from .problems import RunError, shown
from .shards import Shard

_BEFORE_RUN = {"lock", "model.q3g", "plan.jsonl", "parts", "done", "attempts"}  # what a run that was killed early leaves


class OutputFolder:
    """Where things are. Plain paths: for any process that sees the folder."""

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        self.parts = os.path.join(self.path, "parts")
        self.attempts = os.path.join(self.path, "attempts")
        self.run = os.path.join(self.path, "run.json")
        self.plan = os.path.join(self.path, "plan.jsonl")
        self.set_aside = os.path.join(self.path, "set_aside.jsonl")
        self.model = os.path.join(self.path, "model.q3g")

    def part(self, shard: Shard) -> str:
        """A shard's output."""
        return os.path.join(self.parts, shard.name)

    def done_path(self, shard: Shard) -> str:
        """Says that the shard is finished: written behind the part."""
        return os.path.join(self.path, "done", f"{shard.name}.json")

    def done(self, shard: Shard) -> Optional[dict[str, Any]]:
        """What is said of a finished shard; None while it is not."""
        try:
            with open(self.done_path(shard), encoding="utf-8") as file:
                out: dict[str, Any] = json.load(file)
            return out if os.path.getsize(self.part(shard)) == out["bytes"] else None
        except (FileNotFoundError, ValueError):
            return None

    def is_run(self, digest: str) -> bool:
        """True where this process sees the run with this digest of run.json."""
        try:
            with open(self.run, "rb") as file:
                return hashlib.sha256(file.read()).hexdigest() == digest
        except OSError:
            return False

    def make(self) -> None:
        """Makes the folders. Raises RunError (it cannot be written, or holds something else)."""
        try:
            if not os.path.exists(self.run) and os.path.isdir(self.path) and set(os.listdir(self.path)) - _BEFORE_RUN:
                raise RunError(f"{shown(self.path)}: holds other things; give an empty or a new folder as --out")
            for folder in (self.parts, self.attempts, os.path.join(self.path, "done")):
                os.makedirs(folder, exist_ok=True)
        except OSError as error:
            raise RunError(f"{shown(self.path)}: cannot be written: {error.strerror or error}") from None

    def lock(self) -> IO[bytes]:
        """Held until the file is closed or the process ends. Raises RunError (another process has it)."""
        try:
            file = open(os.path.join(self.path, "lock"), "wb")
        except OSError as error:
            raise RunError(f"{shown(self.path)}: cannot be written: {error.strerror or error}") from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise RunError(f"{shown(self.path)}: another run is writing there") from None
        return file
