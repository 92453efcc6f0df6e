# SPDX-License-Identifier: Apache-2.0
"""The actor: what Ray starts on a node, once for each core."""

from __future__ import annotations

import json
import os
from typing import Any, Optional

from .judge_rows import RowJudge
from .judge_shard import judge_shard
from .model_file import digest_of_model
from .output_folder import OutputFolder
from .problems import RunError
from .run_plan import RunPlan
from .shards import Shard


class ShardWorker:
    """Judges shards, one after the other, on one thread."""

    def __init__(self, plan: RunPlan, folder: str) -> None:
        self._plan = plan  # without its shards
        self._out = OutputFolder(folder)
        self._judge: Optional[RowJudge] = None

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        """For map_batches: names of shards in, why they were given up ("" when they were not) out."""
        return {"given_up": [self._one(Shard(**json.loads(text))) for text in batch["shard"]]}

    def _one(self, shard: Shard) -> str:
        try:
            return judge_shard(shard, self._out, self._load, self._plan.batch_rows) or ""
        except OSError as error:
            raise RunError(f"{os.uname().nodename}: {error.filename or shard.file}: {error.strerror or error}") from None

    def _load(self) -> RowJudge:
        """The model, when a shard asks for it first: a process that dies here has noted what for."""
        if self._judge is None:
            node = os.uname().nodename
            if not self._out.is_run(self._plan.run_digest):
                raise RunError(f"{node}: does not see {self._out.path}; all nodes must share the folder")
            if digest_of_model(self._plan.model) != self._plan.model_digest:
                raise RunError(f"{node}: {self._plan.model} is another model there")
            self._judge = RowJudge(self._plan.model, self._plan.guard)
        return self._judge
