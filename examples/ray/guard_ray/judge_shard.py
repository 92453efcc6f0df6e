# SPDX-License-Identifier: Apache-2.0
"""One shard, from its rows to a part that is whole: what a worker does, without Ray."""

from __future__ import annotations

import collections
import json
import os
from dataclasses import asdict, dataclass, field
from typing import Any, Callable, Iterator, Optional

from .attempts import Attempt, Past, read_past
from .judge_rows import SET_ASIDE_CODES, WORKER_DIED, RowJudge
from .output_folder import OutputFolder
from .output_rows import read_line
from .parts import row_places, write_part, write_whole
from .problems import RunError
from .row_reader import Row, read_rows
from .shards import RowNumbers, Shard

MAX_DEATHS = 64  #: of workers on one shard: more look like a broken machine
MAX_DEATHS_OUTSIDE = 3  #: at one place, while they loaded the model or read the file
MAX_ROW_DEATHS = 2  #: the first one is retried


@dataclass
class Done:
    """What became of a shard's rows: the file that says that the shard is finished."""

    rows: int = 0
    bytes: int = 0
    severities: dict[str, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)  #: by code
    set_aside: list[dict[str, Any]] = field(default_factory=list)
    deaths: int = 0


def judge_shard(shard: Shard, out: OutputFolder, load: Callable[[], RowJudge], batch_rows: int) -> Optional[str]:
    """Judges a shard and writes its part, unless it is there. load: gives the model; a worker may die of that, too. Returns why
    the shard was given up, else None. Raises RunError (the input has changed), OSError, and what load raises."""
    if out.done(shard) is not None:
        return None
    past = read_past(out.attempts, shard.name)
    if past.n_deaths_outside >= MAX_DEATHS_OUTSIDE:
        return f"{past.n_deaths_outside} workers died of it while they loaded the model or read the rows"
    if past.n_deaths >= MAX_DEATHS:
        return f"{past.n_deaths} workers died of it"
    attempt = Attempt(out.attempts, shard.name)
    try:
        _judge_all(shard, past, attempt, load(), batch_rows)
        _finish(shard, out, past, attempt)
    except Exception:
        attempt.remove()  # an error is told of, a death is not
        raise
    attempt.remove()
    past.remove()
    return None


def _judge_all(shard: Shard, past: Past, attempt: Attempt, judge: RowJudge, batch_rows: int) -> None:
    attempt.add(past.lines)
    n_known = len(past.lines)
    for rows in _batches(read_rows(shard), batch_rows):
        fresh, n_known = rows[n_known:], max(0, n_known - len(rows))
        if any(past.deaths[row.number] for row in fresh):
            for row in fresh:
                attempt.add([_judge_suspect(shard, row, past, attempt, judge)])
        elif fresh:
            attempt.at([row.number for row in fresh])
            attempt.add(judge.judge(shard.file, fresh))


def _judge_suspect(shard: Shard, row: Row, past: Past, attempt: Attempt, judge: RowJudge) -> bytes:
    """One of the rows with which a worker died: by itself, once."""
    if past.deaths[row.number] >= MAX_ROW_DEATHS:
        reason = f"{row.what} {row.number}: the worker died {MAX_ROW_DEATHS} times while it judged this"
        return judge.give_up(shard.file, row, WORKER_DIED, reason)
    attempt.at([row.number])
    return judge.judge(shard.file, [row])[0]


def _batches(rows: Iterator[Row], n: int) -> Iterator[list[Row]]:
    """Cut by their place in the shard alone."""
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) == n:
            yield batch
            batch = []
    if batch:
        yield batch


def _finish(shard: Shard, out: OutputFolder, past: Past, attempt: Attempt) -> None:
    """Writes the part, reads it back, and says that it is finished."""
    attempt.at([])
    done = Done(deaths=past.n_deaths)
    path = out.part(shard)
    done.bytes = write_part(path, shard.kind, _counted(attempt.path, done), os.path.basename(attempt.path))
    done.rows = check_part(shard, path)
    write_whole(out.done_path(shard), json.dumps(asdict(done)))


def _counted(path: str, done: Done) -> Iterator[bytes]:
    severities: "collections.Counter[str]" = collections.Counter()
    errors: "collections.Counter[str]" = collections.Counter()
    with open(path, "rb") as lines:
        for line in lines:
            row = read_line(line)
            if "at" in row:
                continue
            if row["severity"] is not None:
                severities[row["severity"]] += 1
            else:
                error = row.get("error", {"code": "not_judged", "message": "the model judged nothing"})
                errors[error["code"]] += 1
                if error["code"] in SET_ASIDE_CODES:
                    done.set_aside.append({"file": row["file"], "row": row["row"], "reason": error["message"]})
            yield line
    done.severities, done.errors = dict(sorted(severities.items())), dict(sorted(errors.items()))


def check_part(shard: Shard, path: str) -> int:
    """Counts a part's rows, which must be the shard's: each once, and in order. Raises RunError, OSError."""
    found = RowNumbers()
    try:
        for file, row in row_places(path, shard.kind):
            if file != shard.file:
                raise RunError(f"{path}: a row of {file}; expected {shard.file}")
            found.add(row)
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path}: damaged: {error!s:.200}") from None
    if (found.count, found.hexdigest()) != (shard.n_rows, shard.rows_digest):
        raise RunError(f"{path}: {found.count} rows, not the {shard.n_rows} of the input, each once; remove it and its file in done/")
    return found.count
