# SPDX-License-Identifier: Apache-2.0
"""The end of a run: is all there, exactly once, and what came of it."""

from __future__ import annotations

import collections
import json
import os
from dataclasses import dataclass, field
from typing import Any

from .judge_shard import check_part
from .output_folder import OutputFolder
from .parts import write_part
from .problems import RunError
from .shards import Shard


@dataclass
class Summary:
    """Of the whole output."""

    rows: int = 0
    severities: "collections.Counter[str]" = field(default_factory=collections.Counter)
    errors: "collections.Counter[str]" = field(default_factory=collections.Counter)  #: rows without a severity, by code
    set_aside: int = 0
    worker_deaths: int = 0

    @property
    def n_not_judged(self) -> int:
        """Rows without a severity."""
        return sum(self.errors.values())


def end_run(out: OutputFolder, shards: list[Shard]) -> Summary:
    """Reads all parts once more, so that nothing but the rows of the input is there, each once and in order, and writes
    set_aside.jsonl. Raises RunError, OSError."""
    summary = Summary()
    set_aside: list[dict[str, Any]] = []
    for shard in shards:
        done = out.done(shard)
        if done is None:
            raise RunError(f"{out.part(shard)}: it, or its file in done/, has gone; run the same command again")
        summary.rows += check_part(shard, out.part(shard))
        summary.severities.update(done["severities"])
        summary.errors.update(done["errors"])
        summary.worker_deaths += done["deaths"]
        set_aside += done["set_aside"]
    foreign = set(os.listdir(out.parts)) - {shard.name for shard in shards}
    foreign = {name for name in foreign if not name.endswith(".partial")}
    if foreign:
        raise RunError(f"{os.path.join(out.parts, min(foreign))}: not of this run")
    if summary.rows != sum(summary.severities.values()) + summary.n_not_judged:
        raise RunError(f"{out.path}: the counts of done/ are not those of parts/")
    summary.set_aside = len(set_aside)
    write_part(out.set_aside, "", [json.dumps(row).encode() + b"\n" for row in set_aside], str(os.getpid()))
    _remove_partials(out)
    return summary


def _remove_partials(out: OutputFolder) -> None:
    """What workers left that were killed while they wrote."""
    for name in os.listdir(out.parts):
        if name.endswith(".partial"):
            os.unlink(os.path.join(out.parts, name))
