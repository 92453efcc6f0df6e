# SPDX-License-Identifier: Apache-2.0
"""Many live conversations over one model."""

from __future__ import annotations

import ctypes
from typing import Any, Callable, List, Optional, Sequence

from . import _raw
from ._guard import Guard, _verdict_place
from ._library import Callback, Cancel, ClosedError, Handle, Text, array, call, defaults, encoded, error_of, library, new
from ._stream import Stream, stream_options_to_c
from ._tokenizer import _ids_to_c
from ._values import (Context, Event, EventKind, InvalidUtf8, Policy, Role, Thinking, Turn, Update, decision_of, token_of,
                      verdict_of)


def _event(events: Any, index: int) -> Event:
    raw, failure, decision = new(_raw.q3g_event), new(_raw.q3g_error), new(_raw.q3g_decision)
    call(library.q3g_events_get, events, index, ctypes.byref(raw), ctypes.byref(failure))
    call(library.q3g_events_decision, events, index, ctypes.byref(decision))
    tokens = array(_raw.q3g_token_verdict, raw.n_tokens)
    call(library.q3g_events_tokens, events, index, tokens, len(tokens))
    turn = None
    if raw.kind == _raw.Q3G_EVENT_TURN_END:
        prompt, written = new(_raw.q3g_token_verdict), _verdict_place()
        call(library.q3g_events_turn, events, index, ctypes.byref(prompt), ctypes.byref(written))
        turn = Turn(Role(raw.role), decision_of(decision), token_of(prompt) if raw.has_prompt else None,
                    verdict_of(written) if raw.has_written else None)
    update = Update(raw.first, [token_of(token) for token in tokens], raw.n_settled,
                    None if raw.stopped_at_byte < 0 else raw.stopped_at_byte)
    error = error_of(raw.status, failure.message.decode("utf-8", "replace")) if raw.status else None
    return Event(EventKind(raw.kind), update, decision_of(decision), turn, error, raw.waited_ms, bool(raw.is_late))


class Batch(Handle):
    """Sessions are named by the numbers that add() returns. Any thread. deadline_ms: from now; below 0: the default."""

    _free = library.q3g_batch_free

    def __init__(self, guard: Guard, memory_budget_bytes: int = 0, max_waiting_bytes: Optional[int] = None,
                 max_step_tokens: Optional[int] = None, max_session_tokens: Optional[int] = None,
                 default_deadline_ms: Optional[float] = None) -> None:
        super().__init__(None)
        raw, out = defaults(_raw.q3g_batch_options), ctypes.c_void_p()
        raw.memory_budget_bytes = memory_budget_bytes
        for name, value in (("max_waiting_bytes", max_waiting_bytes), ("max_step_tokens", max_step_tokens),
                            ("max_session_tokens", max_session_tokens), ("default_deadline_ms", default_deadline_ms)):
            if value is not None:
                setattr(raw, name, value)
        call(library.q3g_batch_open, guard._handle, ctypes.byref(raw), ctypes.byref(out))
        self._handle = out.value

    def add(self, policy: Optional[Policy] = None, max_tokens: int = 0, invalid_utf8: InvalidUtf8 = InvalidUtf8.REJECT,
            context: Context = Context.ERROR, thinking: Thinking = Thinking.NONE, judge_unsettled: bool = True,
            gen_interval_tokens: int = 32, cancel: Optional[Cancel] = None) -> int:
        """A new session; options as Stream's."""
        raw, out = stream_options_to_c(policy, max_tokens, invalid_utf8, context, thinking, judge_unsettled,
                                       gen_interval_tokens, cancel), ctypes.c_uint64()
        call(library.q3g_batch_add, self._handle, ctypes.byref(raw), ctypes.byref(out))
        return out.value

    def add_stream(self, stream: Stream) -> int:
        """Takes a stream in, with its past; the Stream is closed, also when the batch refuses it."""
        out = ctypes.c_uint64()
        if not stream._handle:
            raise ClosedError(_raw.Q3G_E_BAD_HANDLE, "the stream is closed")
        try:
            call(library.q3g_batch_add_stream, self._handle, stream._handle, ctypes.byref(out))
        finally:
            if self._handle:
                stream._handle = None  # the library has freed it, whatever came of it
        return out.value

    def remove(self, session: int) -> None:
        call(library.q3g_batch_remove, self._handle, session)

    def push_prompt(self, session: int, prompt: Text, deadline_ms: float = -1) -> None:
        """Queues a prompt; what is wrong with the text comes as an event."""
        data = encoded(prompt)
        call(library.q3g_batch_push_prompt, self._handle, session, data, len(data), deadline_ms)

    def begin_turn(self, session: int, role: Role) -> None:
        call(library.q3g_batch_begin_turn, self._handle, session, int(role))

    def push_text(self, session: int, text: Text, deadline_ms: float = -1) -> None:
        data = encoded(text)
        call(library.q3g_batch_push_text, self._handle, session, data, len(data), deadline_ms)

    def push_tokens(self, session: int, ids: Sequence[int], deadline_ms: float = -1) -> None:
        call(library.q3g_batch_push_tokens, self._handle, session, _ids_to_c(ids), len(ids), deadline_ms)

    def end_turn(self, session: int, deadline_ms: float = -1) -> None:
        call(library.q3g_batch_end_turn, self._handle, session, deadline_ms)

    def poll(self, session: int, timeout_ms: float = 0) -> List[Event]:
        """Takes a session's events; waits for the first one at most timeout_ms."""
        out = ctypes.c_void_p()
        call(library.q3g_batch_poll, self._handle, session, timeout_ms, ctypes.byref(out))
        try:
            return [_event(out, i) for i in range(library.q3g_events_count(out))]
        finally:
            library.q3g_events_free(out)

    def visit(self, session: int, function: Callable[[Stream], None]) -> None:
        """Runs function(stream) while nobody else uses the session; the stream must not be kept."""
        callback = Callback()

        def run(_user: Any, handle: int) -> None:
            stream = Stream._of(handle)
            try:
                function(stream)
            except BaseException as error:  # it must not pass through C
                callback.error = error
            stream._handle = None  # it is the batch's

        call(library.q3g_batch_visit, self._handle, session, _raw.q3g_visit_fn(run), None)
        callback.raise_error()

    def step(self, budget_ms: float = 1e9, must_run: bool = True) -> int:
        """Judges what waits until nothing does or the time is up; the number of tokens judged."""
        out = ctypes.c_size_t()
        call(library.q3g_batch_step, self._handle, budget_ms, int(must_run), ctypes.byref(out))
        return out.value

    def start(self) -> None:
        """Makes a thread that steps until stop() or close()."""
        call(library.q3g_batch_start, self._handle)

    def stop(self) -> None:
        call(library.q3g_batch_stop, self._handle)

    @property
    def stats(self) -> "dict[str, int]":
        """n_sessions, n_waiting_sessions, memory_bytes, n_steps, n_tokens, n_late."""
        raw = new(_raw.q3g_batch_stats)
        call(library.q3g_batch_get_stats, self._handle, ctypes.byref(raw))
        return {name: getattr(raw, name) for name, _ in raw._fields_ if name not in ("struct_size", "reserved")}
