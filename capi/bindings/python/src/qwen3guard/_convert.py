# SPDX-License-Identifier: Apache-2.0
"""Between the structs of the C interface and this package's values."""

from __future__ import annotations

import ctypes
from typing import Any, Dict, Optional, Union

from . import _raw
from ._enum_kinds import number
from ._enums import Action, Category, EndOfTurn, Mode, Reason, RunRule, Severity, Source
from ._library import bad_argument, defaults, error_of, new, put
from ._values import Decision, Policy, Probabilities, TokenVerdict, Verdict, put_probabilities


class _Members(Dict[int, Any]):
    """An enum's members by value. Looking one up is several times as fast as calling the class, and every token has
    three."""

    def __init__(self, kind: Any) -> None:
        super().__init__({member.value: member for member in kind})
        self._kind = kind

    def __missing__(self, value: int) -> Any:
        return self._kind(value)


_SEVERITIES, _CATEGORIES, _SOURCES, _REASONS = _Members(Severity), _Members(Category), _Members(Source), _Members(Reason)


def _token(raw: Any, severity: int, id: int, counts: bool) -> TokenVerdict:
    """Of the fields that several structs have, and those that they do not share."""
    return TokenVerdict(
        _SEVERITIES[severity], Probabilities(raw.p_safe, raw.p_controversial, raw.p_unsafe), _CATEGORIES[raw.category],
        tuple(raw.category_probabilities), raw.position, id, _SOURCES[raw.source], raw.is_flagged != 0, counts,
        raw.is_settled != 0, raw.byte_begin, raw.byte_end)


def token_of(raw: Any) -> TokenVerdict:
    """Of q3g_token_verdict."""
    return _token(raw, raw.severity, raw.id, raw.counts != 0)


def token_to_c(raw: Any, token: TokenVerdict) -> None:
    """Raises InvalidArgumentError for a number that C cannot hold."""
    put(raw, severity=number("severity", Severity, token.severity), category=number("category", Category, token.category),
        source=number("source", Source, token.source), position=token.position, id=token.id, is_flagged=bool(token.is_flagged),
        counts=bool(token.counts), is_settled=bool(token.is_settled), byte_begin=token.byte_begin, byte_end=token.byte_end)
    put_probabilities(raw, token.probabilities)
    raw.category_probabilities[:] = token.category_probabilities


def decision_of(raw: Any) -> Decision:
    """Of q3g_decision."""
    position = raw.position
    return Decision(
        _SEVERITIES[raw.severity], None if position < 0 else position,
        _REASONS[raw.reason], raw.n_run_tokens, raw.is_flagged != 0, raw.is_complete != 0,
        raw.run_byte_begin, raw.unjudged_begin, raw.unjudged_end,
        _token(raw, raw.token_severity, raw.token_id, True) if raw.has_token else None)


VERDICT_TEXT_BYTES = 2048  # Constrained decoding writes at most 256; greedy, what the model likes.


class VerdictPlace:
    """Room for a verdict and its text."""

    def __init__(self, n_bytes: Optional[int] = None, raw: Any = None) -> None:
        self.raw = new(_raw.q3g_verdict) if raw is None else raw
        self.room = bytearray(VERDICT_TEXT_BYTES if n_bytes is None else n_bytes)
        self.raw.text = (ctypes.c_char * 1).from_buffer(self.room)
        self.raw.text_capacity = len(self.room)

    @property
    def needed_bytes(self) -> int:
        """How much room the text needs when it did not fit, else 0."""
        n: int = self.raw.text_bytes
        return n if n > len(self.room) else 0

    def verdict(self) -> Verdict:
        """What was written. Raises Qwen3GuardError when the text did not fit."""
        raw = self.raw
        if self.needed_bytes:
            raise error_of(_raw.Q3G_E_BUFFER_TOO_SMALL, f"the verdict's text has {raw.text_bytes} bytes; there is room for "
                           f"{len(self.room)}")
        categories = {Category(raw.categories[i]): raw.category_probabilities[i] for i in range(raw.n_categories)}
        return Verdict(
            Severity(raw.severity), Action(raw.action), Probabilities(raw.p_safe, raw.p_controversial, raw.p_unsafe),
            None if raw.position < 0 else raw.position, categories, bool(raw.refusal) if raw.has_refusal else None,
            raw.refusal_probability, raw.prompt_tokens, raw.cached_tokens, raw.generated_tokens, raw.latency_ms,
            bytes(self.room[:raw.text_bytes]).decode("utf-8", "replace"),
            tuple(raw.dropped_messages[:raw.n_dropped_messages]), raw.n_dropped_messages)


def threshold(name: str, value: Optional[float]) -> float:
    """C's way to say "not set" is a number below 0. Raises InvalidArgumentError."""
    if value is not None and value < 0:
        raise bad_argument(f"{name} is {value}; expected 0 to 1, or None")
    return -1.0 if value is None else value


def policy_to_c(policy: Policy) -> Any:
    """Raises InvalidArgumentError for what C cannot hold."""
    raw = defaults(_raw.q3g_policy)
    put(raw, mode=number("mode", Mode, policy.mode), run_rule=number("run_rule", RunRule, policy.run_rule),
        consecutive_tokens=policy.consecutive_tokens, release_tokens=policy.release_tokens,
        unsafe_threshold=threshold("unsafe_threshold", policy.unsafe_threshold),
        controversial_threshold=threshold("controversial_threshold", policy.controversial_threshold),
        release_threshold=threshold("release_threshold", policy.release_threshold),
        end_of_turn=number("end_of_turn", EndOfTurn, policy.end_of_turn))
    for category, value in policy.category_thresholds.items():
        raw.category_thresholds[_index(category)] = threshold(f"category_thresholds[{category!s}]", value)
    for category in policy.ignored_categories:
        raw.category_mask &= ~(1 << _index(category))
    return raw


def _index(category: Union[Category, str]) -> int:
    index = number("category", Category, category)
    if not 0 <= index < _raw.Q3G_CATEGORY_COUNT:
        raise bad_argument(f"category {index}; expected 0 to {_raw.Q3G_CATEGORY_COUNT - 1}")
    return index
