# SPDX-License-Identifier: Apache-2.0
"""Reads a shard's rows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Iterator, Optional

import pyarrow
import pyarrow.parquet

from .conversation import read_id, read_messages
from .jsonl_lines import MAX_LINE_BYTES, read_lines
from .problems import RowError, RunError, shown
from .shards import PARQUET, Shard
from .strict_json import parse

_PARQUET_BATCH_ROWS = 256
_COLUMNS = ("id", "messages", "prompt", "response")


@dataclass
class Row:
    """A row, or why it cannot be read."""

    number: int
    what: str  #: "line" or "row"
    id_json: str = "null"
    messages: list[Any] = field(default_factory=list)
    error: Optional[RowError] = None


def read_rows(shard: Shard) -> Iterator[Row]:
    """In their order, holding a few at a time. Raises RunError, at the end at the latest (the file has changed), and OSError."""
    return _read_parquet(shard) if shard.kind == PARQUET else _read_jsonl(shard)


def _read_jsonl(shard: Shard) -> Iterator[Row]:
    digest = hashlib.sha256()
    with open(shard.file, "rb") as file:
        file.seek(shard.begin)
        number, n_blank = shard.first_row, 0
        is_in_front = True
        for line in read_lines(file, shard.end - shard.begin, MAX_LINE_BYTES, digest.update):
            if line.is_blank:
                number += not is_in_front  # first_row counts the blank lines in front
                continue
            is_in_front = False
            yield _row(number, "line", line.text)
            number += 1
    if digest.hexdigest() != shard.digest:
        raise RunError(f"{shown(shard.file)}: it changed after the run began")


def _read_parquet(shard: Shard) -> Iterator[Row]:
    with pyarrow.parquet.ParquetFile(shard.file) as file:
        columns = [name for name in _COLUMNS if name in file.schema_arrow.names]
        skipped, group, n_groups = 0, 0, file.metadata.num_row_groups
        while group < n_groups and skipped + file.metadata.row_group(group).num_rows < shard.first_row:
            skipped += file.metadata.row_group(group).num_rows
            group += 1
        number, end = skipped + 1, shard.first_row + shard.n_rows
        if group == n_groups:
            raise RunError(f"{shown(shard.file)}: it changed after the run began")
        for batch in file.iter_batches(_PARQUET_BATCH_ROWS, row_groups=[group], columns=columns):
            if number >= end:
                break
            from_row, to_row = max(number, shard.first_row), min(number + batch.num_rows, end)
            for i in range(from_row - number, to_row - number):
                yield _parquet_row(number + i, batch, i)
            number += batch.num_rows


def _parquet_row(number: int, batch: pyarrow.RecordBatch, i: int) -> Row:
    """By itself: a value that Python cannot hold, such as a string that is not UTF-8, spoils this row alone."""
    values: dict[str, Any] = {}
    try:
        for name, column in zip(batch.schema.names, batch.columns):
            values[name] = _value(column[i], name)
        return _checked(Row(number, "row"), values)
    except RowError as error:
        return Row(number, "row", error=error)


def _value(scalar: pyarrow.Scalar, name: str) -> Any:
    try:
        return scalar.as_py()
    except UnicodeDecodeError as error:
        raise RowError("invalid_utf8", f"{name}: ill-formed UTF-8 at byte {error.start}") from None
    except (ValueError, OverflowError, pyarrow.ArrowException) as error:
        raise RowError("invalid_argument", f"{name}: {error!s:.200}") from None


def _row(number: int, what: str, text: Optional[bytes]) -> Row:
    try:
        if text is None:
            raise RowError("invalid_argument", f"longer than {MAX_LINE_BYTES} bytes")
        return _checked(Row(number, what), parse(text), is_utf8_line=_is_utf8(text))
    except RowError as error:
        return Row(number, what, error=error)


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _checked(row: Row, value: Any, is_utf8_line: bool = True) -> Row:
    try:
        row.id_json = read_id(value, is_utf8_line)
        row.messages = read_messages(value)
    except RowError as error:
        row.error = error
    return row
