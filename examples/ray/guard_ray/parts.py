# SPDX-License-Identifier: Apache-2.0
"""Output files: a part for each shard, complete or not there at all."""

from __future__ import annotations

import os
from typing import Any, Iterable, Iterator

import pyarrow
import pyarrow.parquet

from .output_rows import read_line
from .shards import PARQUET
from .strict_json import dump, parse

_ROWS_A_GROUP = 8192
_BYTES = pyarrow.list_(pyarrow.int64())
_RULING = pyarrow.struct([("action", pyarrow.string()), ("rule", pyarrow.string()), ("category", pyarrow.string()),
                          ("score", pyarrow.float32()), ("phrase", pyarrow.int64()), ("bytes", _BYTES),
                          ("policy", pyarrow.string()), ("version", pyarrow.string())])
#: The members of the JSON form by their names; null where a row has none, "id" as JSON text.
SCHEMA = pyarrow.schema([
    ("schema", pyarrow.int32()), ("type", pyarrow.string()), ("file", pyarrow.string()), ("row", pyarrow.int64()),
    ("id", pyarrow.string()), ("role", pyarrow.string()), ("severity", pyarrow.string()),
    ("probabilities", pyarrow.struct([(name, pyarrow.float32()) for name in ("safe", "controversial", "unsafe")])),
    ("position", pyarrow.int64()),
    ("categories", pyarrow.list_(pyarrow.struct([("name", pyarrow.string()), ("probability", pyarrow.float32())]))),
    ("refusal", pyarrow.struct([("value", pyarrow.bool_()), ("probability", pyarrow.float32())])), ("ruling", _RULING),
    ("dropped_messages", pyarrow.list_(pyarrow.int64())),
    ("tokens", pyarrow.struct([("prompt", pyarrow.int64()), ("cached", pyarrow.int64())])),
    ("window", pyarrow.struct([("index", pyarrow.int64()), ("n_windows", pyarrow.int64()), ("bytes", _BYTES)])),
    ("is_of_folded_copy", pyarrow.bool_()),
    ("error", pyarrow.struct([("code", pyarrow.string()), ("message", pyarrow.string())])),
])


def write_part(path: str, kind: str, lines: Iterable[bytes], unique: str) -> int:
    """Writes lines of JSON as a part and returns its bytes. An older part of that name is replaced. Raises OSError."""
    partial = f"{path}.{unique}.partial"
    try:
        with open(partial, "wb") as file:
            if kind == PARQUET:
                _write_parquet(file, lines)
            else:
                file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
            n_bytes = file.tell()
        os.replace(partial, path)
    except BaseException:
        if os.path.exists(partial):
            os.unlink(partial)
        raise
    return n_bytes


def write_whole(path: str, text: str) -> None:
    """A small file, complete or not there. Raises OSError."""
    write_part(path, "", [text.encode()], str(os.getpid()))


def row_places(path: str, kind: str) -> Iterator[tuple[str, int]]:
    """File and row number of all rows of a part, in their order. Raises OSError, ValueError (damaged)."""
    if kind == PARQUET:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=["file", "row"]):
                yield from zip(batch.column("file").to_pylist(), batch.column("row").to_pylist())
        return
    with open(path, "rb") as lines:
        for line in lines:
            row = read_line(line)
            yield row["file"], row["row"]


def _write_parquet(file: Any, lines: Iterable[bytes]) -> None:
    rows: list[dict[str, Any]] = []
    with pyarrow.parquet.ParquetWriter(file, SCHEMA) as out:
        for line in lines:
            row = read_line(line)
            row["id"] = _id_text(line)
            rows.append(row)
            if len(rows) == _ROWS_A_GROUP:
                out.write_table(pyarrow.Table.from_pylist(rows, SCHEMA))
                rows = []
        if rows:
            out.write_table(pyarrow.Table.from_pylist(rows, SCHEMA))


def _id_text(line: bytes) -> Any:
    """The id's JSON with numbers as they were written, or None."""
    row_id = parse(line).get("id")
    return None if row_id is None else dump(row_id, is_ascii=True)
