# SPDX-License-Identifier: Apache-2.0
"""What is done about verdicts."""

from __future__ import annotations

import ctypes
import json
from typing import Any, List, Mapping, Sequence, Tuple, Union

from . import _raw
from ._convert import decision_of, ruling_of, token_of, token_to_c, verdict_to_c
from ._enum_kinds import number
from ._enums import Action, Role
from ._handle import Handle
from ._library import Path, Text, array, bad_argument, call, encoded, library, new, path_to_c, read_text
from ._values import Decision, Ruling, TokenVerdict, Verdict


class Policy(Handle, free=library.q3g_policy_free):
    """What to do about verdicts, as a document says it (docs/policy.md): Policy.load(), parse() or preset(). Policy() is the
    default one, which blocks what is Unsafe or Controversial. A policy never changes a severity: its Ruling stands beside it.
    Immutable: any thread. It may be closed while a stream or a call uses it. Policies can be pickled and copied. Methods raise
    Qwen3GuardError."""

    def __init__(self) -> None:
        text = encoded(read_text(library.q3g_policy_to_json, None))
        self._open(library.q3g_policy_parse, text, len(text))

    @classmethod
    def load(cls, path: Path) -> "Policy":
        """Reads a policy's file. Raises ModelNotFoundError, which is a FileNotFoundError; InvalidArgumentError, with the line
        and the path of what is wrong; Qwen3GuardError "io"."""
        name = path_to_c(path)
        return cls._make(library.q3g_policy_load, name, len(name))

    @classmethod
    def parse(cls, document: Union[Text, Mapping[str, Any]]) -> "Policy":
        """Reads a policy's JSON text, or the same as a dictionary. Raises as load(), and TypeError for what JSON cannot
        hold."""
        if isinstance(document, Mapping):
            try:
                document = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
            except (ValueError, RecursionError) as error:
                raise bad_argument(f"the policy cannot be written as JSON: {error!s:.80}") from None
        text = encoded(document)
        return cls._make(library.q3g_policy_parse, text, len(text))

    @classmethod
    def preset(cls, name: str) -> "Policy":
        """A policy of the library (presets()). Raises InvalidArgumentError, with the names there are."""
        data = encoded(name)
        return cls._make(library.q3g_policy_preset, data, len(data))

    @staticmethod
    def presets() -> List[str]:
        """Names of the library's policies."""
        out: List[str] = []
        while (name := library.q3g_policy_preset_name(len(out))) is not None:
            out.append(name.decode())
        return out

    # A closed policy must not become the NULL that stands for the default one.

    def to_json(self) -> str:
        """The policy as JSON text that parse() reads."""
        return read_text(library.q3g_policy_to_json, self._pointer_to())

    def describe(self) -> str:
        """What it does, in plain words: some lines for a person."""
        return read_text(library.q3g_policy_describe, self._pointer_to())

    @property
    def unjudged_action(self) -> Action:
        """The action on what could not be judged, such as a call that failed: Action.NONE or BLOCK, never ALLOW."""
        out = ctypes.c_int32()
        call(library.q3g_policy_unjudged_action, self._pointer_to(), ctypes.byref(out))
        return Action(out.value)

    def decide_verdict(self, verdict: Verdict, text: Text = "") -> Ruling:
        """The ruling on a verdict that was given under another policy, bit for bit what classifying under this one would have
        ruled. text: the judged message, which a policy with lists needs. Raises InvalidArgumentError (a Stream checkpoint's
        verdict: decide() rules on its tokens; no text for a policy with lists)."""
        raw, data = verdict_to_c(verdict), encoded(text)
        call(library.q3g_policy_decide_verdict, self._pointer_to(), ctypes.byref(raw), data, len(data))
        return ruling_of(raw, raw.action)

    def decide(self, role: Union[Role, str], tokens: Sequence[TokenVerdict],
               has_ended: bool) -> Tuple[Decision, List[TokenVerdict]]:
        """The decision over the verdicts of a turn of this role, and these with their `action` set. has_ended: the turn is
        over. Lists have no part in it. Raises InvalidArgumentError."""
        raw, out = array(_raw.q3g_token_verdict, len(tokens)), new(_raw.q3g_decision)
        for item, token in zip(raw, tokens):
            token_to_c(item, token)
        call(library.q3g_policy_decide, self._pointer_to(), number("role", Role, role), raw, len(tokens), 1 if has_ended else 0,
             ctypes.byref(out))
        return decision_of(out), [token_of(token) for token in raw]

    def __reduce_ex__(self, _protocol: Any) -> Any:
        return Policy.parse, (self.to_json(),)
