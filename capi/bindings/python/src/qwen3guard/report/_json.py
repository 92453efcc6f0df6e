# SPDX-License-Identifier: Apache-2.0
"""JSON of others, read field by field; what is missing or of another type is named by its place."""

import json
from typing import Any, Dict, Iterator, List, Optional, Tuple

from ._errors import ReportError
from ._text import clean


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def parse(text: str, where: str) -> "Node":
    """The document. Raises ReportError, with `where` as the place."""
    try:
        return Node(json.loads(text, parse_constant=_refuse_constant), where)
    except json.JSONDecodeError as error:
        is_cut = error.pos >= len(text.rstrip())
        reason = "ends in the middle (was it cut off?)" if is_cut else clean(error.msg)
        raise ReportError(f"{where}: no valid JSON: {reason} at line {error.lineno}, column {error.colno}") from None
    except (ValueError, RecursionError) as error:
        raise ReportError(f"{where}: no valid JSON: {clean(str(error))}") from None


class Node:
    """A value and its place."""

    def __init__(self, value: Any, where: str) -> None:
        self.value = value
        self.where = where

    def wrong(self, expected: str) -> ReportError:
        """The error that this value is not what was expected."""
        try:
            shown = clean(json.dumps(self.value), 40)
        except (ValueError, RecursionError):
            shown = "a value"
        return ReportError(f"{self.where}: {shown}; expected {expected}")

    def at(self, name: str) -> "Node":
        """A field; null where the object lacks it."""
        if not isinstance(self.value, dict):
            raise self.wrong("an object")
        return Node(self.value.get(name), f"{self.where}: {name}" if ": " not in self.where else f"{self.where}.{clean(name, 60)}")

    def has(self) -> bool:
        """Whether it is anything but null."""
        return self.value is not None

    def fields(self) -> Iterator[Tuple[str, "Node"]]:
        """An object's fields; none for null."""
        if self.value is None:
            return
        if not isinstance(self.value, dict):
            raise self.wrong("an object")
        for name in self.value:
            yield name, self.at(name)

    def items(self) -> Iterator["Node"]:
        """An array's elements; none for null."""
        if self.value is None:
            return
        if not isinstance(self.value, list):
            raise self.wrong("an array")
        for i, value in enumerate(self.value):
            yield Node(value, f"{self.where}[{i}]")

    def text(self) -> Optional[str]:
        """A string, or None."""
        if self.value is None or isinstance(self.value, str):
            return self.value
        raise self.wrong("a string")

    def number(self) -> Optional[float]:
        """A number that is not negative, or None."""
        if self.value is None:
            return None
        if isinstance(self.value, bool) or not isinstance(self.value, (int, float)) or not 0 <= self.value < 1e300:
            raise self.wrong("a number of 0 or more")
        return float(self.value)

    def fraction(self) -> Optional[float]:
        """A number from 0 to 1, or None."""
        out = self.number()
        if out is not None and out > 1:
            raise self.wrong("0 to 1")
        return out

    def count(self) -> Optional[int]:
        """A whole number that is not negative, or None."""
        if self.value is None:
            return None
        if isinstance(self.value, bool) or not isinstance(self.value, int) or not 0 <= self.value < 1 << 63:
            raise self.wrong("a whole number of 0 or more")
        return int(self.value)

    def interval(self) -> Optional[Tuple[float, float]]:
        """Two fractions, or None."""
        if self.value is None:
            return None
        ends: List[Optional[float]] = [item.fraction() for item in self.items()]
        if len(ends) != 2 or ends[0] is None or ends[1] is None:
            raise self.wrong("two numbers from 0 to 1")
        return ends[0], ends[1]

    def counts(self) -> Dict[str, int]:
        """An object of counts; empty for null."""
        return {name: node.count() or 0 for name, node in self.fields()}
