# SPDX-License-Identifier: Apache-2.0
"""One conversation judged as it is written."""

from __future__ import annotations

import ctypes
import threading
from contextlib import ExitStack
from typing import (Any, AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, List, Optional, Sequence, Tuple, TypeVar,
                    Union)

from . import _raw
from ._convert import VerdictPlace, decision_of, token_of
from ._enum_kinds import number
from ._enums import Context, InvalidUtf8, Role, Thinking
from ._guard import Guard
from ._handle import Cancel, Exclusive, Pointer, lend_handle
from ._library import (ClosedError, Qwen3GuardError, Text, array, bad_argument, call, defaults, encoded, error_of, ids_to_c,
                       library, new, put, whole)
from ._messages import Messages, messages_to_c
from ._policy import Policy
from ._value_structs import StreamInfo
from ._values import Decision, Mark, TokenVerdict, Turn, Update

_T = TypeVar("_T")
_ROOM = 64  # verdicts that an update has room for at once; others are asked for


def stream_options_to_c(policy: Optional[Policy], max_tokens: int, invalid_utf8: Union[InvalidUtf8, str],
                        context: Union[Context, str, None], thinking: Union[Thinking, str], judge_unsettled: bool,
                        gen_interval_tokens: int, allow_control_ids: bool, reject_dropped: Optional[bool],
                        cancel: Optional[Cancel]) -> Any:
    """Raises InvalidArgumentError, ClosedError."""
    raw = defaults(_raw.q3g_stream_options)
    put(raw, max_tokens=max_tokens, invalid_utf8=number("invalid_utf8", InvalidUtf8, invalid_utf8),
        context=_raw.Q3G_FROM_POLICY if context is None else number("context", Context, context), thinking=number("thinking", Thinking, thinking),
        judge_unsettled=bool(judge_unsettled), gen_interval_tokens=gen_interval_tokens,
        allow_control_ids=bool(allow_control_ids),
        dropped_messages=_raw.Q3G_FROM_POLICY if reject_dropped is None else bool(reject_dropped))
    lend_handle(raw, "policy", policy)
    lend_handle(raw, "cancel", cancel)
    return raw


class _Lent(Pointer):
    """A stream of a batch, which is never freed here."""

    def __del__(self) -> None:
        pass


class Stream(Exclusive, free=library.q3g_stream_free):
    """One conversation.

        with Stream(guard) as stream:
            stream.push_prompt("...")
            for update, decision in stream.judge(pieces):
                if decision.action == Action.BLOCK: break
            turn = stream.end_turn()

    policy: what to do about verdicts; None: the default one, which blocks what is Unsafe or Controversial. context (at the
    end of the context) and reject_dropped (Gen: turns that no verdict would see (Verdict.dropped_messages) are an error): None:
    as the policy says. max_tokens: of the context; 0: the model's. judge_unsettled: text whose tokens may still change is judged at once.
    gen_interval_tokens: Gen: a verdict every so many tokens. allow_control_ids: control tokens among pushed ids are judged like
    others, not an error. cancel: stops running calls. One thread at a time: calls of several threads wait for each other; different streams are independent. Methods raise Qwen3GuardError, and a call that does has
    changed nothing. Those named a... run on a thread of the event loop's executor; cancelling the task stops the call."""

    _cancel: Optional[Cancel] = None

    def __init__(self, guard: Guard, policy: Optional[Policy] = None, max_tokens: int = 0,
                 invalid_utf8: Union[InvalidUtf8, str] = InvalidUtf8.REJECT, context: Union[Context, str, None] = None,
                 thinking: Union[Thinking, str] = Thinking.NONE, judge_unsettled: bool = True, gen_interval_tokens: int = 32,
                 allow_control_ids: bool = False, reject_dropped: Optional[bool] = None, cancel: Optional[Cancel] = None) -> None:
        raw = stream_options_to_c(policy, max_tokens, invalid_utf8, context, thinking, judge_unsettled,
                                  gen_interval_tokens, allow_control_ids, reject_dropped, cancel)
        self._open(library.q3g_stream_open, guard._handle, ctypes.byref(raw))
        self._cancel = cancel

    def _open(self, function: Any, *arguments: Any) -> None:
        self._prepare()
        super()._open(function, *arguments)

    def _prepare(self) -> None:
        self._lock = threading.RLock()
        self._tokens = array(_raw.q3g_token_verdict, _ROOM, is_input=False)
        self._update, self._decision = new(_raw.q3g_update), new(_raw.q3g_decision)
        self._update_at, self._decision_at = ctypes.byref(self._update), ctypes.byref(self._decision)

    @classmethod
    def _borrow(cls, handle: int) -> "Stream":
        """What a visit lends."""
        out = cls.__new__(cls)
        out._prepare()
        out._handle = _Lent(handle)
        return out

    def push_prompt(self, prompt: Text) -> TokenVerdict:
        """Feeds the user's turn and opens the assistant's; the verdict on the prompt. Raises InvalidArgumentError (a turn is
        open), InvalidUtf8Error, ContextFullError, CancelledError."""
        raw, data = new(_raw.q3g_token_verdict), encoded(prompt)
        self._call(library.q3g_stream_push_prompt, data, len(data), ctypes.byref(raw))
        return token_of(raw)

    def push_conversation(self, messages: Messages) -> TokenVerdict:
        """The same for several turns, the last one the user's."""
        raw = new(_raw.q3g_token_verdict)
        c_messages, _texts = messages_to_c(messages)
        self._call(library.q3g_stream_push_conversation, c_messages, len(c_messages), ctypes.byref(raw))
        return token_of(raw)

    def restore(self, messages: Messages) -> None:
        """Appends finished turns without judging them: they have no verdicts, and no decision that is complete."""
        c_messages, _texts = messages_to_c(messages)
        self._call(library.q3g_stream_restore, c_messages, len(c_messages))

    def begin_turn(self, role: Union[Role, str]) -> None:
        """Opens a turn. Raises InvalidArgumentError (one is open)."""
        self._call(library.q3g_stream_begin_turn, number("role", Role, role))

    def push_text(self, text: Text) -> Update:
        """Goes on with the open turn; text and bytes may be split anywhere. Raises as push_prompt()."""
        data = encoded(text)
        return self._change(library.q3g_stream_push_text, data, len(data))

    def push_tokens(self, ids: Sequence[int]) -> List[TokenVerdict]:
        """Judges tokens of the open turn. A model's end of sequence (<|im_end|>, <|endoftext|>) may be the last of an assistant's:
        its verdict has Source.NONE and does not count, and only end_turn() may follow. Raises as push_prompt();
        InvalidArgumentError (an unknown id; any other control token, unless allow_control_ids)."""
        c_ids, n = ids_to_c(ids)
        tokens = array(_raw.q3g_token_verdict, n, is_input=False)
        self._call(library.q3g_stream_push_tokens, c_ids, n, tokens)
        return [token_of(token) for token in tokens]

    def end_turn(self) -> Turn:
        """Ends the open turn. A character that is not complete is judged as U+FFFD (InvalidUtf8.REPLACE) or left out, and the
        decision names its bytes as not judged. Raises as push_prompt()."""
        turn, decision, prompt = new(_raw.q3g_turn), new(_raw.q3g_decision), new(_raw.q3g_token_verdict)
        written = VerdictPlace()
        self._call(library.q3g_stream_end_turn, ctypes.byref(turn), ctypes.byref(decision), ctypes.byref(prompt),
                   ctypes.byref(written.raw))
        return Turn(Role(turn.role), decision_of(decision), token_of(prompt) if turn.has_prompt else None,
                    written.verdict() if turn.has_written else None)

    def mark(self) -> Mark:
        """The place where the conversation is now."""
        raw = new(_raw.q3g_mark)
        self._call(library.q3g_stream_mark, ctypes.byref(raw))
        return Mark(raw.turn, raw.n_units, bool(raw.is_closed))

    def rewind(self, mark: Mark) -> Update:
        """Goes back to a mark of this stream or of what it was forked from. Raises InvalidArgumentError (not in its past, or
        the context slid over it)."""
        raw = new(_raw.q3g_mark)
        put(raw, turn=mark.turn, n_units=mark.n_units, is_closed=bool(mark.is_closed))
        return self._change(library.q3g_stream_rewind, ctypes.byref(raw))

    def rewind_to_byte(self, n_bytes: int) -> Update:
        """Keeps the first n_bytes of the open turn's UTF-8 text. Raises InvalidArgumentError."""
        return self._change(library.q3g_stream_rewind_to_byte, whole("n_bytes", n_bytes, 64))

    def _change(self, function: Any, *arguments: Any) -> Update:
        with self._lock:
            tokens, update = self._tokens, self._update
            call(function, self._handle, *arguments, self._update_at, tokens, _ROOM)
            n, first, stopped_at_byte, n_settled = update.n_tokens, update.first, update.stopped_at_byte, update.n_settled
            found = [token_of(tokens[i]) for i in range(n)] if n <= _ROOM else self.verdicts(first)
        return Update(first, found, n_settled, None if stopped_at_byte < 0 else stopped_at_byte)

    def fork(self) -> "Stream":
        """A second stream with the same past, and without a cancel flag."""
        with self._lock:
            return Stream._make(library.q3g_stream_fork, self._handle)

    def set_cancel(self, cancel: Optional[Cancel]) -> None:
        """Another flag for the calls from now on; None: none."""
        with self._lock:
            self._set_flag(cancel)
            self._cancel = cancel

    def _set_flag(self, flag: Optional[Cancel]) -> None:
        call(library.q3g_stream_set_cancel, self._handle, flag._pointer_to() if flag is not None else None)

    def decision(self) -> Decision:
        """The policy's decision over the open (or else the last) turn so far."""
        with self._lock:
            call(library.q3g_stream_decision, self._handle, self._decision_at)
            return decision_of(self._decision)

    def prompt_decision(self) -> Decision:
        """The decision on the last user's turn that ended: its ruling says what the policy makes of the prompt."""
        with self._lock:
            call(library.q3g_stream_prompt_decision, self._handle, self._decision_at)
            return decision_of(self._decision)

    def verdicts(self, begin: int = 0) -> List[TokenVerdict]:
        """That turn's verdicts from index `begin` on, as far as they are there. Raises InvalidArgumentError (begin is below 0
        or behind the last)."""
        begin = whole("begin", begin, 64, is_signed=False)
        with self._lock:
            info = self.info
            begin = max(begin, info.first_verdict)
            tokens = array(_raw.q3g_token_verdict, max(0, info.n_verdicts - begin), is_input=False)
            n = ctypes.c_size_t()
            call(library.q3g_stream_verdicts, self._handle, begin, tokens, len(tokens), ctypes.byref(n))
            return [token_of(token) for token in tokens]

    @property
    def info(self) -> StreamInfo:
        """Where the stream is."""
        raw = new(_raw.q3g_stream_info)
        self._call(library.q3g_stream_get_info, ctypes.byref(raw))
        return StreamInfo._of(raw)

    def reset(self) -> None:
        """Forgets the conversation; memory is kept for the next one."""
        self._call(library.q3g_stream_reset)

    def _judge(self, piece: Text) -> Tuple[Update, Decision]:
        with self._lock:
            return self.push_text(piece), self.decision()

    def judge(self, pieces: Iterable[Text]) -> Iterator[Tuple[Update, Decision]]:
        """Pushes each piece; yields what it changed and the decision so far. The turn stays open, however the loop ends:
        end_turn() ends it. What `pieces` raises passes through."""
        for piece in pieces:
            yield self._judge(piece)

    async def ajudge(self, pieces: AsyncIterable[Text]) -> AsyncIterator[Tuple[Update, Decision]]:
        """judge() for an asynchronous source."""
        async for piece in pieces:
            yield await self._on_thread(self._judge, piece)

    async def apush_prompt(self, prompt: Text) -> TokenVerdict:
        """push_prompt() for asyncio."""
        return await self._on_thread(self.push_prompt, prompt)

    async def apush_text(self, text: Text) -> Update:
        """push_text() for asyncio."""
        return await self._on_thread(self.push_text, text)

    async def aend_turn(self) -> Turn:
        """end_turn() for asyncio."""
        return await self._on_thread(self.end_turn)

    async def _on_thread(self, function: Callable[..., _T], *arguments: Any) -> _T:
        with Cancel._child(self._cancel) as flag:
            return await flag.arun(self._with_flag, flag, function, *arguments)

    def _with_flag(self, flag: Cancel, function: Callable[..., _T], *arguments: Any) -> _T:
        with self._lock:
            self._set_flag(flag)
            try:
                return function(*arguments)
            finally:
                try:
                    self._set_flag(self._cancel)
                except ClosedError:
                    pass  # the stream, or its flag, was closed meanwhile


def push_batch(guard: Guard, pushes: Sequence[Tuple[Stream, Sequence[int]]]
               ) -> List[Union[List[TokenVerdict], Qwen3GuardError]]:
    """Stream.push_tokens() for several streams in common matrix products: the verdicts, or the error, of each. Any thread for
    the guard. Raises InvalidArgumentError (a stream twice)."""
    raw, errors = array(_raw.q3g_stream_push, len(pushes)), array(_raw.q3g_error, len(pushes))
    streams = {id(stream): stream for stream, _ in pushes}
    kept: List[Any] = []
    if len(streams) != len(pushes):
        raise bad_argument("a stream is twice in one push_batch(); expected each at most once")
    with ExitStack() as locked:
        for _, stream in sorted(streams.items()):  # everyone takes locks in the same order, so that nobody waits for ever
            locked.enter_context(stream._lock)
        for item, error, (stream, ids) in zip(raw, errors, pushes):
            c_ids, n = ids_to_c(ids)
            tokens, pointer = array(_raw.q3g_token_verdict, n, is_input=False), stream._handle
            kept.append((c_ids, tokens, pointer))
            item.stream, item.ids, item.n_ids, item.tokens = pointer and pointer.value, c_ids, n, tokens
            item.error = ctypes.pointer(error)
        call(library.q3g_guard_push_batch, guard._handle, raw, len(pushes))
    return [[token_of(token) for token in tokens] if item.status == 0 else error_of(
        item.status, error.message.decode("utf-8", "replace")) for item, error, (_, tokens, _) in zip(raw, errors, kept)]
