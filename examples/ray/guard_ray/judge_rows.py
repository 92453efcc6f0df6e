# SPDX-License-Identifier: Apache-2.0
"""Rows in, lines of output out: the model's part of a worker, without Ray."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional, Union

import qwen3guard

from .output_rows import error_line, ruling_on_unjudged, verdict_line
from .problems import RowError
from .row_reader import Row

WORKER_DIED = "worker_died"
#: Errors of the worker and not of the row: the row is judged once more.
_RETRIED = frozenset(("out_of_memory", "internal", "io", "budget_exceeded", "cancelled"))
#: Rows with these errors were given up after a second try.
SET_ASIDE_CODES = _RETRIED | {WORKER_DIED}
_Outcome = Union[qwen3guard.Verdict, BaseException]


@dataclass(frozen=True)
class GuardOptions:
    """What verdicts depend on beside the model and the row."""

    policy_json: str
    thinking: str = "none"
    long_text: Optional[str] = None
    isa: str = ""
    max_context_tokens: int = 0


class RowJudge:
    """A model on one thread. It keeps nothing of one row for the next, so that verdicts do not depend on what a worker judged
    before; the constant part of the prompt is computed when the model is loaded."""

    def __init__(self, model: str, options: GuardOptions) -> None:
        self._guard = qwen3guard.Guard.load(model, n_threads=1, kept_tokens=0, isa=options.isa,
                                            max_context_tokens=options.max_context_tokens)
        policy = qwen3guard.Policy.parse(options.policy_json)
        self._options = qwen3guard.ClassifyOptions(policy=policy, thinking=options.thinking, long_text=options.long_text)
        self._unjudged: dict[str, Any] = ruling_on_unjudged(policy)
        self._guard.classify_prompt("Hello", self._options)
        self._guard.classify_response("Hello", "Hello", self._options)

    def judge(self, file: str, rows: list[Row]) -> list[bytes]:
        """A line for each row, in their order. What fails, fails alone."""
        outcomes = iter(self._outcomes([row.messages for row in rows if row.error is None]))
        return [self._line(file, row, next(outcomes) if row.error is None else row.error) for row in rows]

    def give_up(self, file: str, row: Row, code: str, reason: str) -> bytes:
        """The line of a row that is not judged (any more)."""
        return error_line(file, row.number, row.id_json, self._unjudged, code, reason).encode() + b"\n"

    def _outcomes(self, conversations: list[Any]) -> list[_Outcome]:
        if not conversations:
            return []
        try:
            return list(self._guard.classify_batch(conversations, self._options))
        except Exception:  # of the batch as a whole: each row is tried by itself
            return [self._alone(conversation) for conversation in conversations]

    def _alone(self, conversation: Any) -> _Outcome:
        try:
            return self._guard.classify_batch([conversation], self._options)[0]
        except Exception as error:
            return error

    def _line(self, file: str, row: Row, outcome: _Outcome) -> bytes:
        if _code(outcome) in _RETRIED:
            outcome = self._alone(row.messages)
        if isinstance(outcome, qwen3guard.Verdict):
            return verdict_line(file, row.number, row.id_json, outcome).encode() + b"\n"
        reason = f"failed twice: {outcome}" if _code(outcome) in _RETRIED else str(outcome)
        return self.give_up(file, row, _code(outcome), f"{row.what} {row.number}: {reason}")


def _code(outcome: _Outcome) -> str:
    """An error's code; "" of a verdict."""
    if isinstance(outcome, qwen3guard.Verdict):
        return ""
    if isinstance(outcome, qwen3guard.Qwen3GuardError):
        return outcome.name
    if isinstance(outcome, RowError):
        return outcome.code
    return "out_of_memory" if isinstance(outcome, MemoryError) else "invalid_argument" if isinstance(outcome, TypeError) else "internal"
