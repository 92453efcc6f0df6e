# SPDX-License-Identifier: Apache-2.0
"""The files to judge: what kind they are, and how they are cut into shards."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import Iterable, Iterator

import pyarrow
import pyarrow.parquet

from .jsonl_lines import PIECE_BYTES, read_lines
from .problems import RunError, shown
from .shards import JSONL, PARQUET, RowNumbers, Shard

_OTHER_FORMS = {b"\xff\xfe": "UTF-16; expected UTF-8", b"\xfe\xff": "UTF-16; expected UTF-8",
                b"\x1f\x8b": "compressed by gzip; unpack it first", b"\x28\xb5\x2f\xfd": "compressed by zstd; unpack it first"}


@dataclass(frozen=True)
class InputFile:
    """What a file was when it was cut into shards."""

    path: str
    kind: str
    n_bytes: int
    mtime_ns: int
    n_rows: int
    digest: str

    def is_untouched(self) -> bool:
        """Size and time are the same, so that its bytes need not be compared. Raises RunError (it is gone)."""
        state = _stat(self.path)
        return (state.st_size, state.st_mtime_ns) == (self.n_bytes, self.mtime_ns)


def cut(path: str, shard_rows: int, first_index: int) -> tuple[InputFile, list[Shard]]:
    """Reads a file once. Raises RunError (no such file, not a kind that is known)."""
    try:
        state = _stat(path)
        kind = _kind(path)
        shards = list((_cut_parquet if kind == PARQUET else _cut_jsonl)(path, shard_rows, first_index))
        digest = _digest_file(path) if kind == PARQUET else digest_of(shard.digest for shard in shards)
        if not InputFile(path, kind, state.st_size, state.st_mtime_ns, 0, "").is_untouched():
            raise RunError(f"{shown(path)}: it changed while it was read")
    except OSError as error:
        raise RunError(f"{shown(path)}: {error.strerror or error}") from None
    n_rows = sum(shard.n_rows for shard in shards)
    return InputFile(path, kind, state.st_size, state.st_mtime_ns, n_rows, digest), shards


def digest_of(texts: Iterable[str]) -> str:
    """One digest of several."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def _stat(path: str) -> os.stat_result:
    try:
        return os.stat(path)
    except OSError as error:
        raise RunError(f"{shown(path)}: {error.strerror or error}") from None


def _kind(path: str) -> str:
    if not os.path.isfile(path):
        raise RunError(f"{shown(path)}: not a file; name the files themselves")
    with open(path, "rb") as file:
        begin = file.read(4)
    if begin == b"PAR1":
        return PARQUET
    if path.endswith(".parquet"):
        raise RunError(f"{shown(path)}: not Parquet")
    for magic, what in _OTHER_FORMS.items():
        if begin.startswith(magic):
            raise RunError(f"{shown(path)}: {what}")
    return JSONL


def _digest_file(path: str) -> str:
    with open(path, "rb") as file:
        out = hashlib.sha256()
        while piece := file.read(PIECE_BYTES):
            out.update(piece)
    return out.hexdigest()


def _cut_jsonl(path: str, shard_rows: int, index: int) -> Iterator[Shard]:
    begin = end = number = first_row = 0
    rows, digest = RowNumbers(), hashlib.sha256()
    with open(path, "rb") as file:
        for line in read_lines(file, os.fstat(file.fileno()).st_size, 0, lambda piece: digest.update(piece)):
            number, end = number + 1, end + line.n_bytes
            if line.is_blank:
                continue
            first_row = first_row or number
            rows.add(number)
            if rows.count == shard_rows:
                yield Shard(index, path, JSONL, first_row, rows.count, begin, end, digest.hexdigest(), rows.hexdigest())
                index, begin, first_row, rows, digest = index + 1, end, 0, RowNumbers(), hashlib.sha256()
    if rows.count:
        yield Shard(index, path, JSONL, first_row, rows.count, begin, end, digest.hexdigest(), rows.hexdigest())


def _cut_parquet(path: str, shard_rows: int, index: int) -> Iterator[Shard]:
    """No shard reaches over a row group's end, so that as few as can be are decoded for one."""
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            sizes = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]
    except pyarrow.ArrowException as error:
        raise RunError(f"{shown(path)}: {shown(error)}") from None
    if "messages" not in names and "prompt" not in names:
        raise RunError(f'{shown(path)}: no column "messages" and no column "prompt"')
    first = 1
    for size in sizes:
        for begin in range(0, size, shard_rows):
            n_rows = min(shard_rows, size - begin)
            rows = RowNumbers()
            for row in range(first, first + n_rows):
                rows.add(row)
            yield Shard(index, path, PARQUET, first, n_rows, 0, 0, "", rows.hexdigest())
            index, first = index + 1, first + n_rows
