# SPDX-License-Identifier: Apache-2.0
"""Pure functions over stored verdicts. Any thread."""

from __future__ import annotations

import ctypes
from typing import List, Sequence, Tuple

from . import _raw
from ._convert import decision_of, policy_to_c, token_of, token_to_c
from ._enums import Severity
from ._library import array, call, library, new
from ._values import Decision, Policy, TokenVerdict


def check_policy(policy: Policy) -> None:
    """Raises InvalidArgumentError, with the field's name, when one is out of range."""
    call(library.q3g_policy_check, ctypes.byref(policy_to_c(policy)))


def counted_severity(policy: Policy, token: TokenVerdict) -> Severity:
    """The severity that a token counts with. Raises InvalidArgumentError."""
    raw, out = new(_raw.q3g_token_verdict), ctypes.c_int32()
    token_to_c(raw, token)
    call(library.q3g_policy_counted_severity, ctypes.byref(policy_to_c(policy)), ctypes.byref(raw), ctypes.byref(out))
    return Severity(out.value)


def decide(policy: Policy, tokens: Sequence[TokenVerdict], has_ended: bool) -> Tuple[Decision, List[TokenVerdict]]:
    """The decision over a turn's verdicts, and these with their is_flagged set. has_ended: the turn is over. Raises
    InvalidArgumentError."""
    raw, out = array(_raw.q3g_token_verdict, len(tokens)), new(_raw.q3g_decision)
    for item, token in zip(raw, tokens):
        token_to_c(item, token)
    call(library.q3g_policy_decide, ctypes.byref(policy_to_c(policy)), raw, len(tokens), 1 if has_ended else 0,
         ctypes.byref(out))
    return decision_of(out), [token_of(token) for token in raw]
