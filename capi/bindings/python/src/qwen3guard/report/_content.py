# SPDX-License-Identifier: Apache-2.0
"""What a report says, before it is HTML or Markdown: blocks of plain text, which those who write them escape."""

import dataclasses
from typing import List, Sequence, Union


class Strong(str):
    """Text that stands out."""


@dataclasses.dataclass(frozen=True)
class Paragraph:
    """Plain text."""
    text: str


@dataclasses.dataclass(frozen=True)
class Alarm:
    """What nobody may overlook."""
    text: str


@dataclasses.dataclass(frozen=True)
class Notes:
    """Footnotes, one a line."""
    texts: Sequence[str]


@dataclasses.dataclass(frozen=True)
class Table:
    """Cells are str, or Strong. The first `n_text_columns` hold words, the others numbers."""
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    n_text_columns: int = 1


@dataclasses.dataclass(frozen=True)
class Figure:
    """A drawing: SVG of our own making, in which all text is escaped; `alt` says in words what it shows."""
    caption: str
    svg: str
    alt: str


@dataclasses.dataclass(frozen=True)
class Figures:
    """Several that are looked at side by side."""
    figures: Sequence[Figure]


Block = Union[Paragraph, Alarm, Notes, Table, Figures]


@dataclasses.dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""
    title: str
    blocks: Sequence[Block]


@dataclasses.dataclass(frozen=True)
class Document:
    """A whole report."""
    title: str
    sections: List[Section]
