# SPDX-License-Identifier: Apache-2.0
"""Between the structs of the C interface and this package's values."""

from __future__ import annotations

import ctypes
from typing import Any, Dict, Optional

from . import _raw
from ._enum_kinds import number
from ._enums import Action, Category, Reason, Role, Rule, Severity, Source
from ._library import bad_argument, error_of, new, put
from ._values import (Decision, Probabilities, Ruling, TokenVerdict, Verdict, Window, put_probabilities, put_ruling)


class _Members(Dict[int, Any]):
    """An enum's members by value. Looking one up is several times as fast as calling the class, and every token has
    three."""

    def __init__(self, kind: Any) -> None:
        super().__init__({member.value: member for member in kind})
        self._kind = kind

    def __missing__(self, value: int) -> Any:
        return self._kind(value)


_SEVERITIES, _CATEGORIES, _SOURCES, _REASONS = _Members(Severity), _Members(Category), _Members(Source), _Members(Reason)
_ACTIONS, _RULES = _Members(Action), _Members(Rule)


def ruling_of(raw: Any, action: int) -> Ruling:
    """Of any struct that has one. action: from the place that this struct has for it."""
    category, phrase, position = raw.rule_category, raw.rule_phrase, raw.rule_position
    return Ruling(
        _ACTIONS[action], _RULES[raw.rule], None if category < 0 else _CATEGORIES[category], raw.rule_score,
        None if phrase < 0 else phrase, None if position < 0 else position, raw.rule_byte_begin, raw.rule_byte_end,
        raw.rule_is_settled != 0, raw.policy_name.decode("utf-8", "replace"), raw.policy_version.decode("utf-8", "replace"))


def _token(raw: Any, severity: int, id: int, action: Action, counts: bool) -> TokenVerdict:
    """Of the fields that several structs have, and those that they do not share."""
    return TokenVerdict(
        _SEVERITIES[severity], Probabilities(raw.p_safe, raw.p_controversial, raw.p_unsafe), _CATEGORIES[raw.category],
        tuple(raw.category_probabilities), raw.position, id, _SOURCES[raw.source], action, counts,
        raw.is_settled != 0, raw.byte_begin, raw.byte_end)


def token_of(raw: Any) -> TokenVerdict:
    """Of q3g_token_verdict."""
    return _token(raw, raw.severity, raw.id, _ACTIONS[raw.action], raw.counts != 0)


def token_to_c(raw: Any, token: TokenVerdict) -> None:
    """Raises InvalidArgumentError for a number that C cannot hold."""
    put(raw, severity=number("severity", Severity, token.severity), category=number("category", Category, token.category),
        source=number("source", Source, token.source), position=token.position, id=token.id, action=number("action", Action, token.action),
        counts=bool(token.counts), is_settled=bool(token.is_settled), byte_begin=token.byte_begin, byte_end=token.byte_end)
    put_probabilities(raw, token.probabilities)
    raw.category_probabilities[:] = token.category_probabilities


def decision_of(raw: Any) -> Decision:
    """Of q3g_decision."""
    position = raw.position
    return Decision(
        _SEVERITIES[raw.severity], None if position < 0 else position,
        _REASONS[raw.reason], raw.n_run_tokens, _ACTIONS[raw.action], raw.is_complete != 0,
        raw.run_byte_begin, raw.unjudged_begin, raw.unjudged_end,
        _token(raw, raw.token_severity, raw.token_id, Action.NONE, True) if raw.has_token else None,
        ruling_of(raw, raw.ruling_action), raw.is_settled != 0)


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
            Severity(raw.severity), ruling_of(raw, raw.action), Probabilities(raw.p_safe, raw.p_controversial, raw.p_unsafe),
            None if raw.position < 0 else raw.position, categories, bool(raw.refusal) if raw.has_refusal else None,
            raw.refusal_probability, raw.prompt_tokens, raw.cached_tokens, raw.generated_tokens, raw.latency_ms,
            bytes(self.room[:raw.text_bytes]).decode("utf-8", "replace"),
            tuple(raw.dropped_messages[:raw.n_dropped_messages]), raw.n_dropped_messages, Role(raw.role),
            Window(raw.window_index, raw.n_windows, raw.window_byte_begin, raw.window_byte_end) if raw.n_windows else None,
            raw.is_of_folded_copy != 0)


def verdict_to_c(verdict: Verdict) -> Any:
    """What rules on a verdict again, and its ruling. Raises InvalidArgumentError for what C cannot hold."""
    raw = new(_raw.q3g_verdict)
    put(raw, severity=number("severity", Severity, verdict.severity), role=number("role", Role, verdict.role),
        position=-1 if verdict.position is None else verdict.position, n_categories=len(verdict.categories),
        action=number("ruling.action", Action, verdict.ruling.action))
    put_probabilities(raw, verdict.probabilities)
    for i, (category, probability) in enumerate(verdict.categories.items()):
        if i == _raw.Q3G_CATEGORY_COUNT:
            raise bad_argument(f"categories has {len(verdict.categories)} entries; expected at most {i}")
        raw.categories[i], raw.category_probabilities[i] = number("categories", Category, category), probability
    put_ruling(raw, verdict.ruling)
    return raw
