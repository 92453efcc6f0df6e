# SPDX-License-Identifier: Apache-2.0
"""Enums. str() gives the library's name of a value, where it has one. Where a parameter or a field takes a member, it takes the
member's name, too: Mode.LOOSE is "loose", Category.SEXUAL_CONTENT is "sexual_content" or what str() gives."""

from __future__ import annotations

import ctypes
from enum import IntEnum
from typing import Any, Dict, Type, TypeVar

from . import _raw
from ._library import InvalidArgumentError, Text, bad_argument, call, encoded, library, whole

_Value = TypeVar("_Value", bound="_Parsed")


class _Open(IntEnum):
    """An enum that takes in values of a newer library, and the names of its own."""

    @classmethod
    def _missing_(cls, value: object) -> Any:
        if isinstance(value, str):
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


def number(name: str, kind: Type[_Open], value: Any) -> int:
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


class _Named(_Open):
    """One whose values the library has names for (_NAMES)."""

    def __str__(self) -> str:  # "unknown" for a value that is new
        return str(_NAMES[type(self)](self.value).decode())


class _Parsed(_Named):
    """One whose names the library reads, too (_PARSERS)."""

    @classmethod
    def parse(cls: Type[_Value], name: Text) -> _Value:
        """The value of a name, e.g. "Unsafe", "PII"; exact match. Raises InvalidArgumentError."""
        out, data = ctypes.c_int32(), encoded(name)
        call(_PARSERS[cls], data, len(data), ctypes.byref(out))
        return cls(out.value)


class Severity(_Parsed):
    """From SAFE on ordered by harm. NOT_JUDGED: nothing was judged, or not all of it; treat it as an error. It is below SAFE:
    ask for `== SAFE`, not for `< CONTROVERSIAL`."""
    NOT_JUDGED = _raw.Q3G_SEVERITY_NOT_JUDGED
    SAFE = _raw.Q3G_SEVERITY_SAFE
    CONTROVERSIAL = _raw.Q3G_SEVERITY_CONTROVERSIAL
    UNSAFE = _raw.Q3G_SEVERITY_UNSAFE


class Category(_Parsed):
    """The policy's categories; JAILBREAK is of prompts only."""
    VIOLENT = _raw.Q3G_CATEGORY_VIOLENT
    NON_VIOLENT_ILLEGAL_ACTS = _raw.Q3G_CATEGORY_NON_VIOLENT_ILLEGAL_ACTS
    SEXUAL_CONTENT = _raw.Q3G_CATEGORY_SEXUAL_CONTENT
    PII = _raw.Q3G_CATEGORY_PII
    SUICIDE_SELF_HARM = _raw.Q3G_CATEGORY_SUICIDE_SELF_HARM
    UNETHICAL_ACTS = _raw.Q3G_CATEGORY_UNETHICAL_ACTS
    POLITICALLY_SENSITIVE = _raw.Q3G_CATEGORY_POLITICALLY_SENSITIVE
    COPYRIGHT_VIOLATION = _raw.Q3G_CATEGORY_COPYRIGHT_VIOLATION
    JAILBREAK = _raw.Q3G_CATEGORY_JAILBREAK


class Action(_Named):
    """What a host should do. NONE: nothing was judged, so there is no advice; it does not mean ALLOW."""
    NONE = _raw.Q3G_ACTION_NONE
    ALLOW = _raw.Q3G_ACTION_ALLOW
    FLAG = _raw.Q3G_ACTION_FLAG
    BLOCK = _raw.Q3G_ACTION_BLOCK


class Role(_Named):
    """Who speaks. "developer" is SYSTEM, too."""
    SYSTEM = _raw.Q3G_ROLE_SYSTEM
    USER = _raw.Q3G_ROLE_USER
    ASSISTANT = _raw.Q3G_ROLE_ASSISTANT
    TOOL = _raw.Q3G_ROLE_TOOL

    @classmethod
    def _missing_(cls, value: object) -> Any:
        return cls.SYSTEM if value == "developer" else super()._missing_(value)


class Source(_Named):
    """Where a token's verdict comes from. NONE: it was not judged."""
    NONE = _raw.Q3G_SOURCE_NONE
    HEADS = _raw.Q3G_SOURCE_HEADS
    WRITTEN = _raw.Q3G_SOURCE_WRITTEN
    CARRIED = _raw.Q3G_SOURCE_CARRIED


class Reason(_Named):
    """What made a decision fall. NONE: no token did; it is Safe, or not judged."""
    NONE = _raw.Q3G_REASON_NONE
    RUN = _raw.Q3G_REASON_RUN
    END_OF_TURN = _raw.Q3G_REASON_END_OF_TURN
    WRITTEN = _raw.Q3G_REASON_WRITTEN


_NAMES: Dict[Any, Any] = {
    Severity: library.q3g_severity_name,
    Category: library.q3g_category_name,
    Action: library.q3g_action_name,
    Role: library.q3g_role_name,
    Source: library.q3g_source_name,
    Reason: library.q3g_reason_name,
}
_PARSERS: Dict[Any, Any] = {Severity: library.q3g_parse_severity, Category: library.q3g_parse_category}


class LogLevel(_Open):
    """Of a line that loading a model writes."""
    INFO = _raw.Q3G_LOG_INFO
    WARNING = _raw.Q3G_LOG_WARNING


class ModelKind(_Open):
    """GEN writes a verdict, STREAM judges every token."""
    GEN = _raw.Q3G_MODEL_GEN
    STREAM = _raw.Q3G_MODEL_STREAM


class Mode(_Open):
    """What Controversial counts as: STRICT: unsafe, LOOSE: safe."""
    STRICT = _raw.Q3G_MODE_STRICT
    LOOSE = _raw.Q3G_MODE_LOOSE


class Decoder(_Open):
    """CONSTRAINED: only well-formed verdicts are possible. GREEDY: the published way, generate and then parse."""
    CONSTRAINED = _raw.Q3G_DECODER_CONSTRAINED
    GREEDY = _raw.Q3G_DECODER_GREEDY


class InvalidUtf8(_Open):
    """Text that is not UTF-8 is an error, or is judged as U+FFFD."""
    REJECT = _raw.Q3G_INVALID_UTF8_REJECT
    REPLACE = _raw.Q3G_INVALID_UTF8_REPLACE


class Verify(_Open):
    """What is compared when a model is loaded, beyond its structure and a sample of its weights. AUTOMATIC: all of a model
    from memory, no more of one from files, which are mapped, or in the library. OFF: no more. FULL: every checksum and
    every value, which reads the whole file."""
    AUTOMATIC = _raw.Q3G_VERIFY_AUTOMATIC
    OFF = _raw.Q3G_VERIFY_OFF
    FULL = _raw.Q3G_VERIFY_FULL


class Context(_Open):
    """What happens when a response reaches the end of the context. ERROR: ContextFullError. STOP: nothing is judged from
    there on, and every verdict says so. SLIDE: the response's most recent half stays."""
    ERROR = _raw.Q3G_CONTEXT_ERROR
    STOP = _raw.Q3G_CONTEXT_STOP
    SLIDE = _raw.Q3G_CONTEXT_SLIDE


class Thinking(_Open):
    """A reasoning model's thinking: from a "<think>" at the response's beginning to the first "</think>". NONE: there is none.
    JUDGE: it is judged like the rest. SKIP: it does not count; without an answer behind it nothing was judged."""
    NONE = _raw.Q3G_THINKING_NONE
    JUDGE = _raw.Q3G_THINKING_JUDGE
    SKIP = _raw.Q3G_THINKING_SKIP


class EndOfTurn(_Open):
    """Whether a run of tokens that the end of the turn cuts off decides. The published rule: it does not."""
    IGNORE_OPEN_RUN = _raw.Q3G_END_OF_TURN_IGNORE_OPEN_RUN
    COUNT_OPEN_RUN = _raw.Q3G_END_OF_TURN_COUNT_OPEN_RUN


class PackedWeights(_Open):
    """BF16: no loss. INT8: about half the size. INT4: about a third."""
    BF16 = _raw.Q3G_PACKED_BF16
    INT8 = _raw.Q3G_PACKED_INT8
    INT4 = _raw.Q3G_PACKED_INT4


class EventKind(_Open):
    """UPDATE: tokens were judged. TURN_END: a turn ended. ERROR: a push failed and left the session as it was. OVERDUE: the
    deadline of a push has passed and nothing is known of it; it still waits, and its verdict comes as an event of its own. Once
    for a push; pieces of text that wait together may share one."""
    UPDATE = _raw.Q3G_EVENT_UPDATE
    TURN_END = _raw.Q3G_EVENT_TURN_END
    ERROR = _raw.Q3G_EVENT_ERROR
    OVERDUE = _raw.Q3G_EVENT_OVERDUE
