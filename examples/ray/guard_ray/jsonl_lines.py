# SPDX-License-Identifier: Apache-2.0
"""Lines of a file of any size. Where lines end, and which are blank, is decided here alone."""

from __future__ import annotations

from typing import BinaryIO, Callable, Iterator, NamedTuple, Optional

PIECE_BYTES = 1 << 20  # A line is read in pieces: it may be longer than memory.
MAX_LINE_BYTES = 16 << 20  #: Longer lines are not judged.
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """One line, its end included in n_bytes, but not in text."""

    n_bytes: int
    is_blank: bool
    text: Optional[bytes]  #: None: longer than was asked for


def read_lines(file: BinaryIO, n_bytes: int, max_bytes: int, note: Callable[[bytes], object]) -> Iterator[Line]:
    """The lines of the next n_bytes, which begin at a line's beginning. note() gets all bytes as they are read."""
    is_first = file.tell() == 0
    length, is_blank, kept = 0, True, b""
    while n_bytes > 0 and (piece := file.readline(min(PIECE_BYTES, n_bytes))):
        n_bytes -= len(piece)
        note(piece)
        if is_first and length == 0:
            seen, is_first = piece.removeprefix(_BYTE_ORDER_MARK), False
        else:
            seen = piece
        length += len(piece)
        is_blank = is_blank and not seen.strip(b" \t\r\n")
        if length <= max_bytes:
            kept += seen
        if piece.endswith(b"\n"):
            yield _line(length, is_blank, kept, max_bytes)
            length, is_blank, kept = 0, True, b""
    if length > 0:
        yield _line(length, is_blank, kept, max_bytes)


def _line(length: int, is_blank: bool, kept: bytes, max_bytes: int) -> Line:
    return Line(length, is_blank, kept.rstrip(b"\r\n") if length <= max_bytes else None)
