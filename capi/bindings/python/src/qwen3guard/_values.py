# SPDX-License-Identifier: Apache-2.0
"""Results, and what is asked. Plain values: they own everything and may be used from any thread."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple, Union

from . import _raw
from ._enum_kinds import number
from ._enums import Action, Category, EndOfTurn, EventKind, Mode, Reason, Role, RunRule, Severity, Source
from ._library import Qwen3GuardError, Text, call, library, new, put


class Probabilities(NamedTuple):
    """Of the three severities; their sum is 1, or 0 where nothing was judged. probabilities[severity] is by Severity, and
    takes no other index; 0 for NOT_JUDGED."""
    safe: float = 0.0
    controversial: float = 0.0
    unsafe: float = 0.0

    def __getitem__(self, severity: Severity) -> float:  # type: ignore[override]
        if not isinstance(severity, Severity):
            raise TypeError(f"probabilities are by Severity, not by {type(severity).__name__}")
        if severity is Severity.SAFE:
            return self.safe
        if severity is Severity.CONTROVERSIAL:
            return self.controversial
        return self.unsafe if severity is Severity.UNSAFE else 0.0


class Message(NamedTuple):
    """One turn of a conversation."""
    role: Union[Role, str]
    text: Text


@dataclass(frozen=True)
class Verdict:
    """Judgement of the last message of a conversation. prompt_tokens were read, of which cached_tokens did not have to be
    computed again, and generated_tokens written; latency_ms runs from the start of the call. Verdict() is not judged."""
    severity: Severity = Severity.NOT_JUDGED
    action: Action = Action.NONE
    probabilities: Probabilities = Probabilities()  #: at the token `position`
    position: Optional[int] = None  #: Stream: index of the token whose probabilities and category these are; Gen: None
    categories: Dict[Category, float] = field(default_factory=dict)  #: with probabilities, most relevant first; none when Safe
    refusal: Optional[bool] = None  #: Gen judging a response; else None
    refusal_probability: float = 0.0  #: of `refusal`; 0 when it is None
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    latency_ms: float = 0.0
    text: str = ""  #: as the model wrote it; Gen only
    #: Gen: indices of the messages (of a stream: turns) that the template left out, so that nothing of them was seen: an
    #: assistant's that came first, a system's that did not, a tool's. The first 31; n_dropped_messages: how many there are.
    dropped_messages: Tuple[int, ...] = ()
    n_dropped_messages: int = 0


class TokenVerdict(NamedTuple):
    """Judgement of one token. counts: False inside thinking that is skipped. is_settled: no text that follows can change the
    token; when it is False, the verdict is provisional. TokenVerdict() is not judged."""
    severity: Severity = Severity.NOT_JUDGED  #: NOT_JUDGED when `source` is NONE, or a Safe verdict is CARRIED
    probabilities: Probabilities = Probabilities()
    category: Category = Category.VIOLENT  #: meaningful unless Safe
    category_probabilities: Tuple[float, ...] = (0.0,) * len(Category)  #: by Category
    position: int = 0  #: token index in the conversation, from 0
    id: int = -1  #: -1 where a Gen verdict is on no token
    source: Source = Source.NONE
    is_flagged: bool = False  #: the policy's flag is up at this token
    counts: bool = True
    is_settled: bool = False
    byte_begin: int = 0  #: where it comes from in the turn's text as UTF-8
    byte_end: int = 0


class Decision(NamedTuple):
    """What the policy made of a turn so far. Decision() is not judged."""
    severity: Severity = Severity.NOT_JUDGED  #: SAFE only when is_complete
    position: Optional[int] = None  #: of the token where it fell, as in TokenVerdict; None when none decided
    reason: Reason = Reason.NONE
    n_run_tokens: int = 0  #: of the run up to that token, it included
    is_flagged: bool = False  #: the policy's flag is up at the last token
    is_complete: bool = False  #: every byte of the turn so far was judged, and there is one at least
    run_byte_begin: int = 0  #: where the run begins in the turn's text: what to take back starts here
    unjudged_begin: int = 0  #: the bytes of the turn's text from here to unjudged_end were not judged
    unjudged_end: int = 0  #: equal to unjudged_begin when it is complete, or there is no text
    token: Optional[TokenVerdict] = None  #: where it fell

    @property
    def is_settled(self) -> bool:
        """The token where it fell is settled. False: there is none, or the text that follows may change that token, and take
        the decision back ("sex" may become "sexton")."""
        return self.token is not None and self.token.is_settled

    def explain(self) -> str:
        """One sentence for a person. Raises InvalidArgumentError for a decision with values out of range."""
        raw, text, n = decision_to_c(self), ctypes.create_string_buffer(1024), ctypes.c_size_t()
        call(library.q3g_decision_explain, ctypes.byref(raw), text, len(text), ctypes.byref(n))
        return text.raw[:n.value].decode()


@dataclass(frozen=True)
class Update:
    """What a change did to the verdicts of the open turn: those before `first` stand, `tokens` take the place of all
    others, and those before `n_settled` are final. stopped_at_byte: Context.STOP: the first byte that was not judged."""
    first: int = 0
    tokens: List[TokenVerdict] = field(default_factory=list)
    n_settled: int = 0
    stopped_at_byte: Optional[int] = None


@dataclass(frozen=True)
class Turn:
    """What a turn came to."""
    role: Role
    decision: Decision = Decision()
    prompt: Optional[TokenVerdict] = None  #: of a user's turn that has a verdict of its own
    written: Optional[Verdict] = None  #: by a Gen checkpoint


class Mark(NamedTuple):
    """A place in a conversation, for Stream.rewind(). Only the library reads the fields."""
    turn: int
    n_units: int
    is_closed: bool


@dataclass(frozen=True)
class Event:
    """What became of something that was pushed to a batch."""
    kind: EventKind
    update: Update = field(default_factory=Update)
    decision: Decision = Decision()
    turn: Optional[Turn] = None
    error: Optional[Qwen3GuardError] = None  #: of EventKind.ERROR
    waited_ms: float = 0.0  #: from the (oldest joined) push to the verdict; of EventKind.OVERDUE: until now
    is_late: bool = False  #: later than its deadline


@dataclass
class Policy:
    """From the verdicts of tokens to a decision; the default is the published rule. Thresholds are in [0, 1]; None: not
    set."""
    mode: Union[Mode, str] = Mode.STRICT  #: STRICT: a Controversial decision flags, too
    run_rule: Union[RunRule, str] = RunRule.PUBLISHED  #: which tokens make a run
    consecutive_tokens: int = 2  #: in a row that decide; at least 1
    unsafe_threshold: Optional[float] = None  #: Unsafe when P(Unsafe) reaches it
    controversial_threshold: Optional[float] = None  #: else Controversial when P(Unsafe) + P(Controversial) does
    category_thresholds: Mapping[Union[Category, str], float] = field(default_factory=dict)  #: Safe when 1 - P(Safe) is below it
    ignored_categories: Tuple[Union[Category, str], ...] = ()
    release_tokens: int = 0  #: a flag goes down after so many Safe tokens in a row; 0: it stays
    release_threshold: Optional[float] = None  #: and whose 1 - P(Safe) is below it
    end_of_turn: Union[EndOfTurn, str] = EndOfTurn.IGNORE_OPEN_RUN


def put_probabilities(raw: Any, probabilities: Probabilities) -> None:
    """Into any struct that has them."""
    raw.p_safe, raw.p_controversial, raw.p_unsafe = probabilities


def decision_to_c(decision: Decision) -> Any:
    """Raises InvalidArgumentError for a number that C cannot hold."""
    raw, token = new(_raw.q3g_decision), decision.token
    put(raw, severity=number("severity", Severity, decision.severity), reason=number("reason", Reason, decision.reason), n_run_tokens=decision.n_run_tokens,
        position=-1 if decision.position is None else decision.position, is_flagged=bool(decision.is_flagged),
        is_complete=bool(decision.is_complete), unjudged_begin=decision.unjudged_begin, unjudged_end=decision.unjudged_end,
        run_byte_begin=decision.run_byte_begin)
    if token is not None:
        put(raw, has_token=1, token_severity=number("severity", Severity, token.severity),
            category=number("category", Category, token.category), source=number("source", Source, token.source), token_id=token.id,
            is_settled=bool(token.is_settled), byte_begin=token.byte_begin, byte_end=token.byte_end)
        put_probabilities(raw, token.probabilities)
        raw.category_probabilities[:] = token.category_probabilities
    return raw
