# SPDX-License-Identifier: Apache-2.0
"""Enums and results. Plain values: they own everything and may be used from any thread."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from . import _raw
from ._library import Text, call, defaults, encoded, library


class _Open(IntEnum):
    """An enum that takes in values of a newer library."""

    @classmethod
    def _missing_(cls, value: object) -> Any:
        if not isinstance(value, int):
            return None
        member = int.__new__(cls, value)
        member._name_ = f"UNKNOWN_{value}"
        member._value_ = value
        return member


class _Named(_Open):
    """One whose values the library has names for (_NAMES)."""

    def __str__(self) -> str:
        return str(_NAMES[type(self)](self.value).decode())


class _Parsed(_Named):
    """One whose names the library reads, too (_PARSERS)."""

    @classmethod
    def parse(cls, name: Text) -> Any:
        """The value of a name, e.g. "Unsafe", "PII". Raises InvalidArgumentError."""
        out, data = ctypes.c_int32(), encoded(name)
        call(_PARSERS[cls], data, len(data), ctypes.byref(out))
        return cls(out.value)


class Severity(_Parsed):
    """Ordered by harm."""
    SAFE = 0
    CONTROVERSIAL = 1
    UNSAFE = 2


class Category(_Parsed):
    """The policy's categories; JAILBREAK is of prompts only."""
    VIOLENT = 0
    NON_VIOLENT_ILLEGAL_ACTS = 1
    SEXUAL_CONTENT = 2
    PII = 3
    SUICIDE_SELF_HARM = 4
    UNETHICAL_ACTS = 5
    POLITICALLY_SENSITIVE = 6
    COPYRIGHT_VIOLATION = 7
    JAILBREAK = 8


class Action(_Named):
    """What a host should do."""
    ALLOW = 0
    FLAG = 1
    BLOCK = 2


class Role(_Named):
    """Who speaks."""
    SYSTEM = 0
    USER = 1
    ASSISTANT = 2


class Source(_Named):
    """Where a token's verdict comes from; NONE is no Safe."""
    NONE = 0
    HEADS = 1
    WRITTEN = 2
    CARRIED = 3


class Reason(_Named):
    """What made a decision fall."""
    NONE = 0
    RUN = 1
    END_OF_TURN = 2
    WRITTEN = 3


_NAMES: Dict[Any, Any] = {
    Severity: library.q3g_severity_name,
    Category: library.q3g_category_name,
    Action: library.q3g_action_name,
    Role: library.q3g_role_name,
    Source: library.q3g_source_name,
    Reason: library.q3g_reason_name,
}
_PARSERS: Dict[Any, Any] = {Severity: library.q3g_parse_severity, Category: library.q3g_parse_category}


class ModelKind(_Open):
    GEN = 0
    STREAM = 1


class Mode(_Open):
    """What Controversial counts as: STRICT: unsafe, LOOSE: safe."""
    STRICT = 0
    LOOSE = 1


class Decoder(_Open):
    CONSTRAINED = 0
    GREEDY = 1


class InvalidUtf8(_Open):
    REJECT = 0
    REPLACE = 1


class Context(_Open):
    """What happens when a response reaches the end of the context."""
    ERROR = 0
    STOP = 1
    SLIDE = 2


class Thinking(_Open):
    NONE = 0
    JUDGE = 1
    SKIP = 2


class EndOfTurn(_Open):
    IGNORE_OPEN_RUN = 0
    COUNT_OPEN_RUN = 1


class PackedWeights(_Open):
    BF16 = 0
    INT8 = 1
    INT4 = 2


class EventKind(_Open):
    UPDATE = 0
    TURN_END = 1
    ERROR = 2


class Probabilities(NamedTuple):
    """Of the three severities; their sum is 1."""
    safe: float
    controversial: float
    unsafe: float


class Message(NamedTuple):
    """One turn of a conversation."""
    role: Role
    text: Text


@dataclass(frozen=True)
class Verdict:
    """Judgement of the last message of a conversation."""
    severity: Severity
    action: Action
    probabilities: Probabilities
    categories: Dict[Category, float]  #: with probabilities, most relevant first; empty when Safe
    refusal: Optional[bool]  #: Gen judging a response; else None
    refusal_probability: float
    prompt_tokens: int
    cached_tokens: int
    generated_tokens: int
    latency_ms: float
    text: str  #: as the model wrote it; Gen only


class TokenVerdict(NamedTuple):
    """Judgement of one token."""
    severity: Severity
    probabilities: Probabilities
    category: Category  #: meaningful unless Safe
    category_probabilities: Tuple[float, ...]  #: by Category
    position: int  #: token index in the conversation
    id: int
    source: Source
    is_flagged: bool
    counts: bool
    is_settled: bool
    byte_begin: int  #: in the turn's text as UTF-8
    byte_end: int


class Decision(NamedTuple):
    """What the policy made of a turn so far."""
    severity: Severity
    position: Optional[int]
    reason: Reason
    n_run_tokens: int
    is_flagged: bool
    is_complete: bool
    run_byte_begin: int
    token: Optional[TokenVerdict]  #: where it fell

    def explain(self) -> str:
        """One sentence for a person."""
        raw = decision_to_c(self)
        buffer, n = ctypes.create_string_buffer(1024), ctypes.c_size_t()
        call(library.q3g_decision_explain, ctypes.byref(raw), buffer, len(buffer), ctypes.byref(n))
        return buffer.raw[:n.value].decode()


@dataclass(frozen=True)
class Update:
    """What a change did to the verdicts of the open turn: those before `first` stand, `tokens` take the place of all
    others, and those before `n_settled` are final."""
    first: int
    tokens: List[TokenVerdict]
    n_settled: int
    stopped_at_byte: Optional[int]


@dataclass(frozen=True)
class Turn:
    """What a turn came to."""
    role: Role
    decision: Decision
    prompt: Optional[TokenVerdict]
    written: Optional[Verdict]


class Mark(NamedTuple):
    """A place in a conversation, for Stream.rewind()."""
    turn: int
    n_units: int
    is_closed: bool


@dataclass(frozen=True)
class Event:
    """What became of something that was pushed to a batch."""
    kind: EventKind
    update: Update
    decision: Decision
    turn: Optional[Turn]
    error: Optional[Exception]
    waited_ms: float
    is_late: bool


@dataclass
class Policy:
    """From the verdicts of tokens to a decision; the default is the published rule. Thresholds are in [0, 1]."""
    mode: Mode = Mode.STRICT
    consecutive_tokens: int = 2
    unsafe_threshold: Optional[float] = None
    controversial_threshold: Optional[float] = None
    category_thresholds: Dict[Category, float] = field(default_factory=dict)
    ignored_categories: Tuple[Category, ...] = ()
    release_tokens: int = 0
    release_threshold: Optional[float] = None
    end_of_turn: EndOfTurn = EndOfTurn.IGNORE_OPEN_RUN


def token_of(raw: Any) -> TokenVerdict:
    p = raw.probabilities
    return TokenVerdict(
        Severity(raw.severity), Probabilities(p[0], p[1], p[2]), Category(raw.category),
        tuple(raw.category_probabilities), raw.position, raw.id, Source(raw.source), bool(raw.is_flagged),
        bool(raw.counts), bool(raw.is_settled), raw.byte_begin, raw.byte_end)


def token_to_c(raw: Any, token: TokenVerdict) -> None:
    raw.severity, raw.category, raw.position, raw.id = token.severity, token.category, token.position, token.id
    raw.probabilities[:] = token.probabilities
    raw.category_probabilities[:] = token.category_probabilities
    raw.source, raw.is_flagged, raw.counts = token.source, token.is_flagged, token.counts
    raw.is_settled, raw.byte_begin, raw.byte_end = token.is_settled, token.byte_begin, token.byte_end


def decision_of(raw: Any) -> Decision:
    token = None
    if raw.has_token:
        p = raw.probabilities
        token = TokenVerdict(
            Severity(raw.token_severity), Probabilities(p[0], p[1], p[2]), Category(raw.category),
            tuple(raw.category_probabilities), raw.position, raw.token_id, Source(raw.source), bool(raw.is_flagged), True,
            True, raw.byte_begin, raw.byte_end)
    return Decision(
        Severity(raw.severity), None if raw.position < 0 else raw.position, Reason(raw.reason), raw.n_run_tokens,
        bool(raw.is_flagged), bool(raw.is_complete), raw.run_byte_begin, token)


def decision_to_c(decision: Decision) -> Any:
    raw = _raw.q3g_decision(struct_size=ctypes.sizeof(_raw.q3g_decision))
    raw.severity, raw.reason, raw.n_run_tokens = decision.severity, decision.reason, decision.n_run_tokens
    raw.position = -1 if decision.position is None else decision.position
    raw.is_flagged, raw.is_complete = decision.is_flagged, decision.is_complete
    raw.run_byte_begin = decision.run_byte_begin
    if decision.token is not None:
        token = decision.token
        raw.has_token, raw.token_severity, raw.category, raw.token_id = 1, token.severity, token.category, token.id
        raw.source, raw.byte_begin, raw.byte_end = token.source, token.byte_begin, token.byte_end
        raw.probabilities[:] = token.probabilities
        raw.category_probabilities[:] = token.category_probabilities
    return raw


def verdict_of(raw: Any) -> Verdict:
    categories = {Category(raw.categories[i]): raw.category_probabilities[i] for i in range(raw.n_categories)}
    text = ""
    if raw.text and raw.text_bytes <= raw.text_capacity:
        text = ctypes.string_at(raw.text, raw.text_bytes).decode("utf-8", "replace")
    return Verdict(
        Severity(raw.severity), Action(raw.action), Probabilities(*raw.probabilities), categories,
        bool(raw.refusal) if raw.has_refusal else None, raw.refusal_probability, raw.prompt_tokens, raw.cached_tokens,
        raw.generated_tokens, raw.latency_ms, text)


def threshold(value: Optional[float]) -> float:
    return -1.0 if value is None else value


def policy_to_c(policy: Policy) -> Any:
    raw = defaults(_raw.q3g_policy)
    raw.mode, raw.consecutive_tokens, raw.release_tokens = policy.mode, policy.consecutive_tokens, policy.release_tokens
    raw.unsafe_threshold = threshold(policy.unsafe_threshold)
    raw.controversial_threshold = threshold(policy.controversial_threshold)
    raw.release_threshold = threshold(policy.release_threshold)
    raw.end_of_turn = policy.end_of_turn
    for category, value in policy.category_thresholds.items():
        raw.category_thresholds[category] = value
    for category in policy.ignored_categories:
        raw.category_mask &= ~(1 << category)
    return raw
