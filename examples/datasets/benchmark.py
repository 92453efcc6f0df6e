# SPDX-License-Identifier: Apache-2.0
"""What a reader of a benchmark is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from rows import Row
from source import SourceRow

Converted = Iterator["tuple[str, Row | Skipped]"]


@dataclass(frozen=True)
class Skipped:
    """A row that is left out on purpose; counted by its reason."""

    reason: str


@dataclass(frozen=True)
class Benchmark:
    """convert(rows of one file) yields (set name, row or Skipped) pairs."""

    name: str
    sets: tuple[str, ...]
    files: str       # which of the owner's files, and their columns
    source: str      # where the owner publishes it
    licence: str
    convert: Callable[[Iterable[SourceRow]], Converted]
