# SPDX-License-Identifier: Apache-2.0
"""An ASGI middleware that guards doors in the shape of OpenAI's chat completions, within the application's process.

    app.add_middleware(GuardMiddleware, guard=qwen3guard.Guard.load("./Qwen3Guard-Stream-0.6B"))

What the user has said since the last answer is judged before the application sees it, and an answer before it leaves: a streamed
one while it is written. What cannot be judged is refused. Runs under asyncio, in front of any framework.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from typing import Any, Awaitable, Callable, Dict, List, MutableMapping, Optional, Sequence, Tuple

import qwen3guard
from qwen3guard import Action, HoldBackState

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]

_log = logging.getLogger(__name__)
_TEXTS = ("content", "reasoning_content", "reasoning", "refusal")  # that a model writes at the same time
_MEMBERS = ("id", "object", "created", "model", "system_fingerprint", "service_tier", "usage")  # of an answer; no text of the model
# What the guard says of a text, or of a part beside it such as an image, that it cannot judge.
_UNREADABLE = (qwen3guard.InvalidArgumentError, qwen3guard.InvalidUtf8Error, qwen3guard.ContextFullError, TypeError)
_DONE = b"data: [DONE]\n\n"
_EVENT_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")


class _Refused(Exception):
    """Ends the exchange with an error for the client."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class _Ended(OSError):
    """The answer is over, or its client has left: what an application's send() raises then."""


class GuardMiddleware:
    """paths: endings of the guarded paths, however they are capitalised. policy: None: the default one, which blocks what is Unsafe or Controversial.
    block_message: stands in an answer, which ends with "content_filter", for what is blocked; None: a blocked prompt or plain
    answer is a 403. buffer_tokens: of a streamed answer, held back behind what was judged. judges_history: every message of the user
    in a request, not only those since the last answer: where clients may send answers that nobody has given. max_judged_messages: of
    a request, each of which is a verdict on all before it; max_answer_bytes: as the application sends them."""

    def __init__(self, app: Any, guard: qwen3guard.Guard, policy: Optional[qwen3guard.Policy] = None,
                 paths: Sequence[str] = ("/chat/completions",), block_message: Optional[str] = None, buffer_tokens: int = 40,
                 judges_history: bool = False, max_body_bytes: int = 1 << 20, max_judged_messages: int = 64,
                 max_answer_bytes: int = 16 << 20) -> None:
        self.app, self.guard, self.policy, self.paths = app, guard, policy, _endings(paths)
        self.block_message, self.buffer_tokens, self.judges_history = block_message, buffer_tokens, judges_history
        self.max_body_bytes, self.max_judged_messages, self.max_answer_bytes = max_body_bytes, max_judged_messages, max_answer_bytes

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serves one connection."""
        is_guarded = scope["type"] in ("http", "websocket") and _comparable(scope["path"]).endswith(self.paths)
        if not is_guarded or scope.get("method") in ("GET", "HEAD", "OPTIONS"):
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await _Exchange(self, receive, send).run(scope)


class _Exchange:
    """One request and its answer."""

    def __init__(self, settings: GuardMiddleware, receive: Receive, send: Send) -> None:
        self._settings, self._receive, self._send = settings, receive, send
        self._cancel = qwen3guard.Cancel()
        self._options = qwen3guard.ClassifyOptions(policy=settings.policy, cancel=self._cancel)
        self._gone: "Optional[asyncio.Future[Event]]" = None  # when the client leaves
        self._body, self._is_body_read = bytearray(), False
        self._request: Dict[str, Any] = {}
        self._start: Event = {}  # the application's, while it waits for a verdict
        self._plain = bytearray()  # an answer that is not streamed
        self._n_answer_bytes = 0
        self._stream: Optional[_StreamedAnswer] = None
        self._is_passed = self._is_over = self._is_cut = False  # _is_cut: before the application was through
        self._refusal: Optional[_Refused] = None

    async def run(self, scope: MutableMapping[str, Any]) -> None:
        """Judges what is asked, lets the application answer, and judges that."""
        try:
            await self._judge_prompts()
            # Without extensions: they are other ways to send.
            await self._settings.app({**scope, "extensions": {}}, self._receive_for_app, self._send_for_app)
            if not self._is_over:
                self._refusal = _Refused(502, "no_answer", "the answer has no end")
        except _Refused as refusal:
            self._refusal = refusal
        except Exception:
            if not self._is_cut:  # else it is how the application heard of that
                raise
        finally:
            if self._gone is not None:
                self._gone.cancel()
            if self._stream is not None:
                self._stream.close()
        if self._refusal is not None:
            await self._refuse(self._refusal)

    def _cut(self, why: str) -> _Ended:
        self._is_cut = True
        return _Ended(why)

    async def _judge_prompts(self) -> None:
        await self._read_body()
        self._gone = asyncio.ensure_future(self._receive())
        try:
            self._request = _read_json(self._body)
            if self._request.get("n") not in (None, 1):
                raise ValueError("n: expected 1")
            ends = _unanswered(self._request["messages"], self._settings.judges_history)
            if len(ends) > self._settings.max_judged_messages:
                raise ValueError(f"messages: more than {self._settings.max_judged_messages} of the user to judge")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise _Refused(400, "invalid_request", f"no chat that can be judged: {error!s:.200}") from None
        for end in ends:
            verdict = await self._judge(400, self._settings.guard.classify, self._request["messages"][:end], self._options)
            if verdict.action not in (Action.ALLOW, Action.FLAG):
                raise _Refused(403, "content_filter", "the prompt is blocked")

    async def _read_body(self) -> None:
        while not self._is_body_read:
            event = await self._receive()
            self._is_over = event["type"] == "http.disconnect"
            if self._is_over:
                raise self._cut("the client has left")
            self._body += event.get("body", b"")
            self._is_body_read = not event.get("more_body", False)
            if len(self._body) > self._settings.max_body_bytes:
                raise _Refused(413, "too_large", f"the request has more than {self._settings.max_body_bytes} bytes")

    async def _receive_for_app(self) -> Event:
        if self._is_body_read:
            self._is_body_read = False  # once
            return {"type": "http.request", "body": bytes(self._body), "more_body": False}
        assert self._gone is not None
        return {"type": "http.disconnect"} if self._is_over else await asyncio.shield(self._gone)

    async def _judge(self, status: int, function: Callable[..., Any], *arguments: Any) -> Any:
        """function(*arguments) on a thread, while the client waits. status: of what cannot be judged."""
        assert self._gone is not None
        work = asyncio.ensure_future(self._cancel.arun(function, *arguments))
        try:
            await asyncio.wait({work, self._gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._is_over = not work.done()
            if self._is_over:
                work.cancel()
                await asyncio.wait({work})
        if self._is_over:
            raise self._cut("the client has left")
        try:
            return work.result()
        except Exception as error:
            _log.warning("not judged: %s", error)
            if status == 400 and isinstance(error, _UNREADABLE):
                raise _Refused(400, "not_judged", f"{error!s:.300}") from error
            raise _Refused(502 if status == 502 else 500, "not_judged", "this could not be judged") from error

    async def _send_for_app(self, event: Event) -> None:
        if self._is_over:
            raise self._cut("the answer is over")
        try:
            await self._pass_on(event)
        except _Refused as refusal:  # kept from the application, which would answer it
            self._refusal, self._is_over = refusal, True
            raise self._cut("the answer is refused") from refusal

    async def _pass_on(self, event: Event) -> None:
        if event["type"] == "http.response.start":
            await self._begin(event)
        elif event["type"] != "http.response.body":
            raise _Refused(502, "not_judged", f"{event['type']} cannot be judged")
        elif self._is_passed:
            self._is_over = not event.get("more_body", False)
            await self._send(event)
        else:
            await self._judge_answer(event.get("body", b""), not event.get("more_body", False))

    async def _judge_answer(self, data: bytes, is_last: bool) -> None:
        self._n_answer_bytes += len(data)
        if self._n_answer_bytes > self._settings.max_answer_bytes:
            raise _Refused(502, "too_large", f"the answer has more than {self._settings.max_answer_bytes} bytes")
        if self._stream is not None:
            await self._go_on(self._stream, data, is_last)
            return
        self._plain += data
        if is_last:
            await self._judge_plain()

    async def _begin(self, event: Event) -> None:
        names = {bytes(name).lower(): bytes(value).lower() for name, value in event.get("headers", ())}
        kind = names.get(b"content-type", b"").split(b";")[0].strip()
        self._is_passed = event["status"] >= 400  # the application's own words
        if not self._is_passed and (kind not in (b"application/json", b"text/event-stream") or b"content-encoding" in names):
            raise _Refused(502, "not_judged", "an answer of this type or encoding cannot be judged")
        if self._is_passed:
            await self._send(event)
            return
        headers = [each for each in event["headers"] if bytes(each[0]).lower() != b"content-length"]
        self._start = {**event, "headers": headers}
        if kind == b"text/event-stream":
            self._stream = await self._judge(502, _StreamedAnswer, self._settings, self._request["messages"], self._cancel)
            await self._send(self._start)

    async def _go_on(self, stream: "_StreamedAnswer", data: bytes, is_last: bool) -> None:
        out, ends = await self._judge(502, stream.put, data, is_last)
        self._is_over = ends
        await self._send({"type": "http.response.body", "body": out, "more_body": not ends})
        if ends and not is_last:
            raise self._cut("the answer is over")  # so that the application stops

    async def _judge_plain(self) -> None:
        body = bytes(self._plain)
        answer, shown = await self._judge(502, _read_answer, body)
        said = {**shown["choices"][0]["message"], "role": "assistant"}
        said["reasoning_content"] = "\n".join(filter(None, (said.get("reasoning_content"), said.pop("reasoning", None))))
        if _has_text({**said, "role": None}):
            verdict = await self._judge(502, self._settings.guard.classify, [*self._request["messages"], said], self._options)
            if verdict.action not in (Action.ALLOW, Action.FLAG):
                raise _Refused(403, "content_filter", "the answer is blocked")
        await self._reply(self._start, body if shown == answer else _bytes(shown))

    async def _refuse(self, refusal: _Refused) -> None:
        said = self._settings.block_message if refusal.code == "content_filter" else None
        error = {"error": {"message": refusal.message, "type": "guard_error", "param": None, "code": refusal.code}}
        if self._stream is not None or self._is_passed:  # its status has left
            self._is_over = True
            await self._send({"type": "http.response.body", "body": _data(error) if self._stream else b"", "more_body": False})
        elif said is None:
            await self._reply(_start_of(refusal.status, b"application/json"), _bytes(error))
        elif self._request.get("stream"):
            chunk = _completion("chat.completion.chunk", "delta", said, self._request)
            await self._reply(_start_of(200, b"text/event-stream"), _data(chunk) + _DONE)
        else:
            answer = _completion("chat.completion", "message", said, self._request)
            await self._reply(_start_of(200, b"application/json"), _bytes(answer))

    async def _reply(self, start: Event, body: bytes) -> None:
        self._is_over = True
        await self._send({**start, "headers": [*start["headers"], (b"content-length", b"%d" % len(body))]})
        await self._send({"type": "http.response.body", "body": body, "more_body": False})


class _StreamedAnswer:
    """The events of a streamed answer. Each text that is written in it is held back in a session of its own behind the same
    conversation; calls of tools are judged whole, at the end. For one thread at a time."""

    def __init__(self, settings: GuardMiddleware, messages: List[Dict[str, Any]], cancel: qwen3guard.Cancel) -> None:
        self._settings, self._messages, self._cancel = settings, messages, cancel
        self._options = qwen3guard.ClassifyOptions(policy=settings.policy, cancel=cancel)
        self._before = qwen3guard.Stream(settings.guard, settings.policy, cancel=cancel)
        self._before.restore(messages)
        self._before.begin_turn("assistant")
        self._holds: Dict[str, qwen3guard.HoldBack] = {}
        self._calls: Dict[int, Dict[str, List[str]]] = {}  # by their index, the pieces of their parts
        self._bytes, self._n_read, self._n_searched, self._has_ended = bytearray(), 0, 0, False

    def close(self) -> None:
        """Frees the sessions."""
        for each in (*self._holds.values(), self._before):
            each.close()

    def put(self, data: bytes, is_last: bool) -> Tuple[bytes, bool]:
        """What may leave of what the application has sent by now, and whether the answer ends with it."""
        self._bytes += data
        out = bytearray()
        while (event := self._next_event()) is not None:
            text = b"\n".join(line[5:].removeprefix(b" ") for line in event.splitlines() if line.startswith(b"data:"))
            if text == b"[DONE]":
                is_last = True
                break
            if text:
                shown, is_blocked = self._chunk(_read_json(text))
                out += shown
                if is_blocked:
                    return bytes(out + _DONE), True
            elif event.startswith(b":"):  # a comment keeps the connection alive
                out += b":\n\n"
        if is_last and not self._has_ended:
            raise ValueError("a stream without a finish_reason: what is held back of it never leaves")
        return bytes(out + (_DONE if is_last else b"")), is_last

    def _next_event(self) -> Optional[bytes]:
        """Every byte is searched once, however it is split, and what was read leaves when no whole event is left."""
        end = _EVENT_END.search(self._bytes, max(self._n_read, self._n_searched - 3))  # 3: of an end, all but its last byte
        if end is None:
            del self._bytes[:self._n_read]
            self._n_read, self._n_searched = 0, len(self._bytes)
            return None
        event = bytes(self._bytes[self._n_read:end.start()])
        self._n_read = self._n_searched = end.end()
        return event

    def _chunk(self, chunk: Dict[str, Any]) -> Tuple[bytes, bool]:
        shown = {**_known(chunk, _MEMBERS), "choices": []}
        is_blocked = False
        for choice in chunk["choices"]:
            delta, reason = choice.get("delta") or {}, choice.get("finish_reason")
            if choice["index"] != 0 or self._has_ended and _has_text(delta):
                raise ValueError("an answer beside the one that is judged, or behind its end")
            delta, is_blocked = self._delta(dict(delta), reason is not None and not self._has_ended)
            self._has_ended = self._has_ended or reason is not None
            shown["choices"].append({"index": 0, "delta": delta, "finish_reason": "content_filter" if is_blocked else reason})
        return _data(shown), is_blocked

    def _delta(self, delta: Dict[str, Any], ends: bool) -> Tuple[Dict[str, Any], bool]:
        """What may be shown, and whether something is blocked. ends: all the rest, too."""
        self._collect_calls(delta.pop("tool_calls", None) or ())
        out = _known(delta, ("role", *_TEXTS))
        is_blocked = False
        for name in [name for name in _TEXTS if out.get(name) or ends and name in self._holds]:
            out[name], is_this_blocked = self._hold_back(name, out.get(name) or "", ends)
            is_blocked = is_blocked or is_this_blocked
        if ends and self._calls and not is_blocked:
            calls = [_whole_call(parts) for _, parts in sorted(self._calls.items())]
            verdict = self._settings.guard.classify([*self._messages, {"role": "assistant", "tool_calls": calls}], self._options)
            is_blocked = verdict.action not in (Action.ALLOW, Action.FLAG)
            if not is_blocked:
                out["tool_calls"] = [{"index": i, **call} for i, call in enumerate(calls)]
        if is_blocked and self._settings.block_message is not None:
            out["content"] = (out.get("content") or "") + self._settings.block_message
        return out, is_blocked

    def _hold_back(self, name: str, text: str, ends: bool) -> Tuple[str, bool]:
        """What may be shown of a text by now, and whether the next of it is blocked."""
        hold = self._holds.get(name)
        if hold is None:
            session = self._before.fork()
            session.set_cancel(self._cancel)
            hold = self._holds[name] = qwen3guard.HoldBack(session, buffer_tokens=self._settings.buffer_tokens)
        hold.put(text)
        release = hold.take()
        shown = release.text
        if ends and release.state != HoldBackState.BLOCKED:
            hold.finish()
            release = hold.take()
            shown += release.text
            if release.state not in (HoldBackState.ENDED, HoldBackState.BLOCKED):
                raise qwen3guard.NotJudgedError("an answer that was not judged to its end")
        return shown, release.state == HoldBackState.BLOCKED

    def _collect_calls(self, calls: Sequence[Dict[str, Any]]) -> None:
        for part in calls:
            if part.get("type") not in (None, "function"):
                raise ValueError("a call that is no function's")
            pieces = self._calls.setdefault(part["index"], {"id": [], "name": [], "arguments": []})
            given = {**(part.get("function") or {}), "id": part.get("id")}
            for name, texts in pieces.items():
                texts.append(given.get(name) or "")


def _whole_call(pieces: Dict[str, List[str]]) -> Dict[str, Any]:
    whole = {name: "".join(texts) for name, texts in pieces.items()}
    return {"id": whole["id"], "type": "function", "function": {"name": whole["name"], "arguments": whole["arguments"]}}


def _comparable(path: str) -> str:
    return path.rstrip("/").lower()


def _endings(paths: Sequence[str]) -> Tuple[str, ...]:
    """As _comparable() has them. Raises for what guards nothing, or by mistake everything."""
    if isinstance(paths, (str, bytes)):
        raise TypeError(f"paths: expected a sequence of paths, such as ({paths!r},)")
    out = tuple(map(_comparable, paths))
    if not all(out) or not out:
        raise ValueError(f"paths: expected endings of paths, found {out!r}")
    return out


def _unanswered(messages: List[Dict[str, Any]], judges_history: bool) -> List[int]:
    """Where the conversations to judge end: behind each message of the user since the last answer. A round of tools is none."""
    if not isinstance(messages, list) or not messages or messages[-1]["role"] == "assistant":
        raise ValueError("messages: expected a list whose last message is the user's or a tool's")
    begin = max((i for i, each in enumerate(messages) if each["role"] == "assistant" and not each.get("tool_calls")), default=0)
    ends = [i + 1 for i in range(0 if judges_history else begin, len(messages)) if messages[i]["role"] == "user"]
    if not ends:
        raise ValueError("messages: nothing that the user has said since the last answer")
    return ends


def _read_answer(body: bytes) -> Tuple[Dict[str, Any], Dict[str, Any]]:
    """An answer with one choice, and the part of it that can be judged."""
    answer = _read_json(body)
    (choice,) = answer["choices"]
    message = _known(choice["message"], ("role", *_TEXTS, "tool_calls"))
    return answer, {**_known(answer, _MEMBERS), "choices": [{**_known(choice, ("index", "finish_reason")), "message": message}]}


def _read_json(text: bytes) -> Dict[str, Any]:
    out: Dict[str, Any] = json.loads(text.decode(), object_pairs_hook=_unique, parse_constant=_refuse_number)
    return out


def _unique(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        raise ValueError("a key is there twice, and two readers would read two texts")
    return out


def _refuse_number(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _has_text(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_text, value.values()))
    return any(map(_has_text, value)) if isinstance(value, list) else isinstance(value, str) and value != ""


def _known(members: Dict[str, Any], names: Sequence[str]) -> Dict[str, Any]:
    """Without what nobody has judged, such as log-probabilities, which spell text."""
    return {name: value for name, value in members.items() if name in names or not _has_text(value)}


def _completion(kind: str, member: str, said: str, request: Dict[str, Any]) -> Dict[str, Any]:
    return {"id": "chatcmpl-blocked", "object": kind, "created": 0, "model": request.get("model"), "choices": [
        {"index": 0, member: {"role": "assistant", "content": said}, "finish_reason": "content_filter"}]}


def _start_of(status: int, kind: bytes) -> Event:
    return {"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]}


def _bytes(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


def _data(document: Any) -> bytes:
    return b"data: " + _bytes(document) + b"\n\n"
