# SPDX-License-Identifier: Apache-2.0
"""Results, and what is asked. Plain values: they own everything and may be used from any thread."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from . import _raw
from ._enums import Action, Category, EndOfTurn, EventKind, Mode, Reason, Role, Severity, Source
from ._library import Qwen3GuardError, Text, call, library, new, put


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
    """Judgement of the last message of a conversation. prompt_tokens were read, of which cached_tokens did not have to be
    computed again, and generated_tokens written; latency_ms runs from the start of the call."""
    severity: Severity
    action: Action
    probabilities: Probabilities
    categories: Dict[Category, float]  #: with probabilities, most relevant first; empty when Safe
    refusal: Optional[bool]  #: Gen judging a response; else None
    refusal_probability: float  #: of `refusal`; 0 when it is None
    prompt_tokens: int
    cached_tokens: int
    generated_tokens: int
    latency_ms: float
    text: str  #: as the model wrote it; Gen only


class TokenVerdict(NamedTuple):
    """Judgement of one token. counts: False inside thinking that is skipped. is_settled: no text that follows can change the
    token."""
    severity: Severity
    probabilities: Probabilities
    category: Category  #: meaningful unless Safe
    category_probabilities: Tuple[float, ...]  #: by Category
    position: int  #: token index in the conversation, from 0
    id: int  #: -1 where a Gen verdict is on no token
    source: Source
    is_flagged: bool  #: the policy's flag is up at this token
    counts: bool
    is_settled: bool
    byte_begin: int  #: where it comes from in the turn's text as UTF-8
    byte_end: int


class Decision(NamedTuple):
    """What the policy made of a turn so far."""
    severity: Severity
    position: Optional[int]  #: of the token where it fell, as in TokenVerdict; None when Safe
    reason: Reason
    n_run_tokens: int  #: of the run up to that token, it included
    is_flagged: bool  #: the policy's flag is up at the last token
    is_complete: bool  #: False: part of the turn was not judged
    run_byte_begin: int  #: where the run begins in the turn's text: what to take back starts here
    token: Optional[TokenVerdict]  #: where it fell

    def explain(self) -> str:
        """One sentence for a person. Raises InvalidArgumentError for a decision with values out of range."""
        raw, text, n = decision_to_c(self), ctypes.create_string_buffer(1024), ctypes.c_size_t()
        call(library.q3g_decision_explain, ctypes.byref(raw), text, len(text), ctypes.byref(n))
        return text.raw[:n.value].decode()


@dataclass(frozen=True)
class Update:
    """What a change did to the verdicts of the open turn: those before `first` stand, `tokens` take the place of all
    others, and those before `n_settled` are final. stopped_at_byte: Context.STOP: the first byte that was not judged."""
    first: int
    tokens: List[TokenVerdict]
    n_settled: int
    stopped_at_byte: Optional[int]


@dataclass(frozen=True)
class Turn:
    """What a turn came to."""
    role: Role
    decision: Decision
    prompt: Optional[TokenVerdict]  #: of a user's turn that has a verdict of its own
    written: Optional[Verdict]  #: by a Gen checkpoint


class Mark(NamedTuple):
    """A place in a conversation, for Stream.rewind(). Only the library reads the fields."""
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
    error: Optional[Qwen3GuardError]  #: of EventKind.ERROR
    waited_ms: float  #: from the (oldest joined) push to the verdict; of EventKind.OVERDUE: until now
    is_late: bool  #: later than its deadline


class StreamInfo(NamedTuple):
    """Where a stream is."""
    position: int  #: tokens so far: the index that the next one gets
    max_tokens: int  #: there is room for
    turn_bytes: int  #: of the open (or else the last) turn's text
    first_verdict: int  #: index of that turn's first verdict that is there (Context.SLIDE)
    n_verdicts: int  #: one more than the index of the last
    memory_bytes: int  #: held; shared pages count in full


class BatchStats(NamedTuple):
    """Counters of a batch."""
    n_sessions: int
    n_waiting_sessions: int
    memory_bytes: int
    n_steps: int
    n_tokens: int
    n_late: int
    n_overdue_sessions: int  #: with something that waits past its deadline
    oldest_waiting_ms: float  #: since the oldest push without a verdict; 0: nothing waits


@dataclass
class Policy:
    """From the verdicts of tokens to a decision; the default is the published rule. Thresholds are in [0, 1]; None: not
    set."""
    mode: Mode = Mode.STRICT  #: STRICT: a Controversial decision flags, too
    consecutive_tokens: int = 2  #: in a row that a severity must hold; at least 1
    unsafe_threshold: Optional[float] = None  #: Unsafe when P(Unsafe) reaches it
    controversial_threshold: Optional[float] = None  #: else Controversial when P(Unsafe) + P(Controversial) does
    category_thresholds: Dict[Category, float] = field(default_factory=dict)  #: Safe when 1 - P(Safe) is below it
    ignored_categories: Tuple[Category, ...] = ()
    release_tokens: int = 0  #: a flag goes down after so many Safe tokens in a row; 0: it stays
    release_threshold: Optional[float] = None  #: and whose 1 - P(Safe) is below it
    end_of_turn: EndOfTurn = EndOfTurn.IGNORE_OPEN_RUN


def decision_to_c(decision: Decision) -> Any:
    """Raises InvalidArgumentError for a number that C cannot hold."""
    raw, token = new(_raw.q3g_decision), decision.token
    put(raw, severity=decision.severity, reason=decision.reason, n_run_tokens=decision.n_run_tokens,
        position=-1 if decision.position is None else decision.position, is_flagged=bool(decision.is_flagged),
        is_complete=bool(decision.is_complete), run_byte_begin=decision.run_byte_begin)
    if token is not None:
        put(raw, has_token=1, token_severity=token.severity, category=token.category, token_id=token.id, source=token.source,
            byte_begin=token.byte_begin, byte_end=token.byte_end)
        raw.probabilities[:] = token.probabilities
        raw.category_probabilities[:] = token.category_probabilities
    return raw
