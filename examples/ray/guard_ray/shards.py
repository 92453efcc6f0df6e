# SPDX-License-Identifier: Apache-2.0
"""Shards: ranges of rows of one file, the units that are handed to workers, judged, written and repeated as a whole."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

JSONL, PARQUET = "jsonl", "parquet"


@dataclass(frozen=True)
class Shard:
    """Rows of a file. Of JSON lines the row numbers are line numbers, and blank lines are no rows; both count from 1."""

    index: int  #: of all shards, in the order of the input
    file: str  #: as it was given
    kind: str  #: JSONL or PARQUET
    first_row: int
    n_rows: int
    begin: int  #: JSONL: byte range
    end: int
    digest: str  #: JSONL: of these bytes; "" for PARQUET
    rows_digest: str  #: of the row numbers: what RowNumbers gives for the output

    @property
    def name(self) -> str:
        """Its output's file name."""
        return f"part-{self.index:06d}.{self.kind}"


class RowNumbers:
    """Digest of a sequence of row numbers: two are equal when no row is missing, added, twice or out of order."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)
        self.count = 0

    def add(self, row: int) -> None:
        """The next row."""
        self._hash.update(b"%d\n" % row)
        self.count += 1

    def hexdigest(self) -> str:
        """Of those so far."""
        return self._hash.hexdigest()
