# SPDX-License-Identifier: Apache-2.0
"""Results, and what is asked. Plain values: they own everything and may be used from any thread."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from typing import Any, Dict, List, NamedTuple, Optional, Tuple, Union

from . import _raw
from ._enum_kinds import number
from ._enums import Action, Category, EventKind, Reason, Role, Rule, Severity, Source
from ._library import Qwen3GuardError, Text, bad_argument, c_string, library, new, put, read_text


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


class Ruling(NamedTuple):
    """What a policy made of a text, and why. It never changes a severity. Ruling() is no advice, and does not mean allow."""
    action: Action = Action.NONE  #: what to do
    rule: Rule = Rule.NONE  #: what decided
    category: Optional[Category] = None  #: whose rule it was
    score: float = 0.0  #: that was compared, calibrated; 0 where there are no thresholds
    phrase: Optional[int] = None  #: Rule.DENY_LIST: index in the policy's deny list
    position: Optional[int] = None  #: Stream: index of the token where it fell
    byte_begin: int = 0  #: the text that it fell on, as UTF-8: what to take back begins here
    byte_end: int = 0  #: equal to byte_begin when it is about the whole message
    is_settled: bool = False  #: no text that follows can change it
    policy_name: str = ""  #: of the policy that ruled
    policy_version: str = ""


@dataclass(frozen=True)
class Window:
    """The part of a long message that was the worst (LongText.WINDOWS)."""
    index: int  #: from 0
    n_windows: int
    byte_begin: int  #: of the message as UTF-8
    byte_end: int


@dataclass(frozen=True)
class Verdict:
    """Judgement of the last message of a conversation. prompt_tokens were read, of which cached_tokens did not have to be
    computed again, and generated_tokens written; latency_ms runs from the start of the call. Verdict() is not judged."""
    severity: Severity = Severity.NOT_JUDGED  #: the model's; no policy changes it
    ruling: Ruling = Ruling()  #: the policy's
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
    role: Role = Role.USER  #: whose message it was
    window: Optional[Window] = None  #: the message did not fit, and this part of it was the worst
    is_of_folded_copy: bool = False  #: the folded copy was the worse one

    @property
    def action(self) -> Action:
        """What to do: the ruling's. Action.NONE is not ALLOW."""
        return self.ruling.action


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
    action: Action = Action.NONE  #: what the policy does from this token on
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
    action: Action = Action.NONE  #: what to do now: the ruling's, or ALLOW when the policy has released it
    is_complete: bool = False  #: every byte of the turn so far was judged, and there is one at least
    run_byte_begin: int = 0  #: where the run begins in the turn's text: what to take back starts here
    unjudged_begin: int = 0  #: the bytes of the turn's text from here to unjudged_end were not judged
    unjudged_end: int = 0  #: equal to unjudged_begin when it is complete, or there is no text
    token: Optional[TokenVerdict] = None  #: where it fell
    ruling: Ruling = Ruling()  #: the strictest of the turn
    #: A token decided, and no text that follows can change it. False: there is none, or the text that follows may change that
    #: token, and take the decision back ("sex" may become "sexton").
    is_settled: bool = False

    def explain(self) -> str:
        """One sentence for a person. Raises InvalidArgumentError for a decision with values out of range."""
        raw = decision_to_c(self)
        return read_text(library.q3g_decision_explain, ctypes.byref(raw))


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


def put_probabilities(raw: Any, probabilities: Probabilities) -> None:
    """Into any struct that has them."""
    raw.p_safe, raw.p_controversial, raw.p_unsafe = probabilities


def put_ruling(raw: Any, ruling: Ruling) -> None:
    """All but the action, for which each struct has a place of its own. Raises InvalidArgumentError for what C cannot hold."""
    put(raw, rule=number("ruling.rule", Rule, ruling.rule),
        rule_category=-1 if ruling.category is None else number("ruling.category", Category, ruling.category),
        rule_phrase=-1 if ruling.phrase is None else ruling.phrase,
        rule_position=-1 if ruling.position is None else ruling.position, rule_is_settled=bool(ruling.is_settled),
        rule_score=ruling.score, rule_byte_begin=ruling.byte_begin, rule_byte_end=ruling.byte_end)
    for name in ("policy_name", "policy_version"):
        data = c_string(getattr(ruling, name), f"ruling.{name}")
        room = getattr(type(raw), name).size
        if len(data) >= room:
            raise bad_argument(f"ruling.{name} has {len(data)} bytes; expected fewer than {room}")
        setattr(raw, name, data)


def decision_to_c(decision: Decision) -> Any:
    """Raises InvalidArgumentError for a number that C cannot hold."""
    raw, token = new(_raw.q3g_decision), decision.token
    put(raw, severity=number("severity", Severity, decision.severity), reason=number("reason", Reason, decision.reason), n_run_tokens=decision.n_run_tokens,
        position=-1 if decision.position is None else decision.position, action=number("action", Action, decision.action),
        is_complete=bool(decision.is_complete), is_settled=bool(decision.is_settled), unjudged_begin=decision.unjudged_begin,
        unjudged_end=decision.unjudged_end, run_byte_begin=decision.run_byte_begin,
        ruling_action=number("ruling.action", Action, decision.ruling.action))
    put_ruling(raw, decision.ruling)
    if token is not None:
        put(raw, has_token=1, token_severity=number("severity", Severity, token.severity),
            category=number("category", Category, token.category), source=number("source", Source, token.source), token_id=token.id,
            byte_begin=token.byte_begin, byte_end=token.byte_end)
        put_probabilities(raw, token.probabilities)
        raw.category_probabilities[:] = token.category_probabilities
    return raw
