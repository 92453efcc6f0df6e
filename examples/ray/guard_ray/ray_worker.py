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
        """For map_batches: shards in; out of each, why it was given up, and what must end the run, "" where nothing did. What is
        raised would come wrapped in Ray's words, and be retried."""
        outcomes = [self._one(Shard(**json.loads(text))) for text in batch["shard"]]
        return {"given_up": [given_up for given_up, _ in outcomes], "fatal": [fatal for _, fatal in outcomes]}

    def _one(self, shard: Shard) -> tuple[str, str]:
        node = os.uname().nodename
        try:
            return judge_shard(shard, self._out, self._load, self._plan.batch_rows) or "", ""
        except RunError as error:
            return "", f"{node}: {error}"
        except OSError as error:
            return "", f"{node}: {error.filename or shard.file}: {error.strerror or error}"
        except Exception as error:  # a mistake of ours, or the model cannot be loaded on this node
            return "", f"{node}: {shard.name}: {type(error).__name__}: {error}"

    def _load(self) -> RowJudge:
        """The model, when a shard asks for it first: a process that dies here has noted what for."""
        if self._judge is None:
            if not self._out.is_run(self._plan.run_digest):
                raise RunError(f"does not see {self._out.path}; all nodes must share the folder")
            if digest_of_model(self._plan.model) != self._plan.model_digest:
                raise RunError(f"{self._plan.model} is another model there")
            self._judge = RowJudge(self._plan.model, self._plan.guard)
        return self._judge
