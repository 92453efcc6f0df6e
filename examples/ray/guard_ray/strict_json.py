# SPDX-License-Identifier: Apache-2.0
"""JSON as the program reads it: no key twice, no NaN, numbers as they were written."""

from __future__ import annotations

import json
from typing import Any

from .problems import RowError

MAX_DUMP_DEPTH = 64  #: of ids and arguments of tools, which are written again


class Number(float):
    """A number with its text, which may say more than a float can hold."""

    raw: str

    def __new__(cls, raw: str) -> "Number":
        out = super().__new__(cls, raw)
        out.raw = raw
        return out

    def __reduce__(self) -> Any:
        return Number, (self.raw,)


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(members)
    if len(out) != len(members):
        keys = [key for key, _ in members]
        twice = next(key for i, key in enumerate(keys) if key in keys[:i])
        raise RowError("invalid_argument", f"the key {json.dumps(twice[:80])} is there twice")
    return out


def _no_constant(name: str) -> Any:
    raise RowError("invalid_argument", f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=Number, parse_float=Number, parse_constant=_no_constant)


def parse(line: bytes) -> Any:
    """The value of one line. Bytes that are not UTF-8 become lone surrogates, which no text that is judged may have. Raises
    RowError."""
    try:
        return _DECODER.decode(line.decode("utf-8", "surrogateescape"))
    except json.JSONDecodeError as error:
        raise RowError("invalid_argument", f"not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise RowError("invalid_argument", "not JSON that can be read: nested too deeply") from None


def dump(value: Any, is_ascii: bool = False, depth: int = 0) -> str:
    """JSON with json.dumps' spaces and numbers as they were. Raises RowError (a value that JSON does not have, deep nesting)."""
    if isinstance(value, Number):
        return value.raw
    if depth > MAX_DUMP_DEPTH:
        raise RowError("invalid_argument", f"nested deeper than {MAX_DUMP_DEPTH} levels")
    if isinstance(value, dict):
        return "{" + ", ".join([f"{dump(str(key), is_ascii)}: {dump(item, is_ascii, depth + 1)}" for key, item in value.items()]) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join([dump(item, is_ascii, depth + 1) for item in value]) + "]"
    try:
        return json.dumps(value, ensure_ascii=is_ascii, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise RowError("invalid_argument", f"cannot be written as JSON: {error!s:.80}") from None


def is_utf8(text: str) -> bool:
    """False for text with a lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
