# SPDX-License-Identifier: Apache-2.0
"""What enums can do. str() gives the library's name of a value, where it has one. Where a parameter or a field takes a
member, it takes the member's name, too: Context.STOP is "stop", Category.SEXUAL_CONTENT is "sexual_content" or what str()
gives."""

from __future__ import annotations

import ctypes
from enum import IntEnum
from typing import Any, Dict, Type, TypeVar

from ._library import InvalidArgumentError, Text, bad_argument, call, encoded, whole

_Value = TypeVar("_Value", bound="Parsed")
# Functions of the library that give names to values, and read them; filled in with the enums.
NAMES: Dict[Any, Any] = {}
PARSERS: Dict[Any, Any] = {}
# Names that others have for a member.
_ALIASES = {("Role", "developer"): "system"}


class Open(IntEnum):
    """An enum that takes in values of a newer library, and the names of its own."""

    @classmethod
    def _missing_(cls, value: object) -> Any:
        if isinstance(value, str):
            value = _ALIASES.get((cls.__name__, value), value)
            for known in cls:
                if value in (known.name.lower(), str(known)):
                    return known
            names = ", ".join(known.name.lower() for known in cls)
            raise bad_argument(f"{value!r:.80} is no {cls.__name__}; expected one of {names}")
        if not isinstance(value, int):
            return None
        member = int.__new__(cls, value)
        member._name_ = f"UNKNOWN_{value}"
        member._value_ = value
        return member

    def __str__(self) -> str:
        return self.name.lower()

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"

    def __format__(self, spec: str) -> str:  # the same in all versions of Python
        return format(str(self), spec)


def number(name: str, kind: Type[Open], value: Any) -> int:
    """A member's number, given the member, its name, or a number. Raises InvalidArgumentError, TypeError."""
    if isinstance(value, kind):
        return int(value)
    if isinstance(value, str):
        try:
            return kind(value)  # type: ignore[arg-type]  # _missing_() takes it
        except InvalidArgumentError as error:
            raise bad_argument(f"{name}: {error}") from None
    if not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be {kind.__name__} or its name, not {type(value).__name__}")
    return whole(name, value)


class Named(Open):
    """One whose values the library has names for (NAMES)."""

    def __str__(self) -> str:  # "unknown" for a value that is new
        return str(NAMES[type(self)](self.value).decode())


class Parsed(Named):
    """One whose names the library reads, too (PARSERS)."""

    @classmethod
    def parse(cls: Type[_Value], name: Text) -> _Value:
        """The value of a name, e.g. "Unsafe", "PII"; exact match. Raises InvalidArgumentError."""
        out, data = ctypes.c_int32(), encoded(name)
        call(PARSERS[cls], data, len(data), ctypes.byref(out))
        return cls(out.value)
