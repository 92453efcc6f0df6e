# SPDX-License-Identifier: Apache-2.0
"""One conversation judged as it is written; policy; generator."""

from __future__ import annotations

import ctypes
from typing import Any, AsyncIterable, AsyncIterator, Iterable, Iterator, List, Optional, Sequence, Tuple, Union

from . import _raw
from ._guard import Guard, _messages, _verdict_place
from ._library import Cancel, Handle, Qwen3GuardError, Text, array, call, defaults, encoded, error_of, library, new
from ._tokenizer import _ids_to_c
from ._values import (Context, Decision, InvalidUtf8, Mark, Message, Policy, Role, Severity, Thinking, TokenVerdict, Turn,
                      Update, decision_of, policy_to_c, token_of, token_to_c, verdict_of)

_ROOM = 64  # verdicts that an update has room for at once; others are asked for


def stream_options_to_c(policy: Optional[Policy], max_tokens: int, invalid_utf8: InvalidUtf8, context: Context,
                        thinking: Thinking, judge_unsettled: bool, gen_interval_tokens: int,
                        cancel: Optional[Cancel]) -> Any:
    raw = defaults(_raw.q3g_stream_options)
    if policy is not None:
        raw.policy = ctypes.pointer(policy_to_c(policy))
    raw.max_tokens, raw.invalid_utf8, raw.context, raw.thinking = max_tokens, invalid_utf8, context, thinking
    raw.judge_unsettled, raw.gen_interval_tokens = judge_unsettled, gen_interval_tokens
    raw.cancel = cancel._handle if cancel else None
    return raw


class Stream(Handle):
    """One conversation. One thread at a time; different streams are independent.

    with Stream(guard) as stream:
        stream.push_prompt("...")
        for piece in pieces:
            update = stream.push_text(piece)
            if stream.decision().is_flagged: break
    """

    _free = library.q3g_stream_free

    def __init__(self, guard: Guard, policy: Optional[Policy] = None, max_tokens: int = 0,
                 invalid_utf8: InvalidUtf8 = InvalidUtf8.REJECT, context: Context = Context.ERROR,
                 thinking: Thinking = Thinking.NONE, judge_unsettled: bool = True, gen_interval_tokens: int = 32,
                 cancel: Optional[Cancel] = None) -> None:
        out = ctypes.c_void_p()
        raw = stream_options_to_c(policy, max_tokens, invalid_utf8, context, thinking, judge_unsettled,
                                  gen_interval_tokens, cancel)
        super().__init__(None)
        call(library.q3g_stream_open, guard._handle, ctypes.byref(raw), ctypes.byref(out))
        self._set(out.value)

    def _set(self, handle: Optional[int]) -> None:
        self._handle = handle
        self._tokens = array(_raw.q3g_token_verdict, _ROOM)
        self._update = new(_raw.q3g_update)
        self._decision = new(_raw.q3g_decision)
        self._update_at = ctypes.byref(self._update)
        self._decision_at = ctypes.byref(self._decision)

    @classmethod
    def _of(cls, handle: Optional[int]) -> "Stream":
        out = cls.__new__(cls)
        out._set(handle)
        return out

    def push_prompt(self, prompt: Text) -> TokenVerdict:
        """Feeds the user's turn and opens the assistant's; the verdict on the prompt."""
        raw, data = new(_raw.q3g_token_verdict), encoded(prompt)
        call(library.q3g_stream_push_prompt, self._handle, data, len(data), ctypes.byref(raw))
        return token_of(raw)

    def push_conversation(self, messages: Sequence[Union[Message, Tuple[Any, Text]]]) -> TokenVerdict:
        """The same for several turns, the last one the user's."""
        raw = new(_raw.q3g_token_verdict)
        c_messages, _texts = _messages(messages)
        call(library.q3g_stream_push_conversation, self._handle, c_messages, len(messages), ctypes.byref(raw))
        return token_of(raw)

    def restore(self, messages: Sequence[Union[Message, Tuple[Any, Text]]]) -> None:
        """Appends finished turns without judging them."""
        c_messages, _texts = _messages(messages)
        call(library.q3g_stream_restore, self._handle, c_messages, len(messages))

    def begin_turn(self, role: Role) -> None:
        call(library.q3g_stream_begin_turn, self._handle, int(role))

    def push_text(self, text: Text) -> Update:
        """Goes on with the open turn; text and bytes may be split anywhere."""
        data = encoded(text)
        return self._change(library.q3g_stream_push_text, data, len(data))

    def push_tokens(self, ids: Sequence[int]) -> List[TokenVerdict]:
        """Judges tokens of the open turn."""
        tokens = array(_raw.q3g_token_verdict, len(ids))
        call(library.q3g_stream_push_tokens, self._handle, _ids_to_c(ids), len(ids), tokens)
        return [token_of(token) for token in tokens]

    def end_turn(self) -> Turn:
        """Ends the open turn."""
        turn, decision, prompt = new(_raw.q3g_turn), new(_raw.q3g_decision), new(_raw.q3g_token_verdict)
        written = _verdict_place()
        call(library.q3g_stream_end_turn, self._handle, ctypes.byref(turn), ctypes.byref(decision), ctypes.byref(prompt),
             ctypes.byref(written))
        return Turn(Role(turn.role), decision_of(decision), token_of(prompt) if turn.has_prompt else None,
                    verdict_of(written) if turn.has_written else None)

    def mark(self) -> Mark:
        """The place where the conversation is now."""
        raw = new(_raw.q3g_mark)
        call(library.q3g_stream_mark, self._handle, ctypes.byref(raw))
        return Mark(raw.turn, raw.n_units, bool(raw.is_closed))

    def rewind(self, mark: Mark) -> Update:
        """Goes back to a mark of this stream or of what it was forked from."""
        raw = new(_raw.q3g_mark, turn=mark.turn, n_units=mark.n_units, is_closed=mark.is_closed)
        return self._change(library.q3g_stream_rewind, ctypes.byref(raw))

    def rewind_to_byte(self, n_bytes: int) -> Update:
        """Keeps the first n_bytes of the open turn's UTF-8 text."""
        return self._change(library.q3g_stream_rewind_to_byte, n_bytes)

    def _change(self, function: Any, *arguments: Any) -> Update:
        tokens, update = self._tokens, self._update
        call(function, self._handle, *arguments, self._update_at, tokens, _ROOM)
        n, first = update.n_tokens, update.first
        found = [token_of(tokens[i]) for i in range(n)] if n <= _ROOM else self.verdicts(first)
        return Update(first, found, update.n_settled, None if update.stopped_at_byte < 0 else update.stopped_at_byte)

    def fork(self) -> "Stream":
        """A second stream with the same past."""
        out = ctypes.c_void_p()
        call(library.q3g_stream_fork, self._handle, ctypes.byref(out))
        return Stream._of(out.value)

    def set_cancel(self, cancel: Optional[Cancel]) -> None:
        """Another flag for the calls from now on; None: none. A fork begins without one."""
        call(library.q3g_stream_set_cancel, self._handle, cancel._handle if cancel else None)

    def decision(self) -> Decision:
        """The policy's decision over the open (or else the last) turn so far."""
        call(library.q3g_stream_decision, self._handle, self._decision_at)
        return decision_of(self._decision)

    def verdicts(self, begin: int = 0) -> List[TokenVerdict]:
        """That turn's verdicts from index `begin` on, as far as they are there."""
        info = self.info
        begin = max(begin, info["first_verdict"])
        tokens, n = array(_raw.q3g_token_verdict, max(0, info["n_verdicts"] - begin)), ctypes.c_size_t()
        call(library.q3g_stream_verdicts, self._handle, begin, tokens, len(tokens), ctypes.byref(n))
        return [token_of(token) for token in tokens]

    @property
    def info(self) -> "dict[str, int]":
        """position, max_tokens, turn_bytes, first_verdict, n_verdicts, memory_bytes."""
        raw = new(_raw.q3g_stream_info)
        call(library.q3g_stream_get_info, self._handle, ctypes.byref(raw))
        return {name: getattr(raw, name) for name, _ in raw._fields_ if name not in ("struct_size", "reserved")}

    def reset(self) -> None:
        """Forgets the conversation; memory is kept for the next one."""
        call(library.q3g_stream_reset, self._handle)

    def judge(self, pieces: Iterable[Text]) -> Iterator[Tuple[Update, Decision]]:
        """Pushes each piece; yields what it changed and the decision so far. Ends the turn behind the last one."""
        for piece in pieces:
            yield self.push_text(piece), self.decision()
        self.end_turn()

    async def ajudge(self, pieces: AsyncIterable[Text]) -> AsyncIterator[Tuple[Update, Decision]]:
        """The same for an asynchronous source; the model runs on the event loop's thread, some ms at a time."""
        async for piece in pieces:
            yield self.push_text(piece), self.decision()
        self.end_turn()


def push_batch(guard: Guard, pushes: Sequence[Tuple[Stream, Sequence[int]]]
               ) -> List[Union[List[TokenVerdict], Qwen3GuardError]]:
    """Stream.push_tokens() for several streams in common matrix products: the verdicts, or the error, of each."""
    raw, errors = array(_raw.q3g_stream_push, len(pushes)), array(_raw.q3g_error, len(pushes))
    kept = []
    for item, error, (stream, ids) in zip(raw, errors, pushes):
        c_ids, tokens = _ids_to_c(ids), array(_raw.q3g_token_verdict, len(ids))
        kept.append((c_ids, tokens))
        item.stream, item.ids, item.n_ids, item.tokens = stream._handle, c_ids, len(ids), tokens
        item.error = ctypes.pointer(error)
    call(library.q3g_guard_push_batch, guard._handle, raw, len(pushes))
    return [[token_of(token) for token in tokens] if item.status == 0 else error_of(
        item.status, error.message.decode("utf-8", "replace")) for item, error, (_, tokens) in zip(raw, errors, kept)]


def check_policy(policy: Policy) -> None:
    """Raises InvalidArgumentError, with the field's name, when one is out of range."""
    call(library.q3g_policy_check, ctypes.byref(policy_to_c(policy)))


def counted_severity(policy: Policy, token: TokenVerdict) -> Severity:
    """The severity that a token counts with."""
    raw, out = new(_raw.q3g_token_verdict), ctypes.c_int32()
    token_to_c(raw, token)
    call(library.q3g_policy_counted_severity, ctypes.byref(policy_to_c(policy)), ctypes.byref(raw), ctypes.byref(out))
    return Severity(out.value)


def decide(policy: Policy, tokens: Sequence[TokenVerdict], has_ended: bool) -> Tuple[Decision, List[TokenVerdict]]:
    """The decision over a turn's verdicts, and these with their is_flagged set. A pure function."""
    raw, out = array(_raw.q3g_token_verdict, len(tokens)), new(_raw.q3g_decision)
    for item, token in zip(raw, tokens):
        token_to_c(item, token)
    call(library.q3g_policy_decide, ctypes.byref(policy_to_c(policy)), raw, len(tokens), int(has_ended),
         ctypes.byref(out))
    return decision_of(out), [token_of(token) for token in raw]


class Generator(Handle):
    """Text by a causal checkpoint. One thread at a time."""

    _free = library.q3g_generator_free

    def __init__(self, guard: Guard, temperature: float = 0.7, top_k: int = 20, top_p: float = 0.8, seed: int = 0,
                 cancel: Optional[Cancel] = None) -> None:
        super().__init__(None)
        raw, out = defaults(_raw.q3g_sampling_options), ctypes.c_void_p()
        raw.temperature, raw.top_k, raw.top_p, raw.seed = temperature, top_k, top_p, seed
        raw.cancel = cancel._handle if cancel else None
        call(library.q3g_generator_open, guard._handle, ctypes.byref(raw), ctypes.byref(out))
        self._handle = out.value

    def set_conversation(self, messages: Sequence[Union[Message, Tuple[Any, Text]]]) -> None:
        """Sets what was said, the last message the user's, and opens the answer."""
        c_messages, _texts = _messages(messages)
        call(library.q3g_generator_set_conversation, self._handle, c_messages, len(messages))

    def set_tokens(self, ids: Sequence[int]) -> None:
        call(library.q3g_generator_set_tokens, self._handle, _ids_to_c(ids), len(ids))

    def next(self) -> Tuple[int, bool]:
        """The next token, and whether it ends the answer."""
        id, is_end = ctypes.c_int32(), ctypes.c_int32()
        call(library.q3g_generator_next, self._handle, ctypes.byref(id), ctypes.byref(is_end))
        return id.value, bool(is_end.value)

    def __iter__(self) -> Iterator[int]:
        """Tokens up to the one that ends the answer."""
        while True:
            id, is_end = self.next()
            if is_end:
                return
            yield id

    @property
    def position(self) -> int:
        """Tokens so far."""
        out = ctypes.c_int32()
        call(library.q3g_generator_position, self._handle, ctypes.byref(out))
        return out.value

    def rewind(self, position: int) -> None:
        """Takes back all tokens from `position` on, but not the random numbers."""
        call(library.q3g_generator_rewind, self._handle, position)
