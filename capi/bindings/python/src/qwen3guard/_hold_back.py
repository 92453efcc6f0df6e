# SPDX-License-Identifier: Apache-2.0
"""Text that is shown only when it was judged."""

from __future__ import annotations

import asyncio
import ctypes
import dataclasses
from dataclasses import dataclass
from typing import Any, AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Optional, TypeVar

from . import _raw
from ._batch import Batch
from ._convert import decision_of
from ._enums import HoldBackState
from ._handle import Cancel, Exclusive
from ._library import Qwen3GuardError, Text, call, defaults, encoded, library, new, put, whole
from ._stream import Stream
from ._value_structs import HoldBackStats
from ._values import Decision

_T = TypeVar("_T")
_ROOM = 4096
_POLL_MS = 20.0  # how long an iterator waits for a batch before it looks after its source, and Python after signals


@dataclass(frozen=True)
class HoldBackBlock:
    """Why text is held back for good, and where its host can go on. Bytes are offsets in the turn's text as UTF-8."""
    decision: Decision = Decision()  #: what was found, and its ruling
    is_prompt: bool = False  #: over a batch: the prompt is blocked, and there is nothing to retry
    is_settled: bool = False  #: False: text to come may lift it (reports_provisional)
    byte_begin: int = 0  #: what is to be taken back begins here; it may have been shown
    shown_bytes: int = 0  #: of the text, those that were taken, the release's among them
    continue_byte: int = 0  #: where the host goes on unless it says otherwise: behind what was shown
    retries_left: int = 0  #: before retry() is refused


@dataclass(frozen=True)
class HoldBackRelease:
    """What came out."""
    text: str = ""  #: goes behind what was taken before; bytes of it that are no UTF-8 are U+FFFD
    state: HoldBackState = HoldBackState.WRITING  #: behind that text
    is_overdue: bool = False  #: over a batch: something waits past its deadline for its verdict
    waited_ms: float = 0.0  #: of the oldest byte in the text, since it was put
    block: Optional[HoldBackBlock] = None  #: the state is BLOCKED, or something is blocked provisionally


class NotJudgedError(RuntimeError):
    """An answer has ended, and not all of it was judged: the rest never comes out."""


class _End(Exception):
    """A task cannot end with StopAsyncIteration, as a coroutine cannot."""


async def _next_of(source: AsyncIterator[Text]) -> Text:
    try:
        return await source.__anext__()
    except StopAsyncIteration:
        raise _End from None


class HoldBack(Exclusive, free=library.q3g_hold_back_free):
    """One answer of the host's model on its way to a person: what the model writes is put in, and what may be shown is taken
    out. That is at every time a prefix of the turn's text that was judged, is settled, and is not blocked (Action.FLAG
    passes). Nothing is lost, and nothing comes twice. docs/hold_back.md.

        stream.push_prompt("...")
        with HoldBack(stream) as hold:
            for text in hold.show(pieces):
                print(text, end="")
            if hold.last.state == HoldBackState.BLOCKED: hold.withdraw()  # or retry()

    buffer_tokens: text leaves when so many settled tokens of the guard stand behind it. release_after_ms: or when it was put
    so long ago, judged and settled in any case; 0: never for that reason. max_retries: of retry(). reports_provisional: a block
    that text to come may lift is reported, too. The stream's assistant's turn is open, behind push_prompt(); until the answer has
    ended nobody else changes it. One thread at a time, the stream's calls too: calls of several threads wait for each other.
    Raises InvalidArgumentError (no open turn of the assistant's). Methods raise Qwen3GuardError."""

    _stream: Optional[Stream] = None
    _release_after_ms = 0.0
    _is_withdrawn = False
    #: What take() gave last; the iterators take, too.
    last: HoldBackRelease

    def __init__(self, stream: Stream, buffer_tokens: int = 40, release_after_ms: float = 0, max_retries: int = 5,
                 reports_provisional: bool = False) -> None:
        raw = self._options(buffer_tokens, release_after_ms, max_retries, reports_provisional)
        with stream._lock:
            self._open(library.q3g_hold_back_open, stream._handle, ctypes.byref(raw))
        self._stream = stream
        self._lock = stream._lock  # for both: they are one conversation

    @classmethod
    def over_batch(cls, batch: Batch, session: int, buffer_tokens: int = 40, release_after_ms: float = 0, max_retries: int = 5,
                   reports_provisional: bool = False, deadline_ms: float = -1) -> "HoldBack":
        """Over a batch's session, behind Batch.push_prompt(). Until the answer has ended nobody else pushes to the session or polls
        it, and events that wait for it are taken. A prompt that is not judged yet is waited for, and when it is blocked, so is
        the answer. Something has to step the batch (Batch.start()). deadline_ms: of each push; below 0: the batch's default.
        Raises InvalidArgumentError (no such session)."""
        out = cls.__new__(cls)
        raw = out._options(buffer_tokens, release_after_ms, max_retries, reports_provisional)
        put(raw, deadline_ms=deadline_ms)
        out._open(library.q3g_hold_back_open_batch, batch._handle, whole("session", session, 64, is_signed=False),
                  ctypes.byref(raw))
        return out

    def _options(self, buffer_tokens: int, release_after_ms: float, max_retries: int, reports_provisional: bool) -> Any:
        raw = defaults(_raw.q3g_hold_back_options)
        put(raw, buffer_tokens=buffer_tokens, release_after_ms=release_after_ms, max_retries=max_retries,
            reports_provisional=bool(reports_provisional))
        self._release_after_ms, self.last = release_after_ms, HoldBackRelease()
        self._room, self._taken = (ctypes.c_char * _ROOM)(), b""
        return raw

    def put(self, text: Text) -> None:
        """What the model has written next; text and bytes may be split anywhere. Over a stream it is judged now. Raises
        InvalidArgumentError (blocked, or over), Qwen3GuardError "budget_exceeded" (over a batch: nothing was put; try again),
        and what Stream.push_text() raises; behind that nothing leaves."""
        data = encoded(text)
        self._call(library.q3g_hold_back_put, data, len(data))

    def take(self, timeout_ms: float = 0) -> HoldBackRelease:
        """What may be shown now. timeout_ms: over a batch it waits so long for something to happen. Raises what the session
        failed with."""
        self._look(timeout_ms)
        return self._hand_over()

    def _look(self, timeout_ms: float) -> None:
        """Takes what there is, and keeps it until it is handed over: what interrupts the way there loses nothing."""
        with self._lock:
            raw, decision = new(_raw.q3g_hold_back_release), new(_raw.q3g_decision)
            while True:
                call(library.q3g_hold_back_take, self._handle, timeout_ms, self._room, _ROOM, ctypes.byref(raw),
                     ctypes.byref(decision))
                self._taken += self._room.raw[:raw.text_bytes]
                timeout_ms = 0
                if not raw.has_more:
                    break
            block = HoldBackBlock(
                decision_of(decision), raw.is_prompt != 0, raw.is_settled != 0, raw.byte_begin, raw.shown_bytes,
                raw.continue_byte, raw.retries_left) if raw.has_block else None
            self.last = HoldBackRelease("", HoldBackState(raw.state), raw.is_overdue != 0, raw.waited_ms, block)

    def _hand_over(self) -> HoldBackRelease:
        with self._lock:
            text, self._taken = self._taken, b""
            self.last = dataclasses.replace(self.last, text=text.decode("utf-8", "replace"))
            return self.last

    def finish(self) -> None:
        """The model has ended its answer: the turn is ended, and the rest may leave, or is blocked. Raises as put()."""
        self._call(library.q3g_hold_back_finish)

    def retry(self, n_bytes: Optional[int] = None) -> None:
        """Goes on behind a block: the session is taken back to the first n_bytes bytes of the turn's text (None: to
        HoldBackBlock.continue_byte), and the host puts what its model writes from there on. Below shown_bytes: the host has
        taken back what it showed. Raises InvalidArgumentError (nothing is blocked, no retries are left, no such byte, or the
        context has slid past it)."""
        self._call(library.q3g_hold_back_retry, -1 if n_bytes is None else whole("n_bytes", n_bytes, 63, is_signed=False))

    def withdraw(self) -> None:
        """Ends the answer here, blocked or not: what was shown stands, the rest is withdrawn, and the session's turn is ended as
        if that had been all. Raises InvalidArgumentError (it has ended); what Stream.rewind() and end_turn() raise: then the
        answer has ended all the same, and the session has more in its past than was shown: reset it. Qwen3GuardError
        "budget_exceeded" (over a batch: try again)."""
        self._call(library.q3g_hold_back_withdraw)
        self._is_withdrawn = True

    @property
    def stats(self) -> HoldBackStats:
        """Counters."""
        raw = new(_raw.q3g_hold_back_stats)
        self._call(library.q3g_hold_back_get_stats, ctypes.byref(raw))
        return HoldBackStats._of(raw)

    def show(self, pieces: Iterable[Text]) -> Iterator[str]:
        """Puts each piece, and yields what may be shown; behind the last it finishes, and yields the rest. It ends early where
        something is blocked: ask `last`, then retry() or withdraw(). Raises NotJudgedError behind the last text when the turn has
        ended and was not judged completely, and what put() and take() raise. What `pieces` raises passes through, and the answer stays
        open. release_after_ms is looked at when a piece comes: where that takes long, use ashow()."""
        yield from self._texts()  # something may be blocked already, a batch's prompt for one
        if self.last.state == HoldBackState.BLOCKED:
            return
        for piece in pieces:
            while not self._try(self.put, piece):  # the batch's budget: room comes with verdicts
                yield from self._texts(_POLL_MS)
                if self._is_over():
                    return
            yield from self._texts()
            if self._is_over():
                return
        while not self._try(self.finish):
            yield from self._texts(_POLL_MS)
            if self._is_over():
                return
        yield from self._texts()
        while not self._is_over():
            yield from self._texts(_POLL_MS)

    def _is_over(self) -> bool:
        if self.last.state == HoldBackState.WITHHELD and not self._is_withdrawn:
            raise NotJudgedError("the answer has ended, and not all of it was judged; the rest is withheld")
        return self.last.state not in (HoldBackState.WRITING, HoldBackState.FINISHING)

    def _try(self, change: Callable[..., None], *arguments: Any) -> bool:
        try:
            change(*arguments)
            return True
        except Qwen3GuardError as error:
            if self._stream is None and error.status == _raw.Q3G_E_BUDGET_EXCEEDED:
                return False
            raise

    def _texts(self, timeout_ms: float = 0) -> Iterator[str]:
        text = self.take(timeout_ms).text
        if text:
            yield text

    async def ashow(self, pieces: AsyncIterable[Text]) -> AsyncIterator[str]:
        """show() for an asynchronous source. While it waits for a piece, text leaves that is old enough, and what a batch has
        judged meanwhile. The model runs on the loop's executor; cancelling the task stops its call, and then nothing more
        leaves: withdraw()."""
        poll_s: Optional[float] = _POLL_MS / 1000 if self._stream is None else None
        if self._release_after_ms > 0:
            poll_s = min(self._release_after_ms / 1000, poll_s or self._release_after_ms / 1000)
        async for text in self._atexts():
            yield text
        if self.last.state == HoldBackState.BLOCKED:
            return
        source = pieces.__aiter__()
        reading: "Optional[asyncio.Future[Text]]" = None
        try:
            while True:
                if reading is None:
                    reading = asyncio.ensure_future(_next_of(source))
                await asyncio.wait({reading}, timeout=poll_s)
                if reading.done():
                    try:
                        piece, reading = reading.result(), None
                    except _End:
                        break
                    while not await self._on_thread(self._try, self.put, piece):
                        async for text in self._atexts(_POLL_MS):
                            yield text
                        if self._is_over():
                            return
                async for text in self._atexts():
                    yield text
                if self._is_over():
                    return
        finally:
            if reading is not None and not reading.done():
                reading.cancel()
                await asyncio.wait({reading})
        while not await self._on_thread(self._try, self.finish):
            async for text in self._atexts(_POLL_MS):
                yield text
            if self._is_over():
                return
        async for text in self._atexts():
            yield text
        while not self._is_over():
            async for text in self._atexts(_POLL_MS):
                yield text

    async def _atexts(self, timeout_ms: float = 0) -> AsyncIterator[str]:
        await self._on_thread(self._look, timeout_ms)
        text = self._hand_over().text
        if text:
            yield text

    async def _on_thread(self, function: Callable[..., _T], *arguments: Any) -> _T:
        if self._stream is not None:
            return await self._stream._on_thread(function, *arguments)
        with Cancel() as flag:
            return await flag.arun(function, *arguments)
