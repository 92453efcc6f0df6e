# SPDX-License-Identifier: Apache-2.0
"""The run on Ray: shards go through Ray Data by name, and rows do not go through it at all."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
from pathlib import Path
from typing import Any, Iterator, Optional

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray  # noqa: E402  reads this when it is imported
import ray.data  # noqa: E402

from .output_folder import OutputFolder  # noqa: E402
from .problems import RunError  # noqa: E402
from .ray_worker import ShardWorker  # noqa: E402
from .run_plan import RunPlan  # noqa: E402
from .shards import Shard  # noqa: E402

MAX_BLOCKS = 20_000  #: More shards share blocks.
_OBJECT_STORE_BYTES = 80 << 20  # Names of shards need little; Ray asks for this much at least.


def connect(address: Optional[str], n_workers: Optional[int]) -> int:
    """Starts Ray on this machine, or joins a cluster ("auto": the one that runs here). Returns how many workers there will be.
    Raises RunError."""
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address is None:
            n_workers = n_workers or len(os.sched_getaffinity(0))
            ray.init(address="local", num_cpus=n_workers, include_dashboard=False, object_store_memory=_OBJECT_STORE_BYTES, **quiet)
        else:
            package = str(Path(__file__).resolve().parent)
            ray.init(address=address, runtime_env={"py_modules": [package]}, **quiet)
    except (ConnectionError, ValueError, RuntimeError, OSError) as error:
        raise RunError(f"Ray: {str(error).splitlines()[0] if str(error) else error!r}") from None
    n_cores = int(ray.cluster_resources().get("CPU", 0))  # type: ignore[no-untyped-call]
    if n_cores < 1:
        raise RunError("Ray: the cluster has no CPU")
    return min(n_workers or n_cores, n_cores)


def disconnect() -> None:
    """Leaves the cluster, or ends the one that was started here, and all workers with it."""
    ray.shutdown()


def judge_all(plan: RunPlan, shards: list[Shard], out: OutputFolder, n_workers: int) -> Iterator[str]:
    """Judges shards; yields for each, as it ends, why it was given up, or "". A worker that dies is started anew, and its shard
    with it. Raises RunError."""
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    small = dataclasses.replace(plan, shards=[])
    names = [{"shard": json.dumps(dataclasses.asdict(shard))} for shard in shards]
    n_workers = min(n_workers, len(shards))
    work = ray.data.from_items(names, override_num_blocks=min(len(names), MAX_BLOCKS)).map_batches(
        ShardWorker, fn_constructor_args=(small, out.path), batch_size=1, num_cpus=1, zero_copy_batch=True,
        compute=ray.data.ActorPoolStrategy(size=n_workers, max_tasks_in_flight_per_actor=1))
    try:
        for row in work.iter_rows():
            if row["fatal"]:
                raise RunError(row["fatal"])
            yield row["given_up"]
    except ray.exceptions.RayError as error:
        raise RunError(f"Ray: {' '.join(str(error).split())[:500]}") from None
