# SPDX-License-Identifier: Apache-2.0
"""Text and numbers as both reports show them. Names come from files of others and are made harmless here, once."""

import re
from typing import Optional

DASH = "\u2013"
"""Stands where a value is not defined; never a zero."""
MINUS = "\u2212"

# Controls, what turns the direction of the text around it, and halves of surrogate pairs, which UTF-8 cannot write.
_BAD = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]")


def clean(text: str, limit: int = 120) -> str:
    """One line, at most `limit` characters: controls become U+FFFD, and what is longer ends in an ellipsis."""
    text = _BAD.sub("\ufffd", text.replace("\n", " ").replace("\t", " "))
    return text if len(text) <= limit else text[:limit - 1] + "\u2026"


def percent(value: Optional[float], digits: int = 1) -> str:
    """A fraction as a percentage without its sign: 0.881 is "88.1"."""
    return DASH if value is None else f"{100 * value:.{digits}f}"


def plain(value: Optional[float], digits: int = 3) -> str:
    """A number with so many decimals."""
    return DASH if value is None else f"{value:,.{digits}f}"


def count(value: Optional[int]) -> str:
    """A count with thousands set apart."""
    return DASH if value is None else f"{value:,}"


def points(after: Optional[float], before: Optional[float]) -> str:
    """The difference of two fractions in percentage points, with its sign."""
    if after is None or before is None:
        return DASH
    shown = f"{100 * (after - before):+.1f}"
    return "0.0" if float(shown) == 0 else shown.replace("-", MINUS)
