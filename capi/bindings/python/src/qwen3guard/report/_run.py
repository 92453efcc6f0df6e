# SPDX-License-Identifier: Apache-2.0
"""A run of `qwen3guard eval`, and one beside it."""

import dataclasses
from pathlib import Path
from typing import List, Optional, Tuple

from ._metrics import Metrics, SetMetrics, read_metrics
from ._predictions import NotJudged, read_not_judged


@dataclasses.dataclass(frozen=True)
class Run:
    """What a folder holds. `label` is "A" or "B" of two runs, and empty for one alone."""
    folder: Path
    label: str
    metrics: Metrics
    not_judged: Optional[List[NotJudged]]


def read_run(folder: Path, label: str) -> Run:
    """Raises ReportError."""
    return Run(folder, label, read_metrics(folder), read_not_judged(folder))


class Runs:
    """One run, or two."""

    def __init__(self, runs: List[Run]) -> None:
        self.runs = runs

    @property
    def is_pair(self) -> bool:
        """Whether a second run stands beside."""
        return len(self.runs) == 2

    def set_names(self) -> List[str]:
        """Of both, those of the first in its order."""
        return list(dict.fromkeys(name for run in self.runs for name in run.metrics.sets))

    def of(self, name: str) -> List[Tuple[Run, SetMetrics]]:
        """The runs that have a set, and what they have of it."""
        return [(run, run.metrics.sets[name]) for run in self.runs if name in run.metrics.sets]
