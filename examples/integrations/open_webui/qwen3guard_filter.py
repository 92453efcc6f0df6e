"""
title: Qwen3Guard
description: Judges prompts and answers in the process; a streamed answer while it is written, held back until it is judged.
version: 0.1.0
required_open_webui_version: 0.12.0
SPDX-License-Identifier: Apache-2.0
"""
# What is above is read by Open WebUI. A module that cannot be loaded is switched off by it, and then nothing is judged: so the
# library is loaded with the first request, which fails where it is not there.

from __future__ import annotations

import logging
import threading
from typing import Any, Dict, List, Optional, Sequence, Tuple

from pydantic import BaseModel, Field

log = logging.getLogger(__name__)
TEXTS = ("content", "reasoning_content", "reasoning", "thinking", "refusal")  # of a piece of an answer
MEMBERS = ("id", "object", "created", "model", "system_fingerprint", "service_tier", "usage", "timings", "selected_model_id", "sources")


class Filter:
    """One for all requests, on any thread. What belongs to a request is kept in the request's state."""

    class Valves(BaseModel):
        """Settings in the administrator's panel."""

        priority: int = Field(0, description="filters run in the order of this number; the guard should be the last")
        model: str = Field("nano-stream", description="a folder, a packed file, or a model in the library (demonstrations)")
        policy: str = Field("", description="a policy's file, or one of the library's own; empty: blocks Unsafe and Controversial")
        buffer_tokens: int = Field(40, ge=0, description="tokens of a streamed answer that are held back behind what was judged")
        block_message: str = Field("I cannot help with that.", description="said in place of what is blocked")
        max_judged_messages: int = Field(64, ge=1, description="of the user since the last answer; each is a verdict on all before it")
        max_answer_chars: int = Field(1 << 20, ge=1, description="of a streamed answer, with thinking and calls of tools")

    def __init__(self) -> None:
        self.valves = self.Valves.model_validate({})
        self._lock = threading.Lock()
        self._loaded: Tuple[Any, ...] = ()

    async def inlet(self, body: Dict[str, Any], __request__: Any, __metadata__: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        """Judges what the user has said since the last answer. Raises for what is blocked, and for what cannot be judged."""
        import qwen3guard
        if not body.get("stream"):
            raise ValueError("an answer that is not streamed leaves Open WebUI unjudged; switch streaming on")
        messages = [{name: message[name] for name in ("role", "content", "tool_calls") if message.get(name) is not None}
                    for message in body["messages"]]
        with qwen3guard.Cancel() as cancel:
            if not await cancel.arun(self._allows_prompts, messages, cancel):
                raise PermissionError(self.valves.block_message)
        _answers(__request__)[_key(__metadata__)] = _Answer(messages)
        return body

    async def stream(self, event: Dict[str, Any], __request__: Any,
                     __metadata__: Optional[Dict[str, Any]] = None) -> Optional[Dict[str, Any]]:
        """What may be shown of an answer by now, in place of what its model has written. Does not raise: Open WebUI would leave
        the event out and go on."""
        answer = _answers(__request__).get(_key(__metadata__)) or _Answer([])
        _answers(__request__)[_key(__metadata__)] = answer
        if answer.is_over:
            return None
        try:
            import qwen3guard
            with qwen3guard.Cancel() as cancel:
                return await cancel.arun(self._put, answer, event, cancel)
        except Exception as error:
            log.error("Qwen3Guard: the answer ends here, as it was not judged: %s", error)
            answer.end()
            return _event(event, {"content": self.valves.block_message}, "content_filter")

    async def outlet(self, body: Dict[str, Any]) -> Dict[str, Any]:
        """Judges the whole answer, which has been shown, before it is kept for the next turn. Does not raise: Open WebUI would keep
        the answer as it is."""
        message = body["messages"][-1] if body.get("messages") else {}
        try:
            import qwen3guard
            with qwen3guard.Cancel() as cancel:
                is_allowed = await cancel.arun(self._allows_answer, body["messages"], cancel)
        except Exception as error:
            log.error("Qwen3Guard: an answer is taken back, as it was not judged: %s", error)
            is_allowed = False
        if not is_allowed:
            message["content"] = self.valves.block_message
            if "output" in message:
                message["output"] = [{"type": "message", "role": "assistant", "status": "completed", "content": [
                    {"type": "output_text", "text": self.valves.block_message}]}]
        return body

    def _guard(self) -> Tuple[Any, Any]:
        """The guard and the policy that the valves name."""
        import qwen3guard
        with self._lock:
            wanted = (self.valves.model, self.valves.policy)
            if self._loaded[:2] != wanted:
                model, name = wanted
                guard = (qwen3guard.Guard.embedded if model in qwen3guard.embedded_models() else qwen3guard.Guard.load)(model)
                policy = (qwen3guard.Policy.preset if name in qwen3guard.Policy.presets() else qwen3guard.Policy.load)(name) \
                    if name else None
                self._loaded = (*wanted, guard, policy)
            return self._loaded[2:]

    def _allows(self, messages: Sequence[Dict[str, Any]], cancel: Any) -> bool:
        import qwen3guard
        guard, policy = self._guard()
        verdict = guard.classify(messages, qwen3guard.ClassifyOptions(policy=policy, cancel=cancel))
        return verdict.action in (qwen3guard.Action.ALLOW, qwen3guard.Action.FLAG)

    def _allows_prompts(self, messages: List[Dict[str, Any]], cancel: Any) -> bool:
        begin = max((i for i, message in enumerate(messages[:-1])  # the last may be an answer that is to go on
                     if message["role"] == "assistant" and not message.get("tool_calls")), default=0)
        ends = [i + 1 for i in range(begin, len(messages)) if messages[i]["role"] == "user"]
        if not ends:
            raise ValueError("nothing that the user has said since the last answer")
        if len(ends) > self.valves.max_judged_messages:
            raise ValueError(f"more than {self.valves.max_judged_messages} messages of the user to judge")
        return all(self._allows(messages[:end], cancel) for end in ends)

    def _allows_answer(self, messages: List[Dict[str, Any]], cancel: Any) -> bool:
        said = [{"role": message["role"], "content": message.get("content") or ""} for message in messages]
        return not said[-1]["content"] or self._allows(said, cancel)

    def _put(self, answer: "_Answer", event: Dict[str, Any], cancel: Any) -> Optional[Dict[str, Any]]:
        if event.get("error"):
            answer.end()
            return {"error": {"message": "the model has failed"}}  # its own words are judged by nobody
        choices = event.get("choices") or []
        if not choices:
            if str(event.get("type", "")).startswith("response."):
                raise ValueError("an answer in the shape of OpenAI's responses; connect the model by chat completions")
            return _known(event) or None
        guard, policy = self._guard()
        (choice,) = choices
        if choice.get("index", 0) != 0:
            raise ValueError("a second answer")
        delta, reason = dict(choice.get("delta") or {}), choice.get("finish_reason")
        answer.count(delta, self.valves.max_answer_chars)
        shown, is_blocked = answer.put(guard, policy, self.valves.buffer_tokens, cancel, delta, reason is not None)
        calls = answer.whole_calls() if reason is not None else []
        if is_blocked or calls and not self._allows([*answer.messages, {"role": "assistant", "tool_calls": calls}], cancel):
            answer.end()
            return _event(event, {**shown, "content": (shown.get("content") or "") + self.valves.block_message}, "content_filter")
        if reason is not None:
            if calls:
                shown["tool_calls"] = [{"index": i, **call} for i, call in enumerate(calls)]
            answer.begin_another()
        return _event(event, shown, reason)


class _Answer:
    """The answer to a request. Every text that its model writes at the same time is held back in a session of its own behind the
    same conversation; calls of tools wait for their end. A model that calls tools writes several, one after the other."""

    def __init__(self, messages: List[Dict[str, Any]]) -> None:
        self.messages, self.is_over = messages, False
        self._calls: Dict[int, Dict[str, List[str]]] = {}  # by their index, the pieces of their parts
        self._n_chars = 0
        self._before: Any = None
        self._holds: Dict[str, Any] = {}

    def end(self) -> None:
        """Nothing of it is shown any more."""
        self.is_over, self._before = True, None
        self.begin_another()

    def begin_another(self) -> None:
        """The answer behind a round of tools, to the same conversation."""
        self._calls, self._holds = {}, {}

    def count(self, delta: Dict[str, Any], limit: int) -> None:
        """Raises where this piece makes the answer, with all its rounds of tools, too long. What is left out counts too."""
        self._n_chars += 1 + _n_chars(delta)
        if self._n_chars > limit:
            raise ValueError(f"an answer of more than {limit} characters")

    def whole_calls(self) -> List[Dict[str, Any]]:
        """The calls of tools, as far as they are written."""
        whole = [{name: "".join(texts) for name, texts in pieces.items()} for _, pieces in sorted(self._calls.items())]
        return [{"id": call["id"], "type": "function", "function": {"name": call["name"], "arguments": call["arguments"]}} for call in whole]

    def put(self, guard: Any, policy: Any, buffer_tokens: int, cancel: Any, delta: Dict[str, Any],
            ends: bool) -> Tuple[Dict[str, Any], bool]:
        """What may be shown, and whether something is blocked. ends: all the rest, too."""
        import qwen3guard
        if not self.messages:
            raise ValueError("an answer to a prompt that was not judged")
        if self._before is None:
            self._before = qwen3guard.Stream(guard, policy, cancel=cancel)
            self._before.restore(self.messages)
            self._before.begin_turn("assistant")
        self._collect_calls(delta.pop("tool_calls", None) or ())
        shown = {name: value for name, value in delta.items() if name in ("role", *TEXTS) or not _has_text(value)}
        is_blocked = False
        for name in [name for name in TEXTS if shown.get(name) or ends and name in self._holds]:
            if name not in self._holds:
                stream = self._before.fork()
                self._holds[name] = stream, qwen3guard.HoldBack(stream, buffer_tokens=buffer_tokens)
            stream, hold = self._holds[name]
            stream.set_cancel(cancel)
            hold.put(shown.get(name) or "")
            release = hold.take()
            shown[name] = release.text
            if ends and release.state != qwen3guard.HoldBackState.BLOCKED:
                hold.finish()
                release = hold.take()
                shown[name] += release.text
                if release.state not in (qwen3guard.HoldBackState.ENDED, qwen3guard.HoldBackState.BLOCKED):
                    raise qwen3guard.NotJudgedError("the answer was not judged to its end")
            is_blocked = is_blocked or release.state == qwen3guard.HoldBackState.BLOCKED
        return shown, is_blocked

    def _collect_calls(self, parts: Sequence[Dict[str, Any]]) -> None:
        for part in parts:
            pieces = self._calls.setdefault(part["index"], {"id": [], "name": [], "arguments": []})
            given = {**(part.get("function") or {}), "id": part.get("id")}
            for name, texts in pieces.items():
                texts.append(given.get(name) or "")


def _answers(request: Any) -> Dict[Any, _Answer]:
    if not hasattr(request.state, "qwen3guard"):
        request.state.qwen3guard = {}
    found: Dict[Any, _Answer] = request.state.qwen3guard
    return found


def _key(metadata: Optional[Dict[str, Any]]) -> Any:
    return (metadata or {}).get("message_id")


def _known(members: Dict[str, Any]) -> Dict[str, Any]:
    return {name: value for name, value in members.items() if name in MEMBERS or not _has_text(value)}


def _event(event: Dict[str, Any], delta: Dict[str, Any], reason: Optional[str]) -> Dict[str, Any]:
    """Without what nobody has judged, such as log-probabilities, which spell text."""
    return {**_known({**event, "choices": None}), "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}


def _n_chars(value: Any) -> int:
    if isinstance(value, dict):
        return sum(map(_n_chars, value.values()))
    return sum(map(_n_chars, value)) if isinstance(value, (list, tuple)) else len(value) if isinstance(value, str) else 0


def _has_text(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_text, value.values()))
    return any(map(_has_text, value)) if isinstance(value, (list, tuple)) else isinstance(value, str) and value != ""
