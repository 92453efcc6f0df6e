# SPDX-License-Identifier: Apache-2.0
"""Text by a causal checkpoint."""

from __future__ import annotations

import ctypes
from typing import Iterator, Optional, Sequence, Tuple

from . import _raw
from ._guard import Guard
from ._handle import Cancel, Exclusive, lend_handle
from ._library import defaults, ids_to_c, library, put, whole
from ._messages import Messages, messages_to_c


class Generator(Exclusive, free=library.q3g_generator_free):
    """Writes text, token by token. temperature: 0: always the most probable token. top_k: 0: all. top_p: in (0, 1]. The same
    seed draws the same. One thread at a time: calls of several threads wait for each other. Raises Qwen3GuardError
    "unsupported_model" (a Stream checkpoint), InvalidArgumentError."""

    def __init__(self, guard: Guard, temperature: float = 0.7, top_k: int = 20, top_p: float = 0.8, seed: int = 0,
                 cancel: Optional[Cancel] = None) -> None:
        raw = defaults(_raw.q3g_sampling_options)
        put(raw, temperature=temperature, top_k=top_k, top_p=top_p, seed=seed)
        lend_handle(raw, "cancel", cancel)
        self._open(library.q3g_generator_open, guard._handle, ctypes.byref(raw))

    def set_conversation(self, messages: Messages) -> None:
        """Sets what was said, the last message the user's, and opens the answer. Raises InvalidArgumentError,
        InvalidUtf8Error, ContextFullError."""
        raw, _texts = messages_to_c(messages)
        self._call(library.q3g_generator_set_conversation, raw, len(raw))

    def set_tokens(self, ids: Sequence[int]) -> None:
        """The same as tokens. Raises InvalidArgumentError, ContextFullError."""
        self._call(library.q3g_generator_set_tokens, *ids_to_c(ids))

    def next(self) -> Tuple[int, bool]:
        """The next token, and whether it ends the answer. Raises ContextFullError, CancelledError."""
        id, is_end = ctypes.c_int32(), ctypes.c_int32()
        self._call(library.q3g_generator_next, ctypes.byref(id), ctypes.byref(is_end))
        return id.value, bool(is_end.value)

    def __iter__(self) -> Iterator[int]:
        """Tokens up to the one that ends the answer. Raises as next()."""
        while True:
            id, is_end = self.next()
            if is_end:
                return
            yield id

    @property
    def position(self) -> int:
        """Tokens so far."""
        out = ctypes.c_int32()
        self._call(library.q3g_generator_position, ctypes.byref(out))
        return out.value

    def rewind(self, position: int) -> None:
        """Takes back all tokens from `position` on, but not the random numbers. Raises InvalidArgumentError."""
        self._call(library.q3g_generator_rewind, whole("position", position))
