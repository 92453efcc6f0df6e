# SPDX-License-Identifier: Apache-2.0
"""LangChain: a chat model behind a guard, and the middleware that puts every model of an agent behind one.

    model = GuardedChatModel(model=ChatOpenAI(...), guard=guard)           # invoke, batch, stream and their asynchronous forms
    agent = create_agent("openai:...", tools, middleware=[GuardMiddleware(guard)])

What the user has said since the last answer is judged before the model is called, and the answer before anybody sees it: no
callback, tracer or stream gets text that was not judged. What cannot be judged raises.
"""

from __future__ import annotations

import json
from contextlib import aclosing, closing
from typing import Any, AsyncIterator, Callable, Dict, Iterator, List, Optional, Sequence, Union

import qwen3guard
from langchain.agents.middleware import AgentMiddleware
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableBinding
from pydantic import ConfigDict
from qwen3guard import Action, HoldBackState

BLOCK_MESSAGE = "I cannot help with that."
Conversation = List[Dict[str, Any]]
_METADATA = ("finish_reason", "stop_reason", "done_reason", "model_name", "model", "model_provider", "output_version", "id",
             "system_fingerprint", "service_tier", "token_usage", "usage", "qwen3guard")  # that are no text of the model


class GuardedChatModel(BaseChatModel):
    """model: any chat model. policy: None: the default one, which blocks what is Unsafe or Controversial. buffer_tokens: of a
    streamed answer, held back behind what was judged. Where something is blocked, the answer ends with block_message, and
    response_metadata has finish_reason "content_filter" and the ruling as "qwen3guard". max_judged_messages: of the user since the
    last answer, each of which is a verdict on all before it. max_answer_chars: of a streamed answer, all of its parts."""

    model_config = ConfigDict(arbitrary_types_allowed=True)
    model: BaseChatModel
    guard: qwen3guard.Guard
    policy: Optional[qwen3guard.Policy] = None
    block_message: str = BLOCK_MESSAGE
    buffer_tokens: int = 40
    max_judged_messages: int = 64
    max_answer_chars: int = 1 << 20

    def _resolve_model_profile(self) -> Any:
        return self.model.profile

    @property
    def _llm_type(self) -> str:
        return f"qwen3guard-{self.model._llm_type}"

    @property
    def _identifying_params(self) -> Dict[str, Any]:
        return {"guarded": self.model._llm_type, **self.model._identifying_params}

    def bind_tools(self, tools: Sequence[Any], **options: Any) -> Runnable[Any, AIMessage]:
        """As the model's own, which says how it wants tools described."""
        bound = self.model.bind_tools(tools, **options)
        if not isinstance(bound, RunnableBinding) or bound.bound is not self.model:
            raise NotImplementedError(f"{type(self.model).__name__} binds tools in another way, which would not be guarded")
        return self.bind(**bound.kwargs)

    # The model's own _generate() and _stream(), and not invoke() and stream(), which would tell callbacks what it writes.

    def _generate(self, messages: List[BaseMessage], stop: Optional[List[str]] = None,
                  run_manager: Optional[CallbackManagerForLLMRun] = None, **options: Any) -> ChatResult:
        blocked = self._judge_prompts(messages, None)
        return blocked or self._judge_answer(messages, self.model._generate(messages, stop, **options), None)

    async def _agenerate(self, messages: List[BaseMessage], stop: Optional[List[str]] = None,
                         run_manager: Optional[AsyncCallbackManagerForLLMRun] = None, **options: Any) -> ChatResult:
        with qwen3guard.Cancel() as cancel:
            if (blocked := await cancel.arun(self._judge_prompts, messages, cancel)) is not None:
                return blocked
            answer = await self.model._agenerate(messages, stop, **options)
            return await cancel.arun(self._judge_answer, messages, answer, cancel)

    def _stream(self, messages: List[BaseMessage], stop: Optional[List[str]] = None,
                run_manager: Optional[CallbackManagerForLLMRun] = None, **options: Any) -> Iterator[ChatGenerationChunk]:
        if not self._model_streams():
            yield _chunk_of(self._generate(messages, stop, **options))
            return
        if (blocked := self._judge_prompts(messages, None)) is not None:
            yield _chunk_of(blocked)
            return
        source: Any = self.model._stream(messages, stop, **options)
        with closing(source) as chunks, _StreamedAnswer(self, messages, None) as answer:
            for chunk in chunks:
                if (shown := answer.put(chunk)) is not None:
                    yield shown
                if answer.is_over:
                    return
            yield answer.finish()

    async def _astream(self, messages: List[BaseMessage], stop: Optional[List[str]] = None,
                       run_manager: Optional[AsyncCallbackManagerForLLMRun] = None,
                       **options: Any) -> AsyncIterator[ChatGenerationChunk]:
        if not self._model_streams():
            yield _chunk_of(await self._agenerate(messages, stop, **options))
            return
        with qwen3guard.Cancel() as cancel:
            if (blocked := await cancel.arun(self._judge_prompts, messages, cancel)) is not None:
                yield _chunk_of(blocked)
                return
            with await cancel.arun(_StreamedAnswer, self, messages, cancel) as answer:
                source: Any = self.model._astream(messages, stop, **options)
                async with aclosing(source) as chunks:
                    async for chunk in chunks:
                        if (shown := await cancel.arun(answer.put, chunk)) is not None:
                            yield shown
                        if answer.is_over:
                            return
                yield await cancel.arun(answer.finish)

    def _model_streams(self) -> bool:
        kind = type(self.model)
        return kind._stream is not BaseChatModel._stream or kind._astream is not BaseChatModel._astream

    def _options(self, cancel: Optional[qwen3guard.Cancel]) -> qwen3guard.ClassifyOptions:
        return qwen3guard.ClassifyOptions(policy=self.policy, cancel=cancel)

    def _judge_prompts(self, messages: List[BaseMessage], cancel: Optional[qwen3guard.Cancel]) -> Optional[ChatResult]:
        """The answer to a prompt that is blocked. Each message of the user since the last answer is judged; a round of tools is
        no answer."""
        conversation = _conversation(messages)
        begin = max((i for i, each in enumerate(messages) if isinstance(each, AIMessage) and not each.tool_calls), default=0)
        ends = [i + 1 for i in range(begin, len(messages)) if isinstance(messages[i], HumanMessage)]
        if not ends:
            raise ValueError("nothing that the user has said since the last answer, and so nothing that can be judged")
        if len(ends) > self.max_judged_messages:
            raise ValueError(f"more than {self.max_judged_messages} messages of the user to judge")
        for end in ends:
            verdict = self.guard.classify(conversation[:end], self._options(cancel))
            if verdict.action not in (Action.ALLOW, Action.FLAG):
                return ChatResult(generations=[ChatGeneration(message=self._blocked(verdict.ruling))])
        return None

    def _judge_answer(self, messages: List[BaseMessage], answer: ChatResult,
                      cancel: Optional[qwen3guard.Cancel]) -> ChatResult:
        """The answer, or what is said in its place. Of one that is let pass, only what was judged."""
        shown = []
        for generation in answer.generations:
            ruling = self._judge_message(_conversation(messages), generation.message, cancel)
            message = _with_metadata(generation) if ruling is None else self._blocked(ruling)
            shown.append(ChatGeneration(message=_judged_part(message)))
        return ChatResult(generations=shown, llm_output=_known(answer.llm_output or {}))

    def _judge_message(self, conversation: Conversation, message: BaseMessage,
                       cancel: Optional[qwen3guard.Cancel]) -> Optional[qwen3guard.Ruling]:
        """What blocks the whole message; None: nothing."""
        said = _said(message)
        if not said["content"] and len(said) == 2:
            return None  # says nothing
        verdict = self.guard.classify([*conversation, said], self._options(cancel))
        return None if verdict.action in (Action.ALLOW, Action.FLAG) else verdict.ruling

    def _blocked(self, ruling: qwen3guard.Ruling) -> AIMessage:
        return AIMessage(content=self.block_message, response_metadata={"finish_reason": "content_filter", "qwen3guard": {
            "action": str(ruling.action), "rule": str(ruling.rule), "category": None if ruling.category is None else str(ruling.category),
            "policy": ruling.policy_name}})


class _StreamedAnswer:
    """Text leaves as it is judged; whatever else is in an answer (calls of tools, reasoning, lists of blocks) at its end, when the
    whole is judged. For one thread at a time."""

    def __init__(self, guarded: GuardedChatModel, messages: List[BaseMessage], cancel: Optional[qwen3guard.Cancel]) -> None:
        self._guarded, self._conversation, self._cancel = guarded, _conversation(messages), cancel
        self._session = qwen3guard.Stream(guarded.guard, guarded.policy, cancel=cancel)
        self._session.restore(self._conversation)
        self._session.begin_turn("assistant")
        self._hold = qwen3guard.HoldBack(self._session, buffer_tokens=guarded.buffer_tokens)
        self._chunks: List[AIMessageChunk] = []
        self._all: Optional[AIMessageChunk] = None  # of them, at the end: adding each would read the whole again
        self._n_chars, self._n_shown, self._is_plain = 0, 0, True
        self._id: Optional[str] = None
        self.is_over = False  #: something was blocked

    def __enter__(self) -> "_StreamedAnswer":
        return self

    def __exit__(self, *_: Any) -> None:
        self._hold.close()
        self._session.close()

    def put(self, chunk: ChatGenerationChunk) -> Optional[ChatGenerationChunk]:
        """What may be shown now."""
        if not isinstance(chunk.message, AIMessageChunk):
            raise TypeError(f"a {type(chunk.message).__name__} in an answer cannot be judged")
        message = _with_metadata(chunk)
        message.response_metadata = _known(message.response_metadata)  # a copy; log-probabilities would pile up
        self._n_chars += 1 + _n_chars([message.content, message.tool_call_chunks, message.additional_kwargs])
        if self._n_chars > self._guarded.max_answer_chars:
            raise ValueError(f"an answer of more than {self._guarded.max_answer_chars} characters")
        self._chunks.append(message)
        if message.id != self._id:
            self._id = (AIMessageChunk(content="", id=self._id) + AIMessageChunk(content="", id=message.id)).id
        self._is_plain = self._is_plain and isinstance(message.content, str)
        if not self._is_plain:
            return None
        self._hold.put(message.content)
        return self._take(is_end=False)

    def finish(self) -> ChatGenerationChunk:
        """The rest of the answer."""
        if not self._chunks:
            raise ValueError("the model has written nothing, not even an end")
        self._all = self._chunks[0] + self._chunks[1:] if len(self._chunks) > 1 else self._chunks[0]
        self._hold.finish()
        last = self._take(is_end=True)
        if last is not None:
            return last
        ruling = None
        said = _said(self._all)
        if not self._is_plain or self._all.content != said["content"] or len(said) > 2:  # more than the text that was held back
            ruling = self._guarded._judge_message(self._conversation, self._all, self._cancel)
        return self._block(ruling, "") if ruling is not None else ChatGenerationChunk(message=_judged_part(
            self._all.model_copy(update={"content": self._unshown(), "chunk_position": "last"})))

    def _take(self, is_end: bool) -> Optional[ChatGenerationChunk]:
        release = self._hold.take()
        if release.state == HoldBackState.BLOCKED:
            assert release.block is not None
            return self._block(release.block.decision.ruling, release.text)
        if is_end and release.state != HoldBackState.ENDED:
            raise qwen3guard.NotJudgedError("an answer that was not judged to its end")
        if is_end or not release.text:
            return None
        self._n_shown += len(release.text)
        return ChatGenerationChunk(message=AIMessageChunk(content=release.text, id=self._id))

    def _block(self, ruling: qwen3guard.Ruling, text: str) -> ChatGenerationChunk:
        self.is_over = True
        message = self._guarded._blocked(ruling)
        return ChatGenerationChunk(message=AIMessageChunk(
            content=text + message.text, id=self._id, response_metadata=message.response_metadata,
            chunk_position="last"))

    def _unshown(self) -> Union[str, List[Any]]:
        """Of the whole content, what has not been shown: the text that has is its beginning."""
        assert self._all is not None
        content = self._all.content
        if isinstance(content, str):
            return content[self._n_shown:]
        return [content[0][self._n_shown:], *content[1:]] if self._n_shown else content


class GuardMiddleware(AgentMiddleware[Any, Any, Any]):
    """Puts the agent's model behind the guard, whichever it is; the last of the list, so that none comes behind it. Options:
    those of GuardedChatModel."""

    def __init__(self, guard: qwen3guard.Guard, **options: Any) -> None:
        super().__init__()
        self._options = {"guard": guard, **options}

    def _guarded(self, request: Any) -> Any:
        return request.override(model=GuardedChatModel(model=request.model, **self._options))

    def wrap_model_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
        """Calls the guarded model in place of the model."""
        return handler(self._guarded(request))

    async def awrap_model_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
        """The same for asyncio."""
        return await handler(self._guarded(request))


def _conversation(messages: Sequence[BaseMessage]) -> Conversation:
    """As the guard reads it. Of earlier answers only what was said."""
    out: Conversation = []
    for message in messages:
        if isinstance(message, AIMessage):
            out.append({"role": "assistant", "content": message.text, **_calls(message)})
        elif isinstance(message, (HumanMessage, SystemMessage, ToolMessage)):
            # Not by their type, which is another one for a chunk of the same.
            role = "user" if isinstance(message, HumanMessage) else "tool" if isinstance(message, ToolMessage) else "system"
            out.append({"role": role, "content": message.content})
        else:
            raise TypeError(f"a {type(message).__name__} cannot be judged")
    return out


def _said(message: BaseMessage) -> Dict[str, Any]:
    """All that an answer says. Raises ValueError for what cannot be judged, such as an image."""
    if not isinstance(message, AIMessage):
        raise TypeError(f"a {type(message).__name__} in an answer cannot be judged")
    texts: List[str] = []
    thoughts: List[str] = [str(message.additional_kwargs.get("reasoning_content") or "")]
    for block in message.content_blocks:
        if block["type"] == "text":
            texts.append(block["text"])
        elif block["type"] == "reasoning":
            thoughts.append(block.get("reasoning") or "")
        elif block["type"] not in ("tool_call", "tool_call_chunk", "invalid_tool_call"):
            raise ValueError(f"a block of the type {block['type']} in an answer cannot be judged")
    texts.append(str(message.additional_kwargs.get("refusal") or ""))
    out = {"role": "assistant", "content": "".join(texts), **_calls(message)}
    thought = "\n".join(dict.fromkeys(filter(None, thoughts)))
    return {**out, "reasoning_content": thought} if thought else out


def _calls(message: AIMessage) -> Dict[str, Any]:
    calls = [*message.tool_calls, *message.invalid_tool_calls]
    return {"tool_calls": [{"name": call["name"] or "", "arguments": call["args"] or ""} for call in calls]} if calls else {}


def _with_metadata(generation: ChatGeneration) -> Any:
    """The message, with what its model says about it elsewhere."""
    return generation.message.model_copy(update={"response_metadata": {
        **(generation.generation_info or {}), **generation.message.response_metadata}})


def _judged_part(message: Any) -> Any:
    """Without what nobody has judged: log-probabilities, which spell text, and what a provider adds of its own."""
    return message.model_copy(update={
        "additional_kwargs": {name: value for name, value in message.additional_kwargs.items()
                              if name in ("reasoning_content", "refusal")},
        "response_metadata": _known(message.response_metadata)})


def _known(metadata: Dict[str, Any]) -> Dict[str, Any]:
    return {name: value for name, value in metadata.items() if name in _METADATA or not _has_text(value)}


def _has_text(value: Any) -> bool:
    if value is None or isinstance(value, (bool, int, float)):
        return False
    if isinstance(value, dict):
        return any(map(_has_text, value.values()))
    return any(map(_has_text, value)) if isinstance(value, (list, tuple)) else value != ""


def _n_chars(value: Any) -> int:
    if isinstance(value, dict):
        return sum(map(_n_chars, value.values()))
    return sum(map(_n_chars, value)) if isinstance(value, (list, tuple)) else len(value) if isinstance(value, str) else 0


def _chunk_of(answer: ChatResult) -> ChatGenerationChunk:
    """A whole answer as the only chunk of a stream."""
    message = answer.generations[0].message
    assert isinstance(message, AIMessage)
    calls = [*message.tool_calls, *message.invalid_tool_calls]
    return ChatGenerationChunk(message=AIMessageChunk(
        content=message.content, id=message.id, additional_kwargs=message.additional_kwargs, usage_metadata=message.usage_metadata,
        response_metadata=message.response_metadata, chunk_position="last", tool_call_chunks=[
            tool_call_chunk(name=call["name"], args=call["args"] if isinstance(call["args"], str) else json.dumps(call["args"]),
                            id=call["id"], index=i) for i, call in enumerate(calls)]))
