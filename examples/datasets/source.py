# SPDX-License-Identifier: Apache-2.0
"""Published files as rows that know where they stand: CSV, TSV, JSON, JSON lines, each also gzipped, and Parquet."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FORMS = ".csv, .tsv, .json, .jsonl, each also with .gz, or .parquet"


class SourceError(ValueError):
    """What is wrong with a published file: where, what, and what was expected."""


class SourceRow:
    """One row of a published file. Its getters raise SourceError with the file and the row."""

    def __init__(self, values: Mapping[str, Any], file: str, number: int) -> None:
        self.values, self.file, self.number = values, file, number

    @property
    def place(self) -> str:
        return f"{self.file}: row {self.number}"

    def fail(self, what: str) -> SourceError:
        return SourceError(f"{self.place}: {what}")

    def has(self, column: str) -> bool:
        """True when the column is there and not empty."""
        return self.values.get(column) not in (None, "")

    def get(self, column: str) -> Any:
        if column not in self.values:
            raise self.fail(f"no column {column!r}; there are {', '.join(map(repr, self.values)) or 'none'}")
        return self.values[column]

    def is_given(self, column: str) -> bool:
        """False where the column is empty; one that is missing is an error."""
        return self.get(column) not in (None, "")

    def text(self, column: str) -> str:
        """A text that is not empty, unchanged."""
        value = self.get(column)
        if not isinstance(value, str) or not value.strip():
            raise self.fail(f"{column!r} is {short(value)}; expected a text")
        return value

    def choice(self, column: str, meanings: Mapping[Any, Any]) -> Any:
        """What one of the known values means. Texts are compared without case and surrounding blanks."""
        value = self.get(column)
        key = value.strip().lower() if isinstance(value, str) else value
        if key not in meanings:
            known = ", ".join(sorted({repr(one) for one in meanings}))
            raise self.fail(f"{column!r} is {short(value)}; expected one of {known}")
        return meanings[key]

    def flag(self, column: str) -> bool:
        """A truth value: as JSON, as 0 and 1, or spelled."""
        return self.choice(column, {True: True, False: False, "true": True, "false": False, "1": True, "0": False,
                                    "1.0": True, "0.0": False, "yes": True, "no": False})

    def number_of(self, column: str) -> float:
        value = self.get(column)
        try:
            return float(value)
        except (TypeError, ValueError):
            raise self.fail(f"{column!r} is {short(value)}; expected a number") from None


def short(value: Any) -> str:
    """A value for a message, on one line and of bounded length."""
    shown = ascii(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def rows_of(path: Path) -> Iterator[SourceRow]:
    """All rows of a file, in order. Raises SourceError; an empty file is one."""
    names = path.name.lower()
    form = names.removesuffix(".gz").rpartition(".")[2]
    readers = {"csv": _csv_rows, "tsv": _csv_rows, "json": _json_rows, "jsonl": _json_line_rows}
    if form == "parquet" and not names.endswith(".gz"):
        rows = _parquet_rows(path)
    elif form in readers:
        rows = readers[form](path, _text_of(path))
    else:
        raise SourceError(f"{path}: a file of this name cannot be read; expected {FORMS}")
    n_rows = 0
    for n_rows, row in enumerate(rows, 1):
        yield row
    if n_rows == 0:
        raise SourceError(f"{path}: has no rows")


def _text_of(path: Path) -> str:
    try:
        data = gzip.decompress(path.read_bytes()) if path.name.lower().endswith(".gz") else path.read_bytes()
    except OSError as error:  # BadGzipFile is one
        raise SourceError(f"{path}: {error.strerror or error}") from None
    except (EOFError, zlib.error) as error:
        raise SourceError(f"{path}: the compressed file is damaged or not whole ({error})") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: not UTF-8 at byte {error.start}") from None
    if "\0" in text:
        raise SourceError(f"{path}: has a NUL at character {text.index(chr(0))}; is it the file that was meant?")
    return text


def _csv_rows(path: Path, text: str) -> Iterator[SourceRow]:
    csv.field_size_limit(1 << 30)
    lines = csv.DictReader(io.StringIO(text, newline=""), strict=True, delimiter="\t" if ".tsv" in path.name.lower() else ",")
    try:
        for number, values in enumerate(lines, 1):
            if None in values or None in values.values():
                raise SourceError(f"{path}: row {number}: has {'more' if None in values else 'fewer'} fields than the first line names")
            yield SourceRow(values, str(path), number)
    except csv.Error as error:
        raise SourceError(f"{path}: line {lines.line_num}: {error}") from None


def _object(values: Any, path: Path, number: int) -> SourceRow:
    if not isinstance(values, dict):
        raise SourceError(f"{path}: row {number}: {short(values)}; expected an object")
    return SourceRow(values, str(path), number)


def _json_line_rows(path: Path, text: str) -> Iterator[SourceRow]:
    # Not splitlines(): it also cuts at characters that stand within texts.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                values = json.loads(line)
            except json.JSONDecodeError as error:
                raise SourceError(f"{path}: line {number}: no JSON: {error}") from None
            yield _object(values, path, number)


def _json_rows(path: Path, text: str) -> Iterator[SourceRow]:
    """An array of objects; or, as some owners name it, JSON lines."""
    if not text.lstrip().startswith("["):
        yield from _json_line_rows(path, text)
        return
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise SourceError(f"{path}: no JSON: {error}") from None
    for number, one in enumerate(values, 1):
        yield _object(one, path, number)


def _parquet_rows(path: Path) -> Iterator[SourceRow]:
    try:
        import pyarrow.lib
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise SourceError(f"{path}: reading Parquet needs the package pyarrow: pip install pyarrow") from None
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches():
                for values in batch.to_pylist():
                    number += 1
                    yield SourceRow(values, str(path), number)
    except (OSError, pyarrow.lib.ArrowException) as error:
        raise SourceError(f"{path}: {str(error).splitlines()[0]}") from None
