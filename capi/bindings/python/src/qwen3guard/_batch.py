# SPDX-License-Identifier: Apache-2.0
"""Many live conversations over one model."""

from __future__ import annotations

import ctypes
import os
from typing import Any, Callable, List, Optional, Sequence, Union

from . import _raw
from ._convert import VerdictPlace, decision_of, token_of
from ._enum_kinds import number
from ._enums import Context, EventKind, InvalidUtf8, Role, Thinking
from ._guard import Guard
from ._handle import Cancel, Handle
from ._library import (ClosedError, Text, array, bad_argument, call, defaults, encoded, error_of, ids_to_c, library, new, put,
                       whole)
from ._policy import Policy
from ._stream import Stream, stream_options_to_c
from ._value_structs import BatchStats
from ._values import Event, Turn, Update


class _Events(Handle, free=library.q3g_events_free):

    def events(self) -> List[Event]:
        return [self._event(i) for i in range(library.q3g_events_count(self._handle))]

    def _event(self, index: int) -> Event:
        raw, failure, decision = new(_raw.q3g_event), new(_raw.q3g_error), new(_raw.q3g_decision)
        call(library.q3g_events_get, self._handle, index, ctypes.byref(raw), ctypes.byref(failure))
        call(library.q3g_events_decision, self._handle, index, ctypes.byref(decision))
        tokens = array(_raw.q3g_token_verdict, raw.n_tokens, is_input=False)
        call(library.q3g_events_tokens, self._handle, index, tokens, len(tokens))
        turn = None
        if raw.kind == _raw.Q3G_EVENT_TURN_END:
            prompt, written = new(_raw.q3g_token_verdict), VerdictPlace()
            call(library.q3g_events_turn, self._handle, index, ctypes.byref(prompt), ctypes.byref(written.raw))
            turn = Turn(Role(raw.role), decision_of(decision), token_of(prompt) if raw.has_prompt else None,
                        written.verdict() if raw.has_written else None)
        update = Update(raw.first, [token_of(token) for token in tokens], raw.n_settled,
                        None if raw.stopped_at_byte < 0 else raw.stopped_at_byte)
        error = error_of(raw.status, failure.message.decode("utf-8", "replace")) if raw.status else None
        return Event(EventKind(raw.kind), update, decision_of(decision), turn, error, raw.waited_ms, bool(raw.is_late))


def _session(number: int) -> int:
    return whole("session", number, 64, is_signed=False)


class Batch(Handle, free=library.q3g_batch_free):
    """Sessions are named by the numbers that add() returns. Pushes queue what step(), or the thread of start(), judges;
    poll() tells what came of it. deadline_ms: from now; below 0: the default. memory_budget_bytes: of all sessions; 0: no
    bound. max_waiting_bytes: of one session's text that waits; 262144. max_step_tokens: rows of one forward, 1 to 4096; 256.
    max_session_tokens: of one session in it; 64. default_deadline_ms: 100. Any thread. Methods raise InvalidArgumentError (no
    such session), and Qwen3GuardError "budget_exceeded"."""

    _pid = 0

    def __init__(self, guard: Guard, memory_budget_bytes: int = 0, max_waiting_bytes: Optional[int] = None,
                 max_step_tokens: Optional[int] = None, max_session_tokens: Optional[int] = None,
                 default_deadline_ms: Optional[float] = None) -> None:
        raw = defaults(_raw.q3g_batch_options)
        asked = {"max_waiting_bytes": max_waiting_bytes, "max_step_tokens": max_step_tokens,
                 "max_session_tokens": max_session_tokens, "default_deadline_ms": default_deadline_ms}
        put(raw, memory_budget_bytes=memory_budget_bytes, **{k: v for k, v in asked.items() if v is not None})
        self._open(library.q3g_batch_open, guard._handle, ctypes.byref(raw))
        self._pid = os.getpid()

    def add(self, policy: Optional[Policy] = None, max_tokens: int = 0,
            invalid_utf8: Union[InvalidUtf8, str] = InvalidUtf8.REJECT, context: Union[Context, str, None] = None,
            thinking: Union[Thinking, str] = Thinking.NONE, judge_unsettled: bool = True,
            gen_interval_tokens: int = 32, allow_control_ids: bool = False, reject_dropped: Optional[bool] = None,
            cancel: Optional[Cancel] = None) -> int:
        """A new session; options as Stream's."""
        raw, out = stream_options_to_c(policy, max_tokens, invalid_utf8, context, thinking, judge_unsettled,
                                       gen_interval_tokens, allow_control_ids, reject_dropped, cancel), ctypes.c_uint64()
        call(library.q3g_batch_add, self._handle, ctypes.byref(raw), ctypes.byref(out))
        return out.value

    def add_stream(self, stream: Stream) -> int:
        """Takes a stream in, with its past, and closes the Stream; what is refused stays open."""
        out = ctypes.c_uint64()
        with stream._lock:
            pointer = stream._handle
            if pointer is None or self._handle is None:
                raise ClosedError(_raw.Q3G_E_BAD_HANDLE, f"the {'Stream' if pointer is None else 'Batch'} is closed")
            try:
                call(library.q3g_batch_add_stream, self._handle, pointer, ctypes.byref(out))
            finally:
                if out.value:  # the library has freed it, also when a signal's handler raised on the way here
                    stream._handle = None
                    pointer.give_up()
        return out.value

    def remove(self, session: int) -> None:
        """Drops a session, and what waits for it without a verdict."""
        call(library.q3g_batch_remove, self._handle, _session(session))

    def push_prompt(self, session: int, prompt: Text, deadline_ms: float = -1) -> None:
        """Queues a prompt; what is wrong with the text comes as an event."""
        data = encoded(prompt)
        call(library.q3g_batch_push_prompt, self._handle, _session(session), data, len(data), deadline_ms)

    def begin_turn(self, session: int, role: Union[Role, str]) -> None:
        """Queues the beginning of a turn."""
        call(library.q3g_batch_begin_turn, self._handle, _session(session), number("role", Role, role))

    def push_text(self, session: int, text: Text, deadline_ms: float = -1) -> None:
        """Queues text; it may be split anywhere."""
        data = encoded(text)
        call(library.q3g_batch_push_text, self._handle, _session(session), data, len(data), deadline_ms)

    def push_tokens(self, session: int, ids: Sequence[int], deadline_ms: float = -1) -> None:
        """Queues tokens."""
        c_ids, n = ids_to_c(ids)
        call(library.q3g_batch_push_tokens, self._handle, _session(session), c_ids, n, deadline_ms)

    def end_turn(self, session: int, deadline_ms: float = -1) -> None:
        """Queues the end of a turn."""
        call(library.q3g_batch_end_turn, self._handle, _session(session), deadline_ms)

    def poll(self, session: int, timeout_ms: float = 0) -> List[Event]:
        """Takes a session's events; waits for the first one (OVERDUE at the latest), or until nothing is left to wait for, at
        most timeout_ms. None says nothing of what still waits. Python notices Ctrl-C behind the wait. With asyncio: `await asyncio.to_thread(batch.poll, session, 100)`."""
        with _Events._make(library.q3g_batch_poll, self._handle, _session(session), timeout_ms) as found:
            return found.events()

    def visit(self, session: int, function: Callable[[Stream], Any]) -> None:
        """Runs function(stream) on this thread while nobody else uses the session. The stream is closed behind it; a fork may
        be kept. Raises what the function raises."""
        error: List[BaseException] = []
        is_done = False

        def run(_user: Any, handle: int) -> None:
            nonlocal is_done
            try:
                is_done = True
                stream = Stream._borrow(handle)
                try:
                    function(stream)
                finally:
                    with stream._lock:  # and no other thread is in a call with it
                        stream.close()
            except BaseException as problem:  # it must not pass through C
                error.append(problem)

        call(library.q3g_batch_visit, self._handle, _session(session), _raw.q3g_visit_fn(run), None)
        if error:
            raise error[0]
        if not is_done:  # A signal's handler raised before the first line of run(), and ctypes has no way to pass that on.
            raise KeyboardInterrupt("a signal came before the visit began")

    def step(self, budget_ms: float = 1e9, must_run: bool = True) -> int:
        """Judges what waits until nothing does or the time is up; the number of tokens judged. When no forward is expected to
        end in time, a short one runs if must_run, if what is next in line is past its deadline, or if it was put off for
        eight times the time it takes. Python notices Ctrl-C behind it: give budget_ms, or sessions a Cancel."""
        out = ctypes.c_size_t()
        call(library.q3g_batch_step, self._handle, budget_ms, 1 if must_run else 0, ctypes.byref(out))
        return out.value

    def start(self) -> None:
        """Makes a thread that steps until stop() or close(). Raises InvalidArgumentError (there is one)."""
        call(library.q3g_batch_start, self._handle)

    def stop(self) -> None:
        """Ends that thread; what waits stays."""
        if self._is_from_parent():
            raise bad_argument("the batch was opened before fork(), in another process; expected one of this process")
        call(library.q3g_batch_stop, self._handle)

    def _is_from_parent(self) -> bool:
        return self._handle is not None and self._pid != os.getpid()

    def close(self) -> None:
        """Stops the thread and frees the handle; what waits is dropped without a verdict. In a child of fork(), where there is no such thread,
        the parent's batch is given up instead."""
        if self._is_from_parent() and self._handle is not None:
            self._handle.give_up()
        super().close()

    def __del__(self) -> None:
        if self._is_from_parent():
            self.close()

    @property
    def stats(self) -> BatchStats:
        """Counters."""
        raw = new(_raw.q3g_batch_stats)
        call(library.q3g_batch_get_stats, self._handle, ctypes.byref(raw))
        return BatchStats._of(raw)
