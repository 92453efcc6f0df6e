# SPDX-License-Identifier: Apache-2.0
"""The guarded chat model and the middleware, with LangChain's own fake models and agents."""
import asyncio
import threading
import time
from typing import Any, AsyncIterator, Iterator, Optional

import qwen3guard
from adapter_test_case import AdapterTest, adapter
from adapter_texts import BAD, GOOD, IMAGE, SAFE, UNSAFE, run
from langchain.agents import create_agent
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel, FakeMessagesListChatModel, GenericFakeChatModel
from langchain_core.messages import (AIMessage, AIMessageChunk, ChatMessage, HumanMessage, HumanMessageChunk, SystemMessage,
                                     SystemMessageChunk, ToolMessage, ToolMessageChunk)
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool

adapter("langchain")
from qwen3guard_langchain import BLOCK_MESSAGE, GuardedChatModel, GuardMiddleware  # noqa: E402

OF_ACCOUNT = ("langchain", "langchain-core", "langgraph")


class ScriptedModel(BaseChatModel):
    """Writes chunks, one answer after the other; counts what was asked, and how many chunks were wanted."""

    answers: list[Any]
    n_asked: int = 0
    n_written: int = 0
    is_closed: bool = False
    tools: Any = None
    delay_s: float = 0.0

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **options: Any) -> Any:
        return self.bind(tools=tools, **options)

    def _chunks(self) -> list[AIMessageChunk]:
        answer = self.answers[min(self.n_asked, len(self.answers) - 1)]
        self.n_asked += 1
        if isinstance(answer, str):
            words = answer.split(" ")
            return [AIMessageChunk(content=word + (" " if i < len(words) - 1 else "")) for i, word in enumerate(words)]
        return list(answer)

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **options: Any) -> ChatResult:
        self.tools = options.get("tools")
        whole: Any = None
        for chunk in self._chunks():
            whole = chunk if whole is None else whole + chunk
        return ChatResult(generations=[ChatGeneration(message=AIMessage(
            content=whole.content, tool_calls=whole.tool_calls, additional_kwargs=whole.additional_kwargs,
            response_metadata=whole.response_metadata, usage_metadata=whole.usage_metadata))])

    def _stream(self, messages: Any, stop: Any = None, run_manager: Any = None, **options: Any) -> Iterator[ChatGenerationChunk]:
        self.tools = options.get("tools")
        try:
            for chunk in self._chunks():
                self.n_written += 1
                yield ChatGenerationChunk(message=chunk)
        finally:
            self.is_closed = True

    async def _astream(self, messages: Any, stop: Any = None, run_manager: Any = None,
                       **options: Any) -> AsyncIterator[ChatGenerationChunk]:
        try:
            for chunk in self._chunks():
                await asyncio.sleep(self.delay_s)
                self.n_written += 1
                yield ChatGenerationChunk(message=chunk)
        finally:
            self.is_closed = True


class Listener(BaseCallbackHandler):
    """All that callbacks are told."""

    def __init__(self) -> None:
        self.heard = ""

    def on_llm_new_token(self, token: Any, *, chunk: Any = None, **_: Any) -> None:
        self.heard += f"{token}{chunk}"

    def on_llm_end(self, response: Any, **_: Any) -> None:
        self.heard += str(response)


async def collect(model: Any, asked: Any) -> Any:
    whole: Any = None
    async for chunk in model.astream(asked):
        whole = chunk if whole is None else whole + chunk
    return whole


def streamed(model: Any, asked: Any) -> Any:
    whole: Any = None
    for chunk in model.stream(asked):
        whole = chunk if whole is None else whole + chunk
    return whole


WAYS = (lambda model, asked: model.invoke(asked), lambda model, asked: run(model.ainvoke(asked)), streamed,
        lambda model, asked: run(collect(model, asked)))


class GuardedChatModelTest(AdapterTest):
    """Every way to call a chat model."""

    def guarded(self, *answers: Any, guard: Optional[qwen3guard.Guard] = None, **options: Any) -> GuardedChatModel:
        return GuardedChatModel(model=ScriptedModel(answers=list(answers)), guard=guard or self.stream, **options)

    def test_what_is_safe_passes_as_it_is(self) -> None:
        for guard in self.guards:
            for way in WAYS:
                self.assertEqual(way(self.guarded(GOOD, guard=guard), SAFE).content, GOOD)
                self.assertEqual(way(self.guarded("", guard=guard), SAFE).content, "")

    def test_a_blocked_prompt_does_not_arrive(self) -> None:
        for guard in self.guards:
            for way in WAYS:
                model = self.guarded(GOOD, guard=guard)
                found = way(model, UNSAFE)
                self.assertEqual((found.content, model.model.n_asked), (BLOCK_MESSAGE, 0))
                self.assertEqual(found.response_metadata["finish_reason"], "content_filter")
                ruling = found.response_metadata["qwen3guard"]
                self.assertEqual((ruling["action"], type(ruling["category"])), ("block", str))

    def test_a_blocked_answer_does_not_leave(self) -> None:
        for guard in self.guards:
            for i, way in enumerate(WAYS):
                text = GOOD + BAD + (GOOD * 20 if i >= 2 else "")
                model, listener = self.guarded(text, guard=guard), Listener()
                found = way(model.with_config(callbacks=[listener]), SAFE)
                self.assertEqual(found.response_metadata["finish_reason"], "content_filter")
                self.assertTrue(found.content.endswith(BLOCK_MESSAGE))
                self.assert_nothing_bad(found.content.removesuffix(BLOCK_MESSAGE))
                self.assertNotIn("burn", found.content + listener.heard)
                if i >= 2:
                    self.assertGreater(len(found.content), len(BLOCK_MESSAGE) + 50)
                    self.assertLess(model.model.n_written, len(text.split(" ")))
                    self.assertTrue(model.model.is_closed)

    def test_text_leaves_while_it_is_written(self) -> None:
        model = self.guarded(GOOD * 4)
        chunks = model.stream(SAFE)
        next(chunks)
        self.assertLess(model.model.n_written, 80)
        chunks.close()
        self.assertTrue(model.model.is_closed)

    def test_every_message_since_the_last_answer(self) -> None:
        calls = AIMessage(content="", tool_calls=[{"name": "look", "args": {}, "id": "1"}])
        for asked, is_blocked in (([HumanMessage(UNSAFE), HumanMessage("Thank you!")], True),
                                  ([HumanMessage(UNSAFE), calls, ToolMessage("42", tool_call_id="1")], True),
                                  ([HumanMessage(SAFE), calls, ToolMessage("42", tool_call_id="1")], False),
                                  ([SystemMessage("Be kind."), HumanMessage(SAFE), AIMessage("By kill."), HumanMessage("Thanks!")], False)):
            self.assertEqual(self.guarded("Yes.").invoke(asked).content == BLOCK_MESSAGE, is_blocked, asked)
        with self.assertRaisesRegex(ValueError, "nothing that the user has said"):
            self.guarded("Yes.").invoke([HumanMessage(SAFE), AIMessage("By")])

    def test_calls_of_tools(self) -> None:
        def calls(text: str) -> list[AIMessageChunk]:
            parts = ['{"text": "', *(word + " " for word in text.split(" ")), '"}']
            return [AIMessageChunk(content="Wait. "), *(AIMessageChunk(content="", tool_call_chunks=[
                {"name": "say" if i == 0 else None, "args": part, "id": "1" if i == 0 else None, "index": 0, "type": "tool_call_chunk"}])
                for i, part in enumerate(parts))]
        for way in WAYS:
            found = way(self.guarded(calls("Hello.")), SAFE)
            self.assertEqual((found.content, [(call["name"], call["args"], call["id"]) for call in found.tool_calls]),
                             ("Wait. ", [("say", {"text": "Hello. "}, "1")]))
            found = way(self.guarded(calls(BAD)), SAFE)
            self.assertEqual((found.tool_calls, found.content[-len(BLOCK_MESSAGE):]), ([], BLOCK_MESSAGE))
            self.assertNotIn("kill", str(found))

    def test_reasoning_and_blocks(self) -> None:
        def blocks(thought: str) -> list[AIMessageChunk]:
            return [AIMessageChunk(content=[{"type": "reasoning", "reasoning": thought, "index": 0}]),
                    AIMessageChunk(content=[{"type": "text", "text": "Fine", "index": 1}]),
                    AIMessageChunk(content=[{"type": "text", "text": ", thanks.", "index": 1}])]

        def beside(thought: str) -> list[AIMessageChunk]:
            return [AIMessageChunk(content="", additional_kwargs={"reasoning_content": thought}), AIMessageChunk(content="Fine, thanks.")]
        for way in WAYS:
            for answer in (blocks, beside):
                found = way(self.guarded(answer("Let me see.")), SAFE)
                self.assertEqual(found.text, "Fine, thanks.")
                self.assertIn("Let me see.", str(found))
                found = way(self.guarded(answer(BAD)), SAFE)
                self.assertIn(BLOCK_MESSAGE, found.text)
                self.assertNotIn("kill", str(found))

    def test_what_nobody_has_judged_is_left_out(self) -> None:
        answer = [AIMessageChunk(content="Yes.", additional_kwargs={"audio": {"transcript": BAD}}, response_metadata={
            "finish_reason": "stop", "logprobs": {"content": [{"token": BAD}]}, "message": BAD},
            usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3})]
        for way in WAYS:
            listener = Listener()
            found = way(self.guarded(answer).with_config(callbacks=[listener]), SAFE)
            self.assertEqual((found.content, found.response_metadata["finish_reason"]), ("Yes.", "stop"))
            self.assertEqual(found.usage_metadata["total_tokens"], 3)
            self.assertNotIn("kill", str(found) + listener.heard)

    def test_what_cannot_be_judged_raises(self) -> None:
        picture = [AIMessageChunk(content=[{"type": "image", "url": "https://example.com/a.png"}])]
        for way in WAYS:
            model = self.guarded(GOOD)
            with self.assertRaises(qwen3guard.InvalidArgumentError):
                way(model, [HumanMessage(content=IMAGE)])  # type: ignore[arg-type]
            self.assertEqual(model.model.n_asked, 0)
            with self.assertRaises(ValueError):
                way(self.guarded(picture), SAFE)
            with self.assertRaises(qwen3guard.Qwen3GuardError):
                way(self.guarded(GOOD, guard=self.closed_guard()), SAFE)
            with self.assertRaises(qwen3guard.ContextFullError):
                way(self.guarded(GOOD, guard=self.small_guard()), "word " * 200)
            with self.assertRaises(qwen3guard.ContextFullError):
                way(self.guarded(GOOD * 20, guard=self.small_guard()), SAFE)

    def test_roles_of_chunks(self) -> None:
        """A chunk in a conversation is judged as the message that it is a part of."""
        seen: list[Any] = []

        class Recording:
            def __init__(self, guard: qwen3guard.Guard) -> None:
                self._guard = guard

            def classify(self, messages: Any, *options: Any) -> Any:
                seen.append([(each["role"], each["content"]) for each in messages])
                return self._guard.classify(messages, *options)
        asked = [SystemMessageChunk(content="Be kind."), HumanMessageChunk(content=SAFE),
                 AIMessageChunk(content="", tool_call_chunks=[tool_call_chunk(name="say", args="{}", id="1", index=0)]),
                 ToolMessageChunk(content="42", tool_call_id="1"), HumanMessageChunk(content="Thank you!")]
        model = self.guarded("Yes.")
        model.guard = Recording(self.gen)  # type: ignore[assignment]
        self.assertEqual(model._generate(asked).generations[0].message.content, "Yes.")
        roles = ["system", "user", "assistant", "tool", "user"]
        self.assertEqual([[role for role, _ in each] for each in seen], [roles[:2], roles, [*roles, "assistant"]])
        for way in WAYS:
            for more in ([], [HumanMessage("Thank you!")]):
                found = way(self.guarded(GOOD), [HumanMessageChunk(content=UNSAFE), *more])  # type: ignore[arg-type]
                self.assertEqual(found.content, BLOCK_MESSAGE)
        with self.assertRaises(TypeError):
            self.guarded(GOOD).invoke([HumanMessage(SAFE), ChatMessage(role="user", content=UNSAFE)])

    def test_many_messages_are_refused(self) -> None:
        for way in WAYS:
            model = self.guarded("Yes.", max_judged_messages=3)
            self.assertEqual(way(model, [HumanMessage("Hi")] * 3).content, "Yes.")  # type: ignore[arg-type]
            self.assertEqual(way(model, [HumanMessage("Hi"), AIMessage("Hi")] * 5 + [HumanMessage("Hi")]).content, "Yes.")  # type: ignore[arg-type]
            n_asked = model.model.n_asked
            with self.assertRaisesRegex(ValueError, "more than 3"):
                way(model, [HumanMessage("Hi")] * 4)  # type: ignore[arg-type]
            self.assertEqual(model.model.n_asked, n_asked)

    def test_a_streamed_answer_that_is_too_large(self) -> None:
        call = AIMessageChunk(content="", tool_call_chunks=[tool_call_chunk(name=None, args="kill ", id=None, index=0)])
        thought = AIMessageChunk(content="", additional_kwargs={"reasoning_content": "kill "})
        block = AIMessageChunk(content=[{"type": "text", "text": "kill "}])
        for piece in (call, thought, block, AIMessageChunk(content="")):
            for way in WAYS[2:]:
                model = self.guarded([piece] * 1000, max_answer_chars=300)
                with self.assertRaisesRegex(ValueError, "more than 300 characters"):
                    way(model, SAFE)
                self.assertLess(model.model.n_written, 302)
                self.assertTrue(model.model.is_closed)

    def test_parts_of_an_answer_are_put_together_as_langchain_does(self) -> None:
        """Whatever is spread over chunks: the same message as their sum."""
        parts = [AIMessageChunk(content="Yes, ", id="lc_run--1"), AIMessageChunk(content=[{"type": "text", "text": "of ", "index": 0}]),
                 AIMessageChunk(content=[{"type": "text", "text": "course", "index": 0}], additional_kwargs={"reasoning_content": "Let me "}),
                 AIMessageChunk(content=".", id="m1", additional_kwargs={"reasoning_content": "see."}),
                 *(AIMessageChunk(content="", tool_call_chunks=[tool_call_chunk(name=name, args=args, id=id, index=index)])
                   for name, args, id, index in (("say", '{"te', "1", 0), ("say", '{"text"', "2", 1), (None, 'xt": "Hello"}', None, 0),
                                                 (None, ': "you"}', None, 1))),
                 AIMessageChunk(content="", response_metadata={"finish_reason": "tool_calls"})]
        for some in (parts, parts[:1], parts[4:], parts[1:4], [parts[0], *parts[4:]]):
            expected = some[0] + some[1:] if len(some) > 1 else some[0]
            found = streamed(self.guarded(some), SAFE)
            for name in ("text", "tool_calls", "additional_kwargs", "response_metadata"):
                self.assertEqual(getattr(found, name), getattr(expected, name), name)

    def test_a_policy_decides(self) -> None:
        flags = qwen3guard.Policy.parse({"schema": 1, "name": "n", "version": "1", "prompt": {"categories": {"Violent": "flag"}}})
        self.assertEqual(self.guarded("Let us talk about that.", guard=self.gen, policy=flags).invoke(UNSAFE).content, "Let us talk about that.")

    def test_chains_and_other_models(self) -> None:
        guarded = GuardedChatModel(model=GenericFakeChatModel(messages=iter([AIMessage(GOOD), AIMessage(BAD)])), guard=self.stream)
        chain = ChatPromptTemplate.from_messages([("system", "Be kind."), ("user", "{text}")]) | guarded | StrOutputParser()
        self.assertEqual("".join(chain.stream({"text": SAFE})), GOOD)
        self.assertEqual(run(chain.ainvoke({"text": SAFE})), BLOCK_MESSAGE)
        plain = GuardedChatModel(model=FakeMessagesListChatModel(responses=[AIMessage(GOOD), AIMessage(BAD)]), guard=self.stream)
        self.assertEqual([streamed(plain, SAFE).content, run(collect(plain, SAFE)).content], [GOOD, BLOCK_MESSAGE])
        self.assertEqual([each.content for each in self.guarded(GOOD).batch([SAFE, UNSAFE] * 4)], [GOOD, BLOCK_MESSAGE] * 4)

    def test_the_loop_goes_on_and_cancelling_stops(self) -> None:
        threads = set()
        put = qwen3guard.HoldBack.put

        def slow(hold: Any, text: Any) -> None:
            threads.add(threading.current_thread())
            time.sleep(0.01)
            put(hold, text)

        async def work() -> Any:
            model = self.guarded(GOOD * 20)
            task = asyncio.ensure_future(collect(model, SAFE))
            n_turns = 0
            while model.model.n_written < 20:
                await asyncio.sleep(0.002)
                n_turns += 1
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            return n_turns, model.model
        qwen3guard.HoldBack.put = slow  # type: ignore[method-assign]
        try:
            n_turns, model = run(work())
        finally:
            qwen3guard.HoldBack.put = put  # type: ignore[method-assign]
        self.assertGreater(n_turns, 3)
        self.assertLess(model.n_written, 100)
        self.assertTrue(model.is_closed)
        self.assertNotIn(threading.main_thread(), threads)


@tool
def say(text: str) -> str:
    """Says something."""
    return f"said {text}"


class AgentTest(AdapterTest):
    """Agents."""

    def calls(self, text: str) -> list[AIMessageChunk]:
        return [AIMessageChunk(content="", tool_call_chunks=[
            {"name": "say", "args": '{"text": "' + text + '"}', "id": "1", "index": 0, "type": "tool_call_chunk"}])]

    def agent(self, *answers: Any, **options: Any) -> Any:
        self.model = ScriptedModel(answers=list(answers))
        return create_agent(self.model, [say], middleware=[GuardMiddleware(self.stream, **options)])

    def test_an_agent(self) -> None:
        asked = {"messages": [HumanMessage(SAFE)]}
        for invoke in (lambda agent, asked: agent.invoke(asked), lambda agent, asked: run(agent.ainvoke(asked))):
            messages = invoke(self.agent(self.calls("Hello"), GOOD), asked)["messages"]
            self.assertEqual([each.content for each in messages], [SAFE, "", "said Hello", GOOD])
            messages = invoke(self.agent(GOOD), {"messages": [HumanMessage(UNSAFE)]})["messages"]
            self.assertEqual((messages[-1].content, self.model.n_asked), (BLOCK_MESSAGE, 0))
            messages = invoke(self.agent(self.calls("Hello"), BAD), asked)["messages"]
            self.assertEqual(messages[-1].content, BLOCK_MESSAGE)
            messages = invoke(self.agent(self.calls(BAD), GOOD), asked)["messages"]
            self.assertEqual([each.type for each in messages], ["human", "ai"])  # the tool was not called
            self.assertEqual(messages[-1].content, BLOCK_MESSAGE)

    def test_tools_are_bound_as_the_model_wants_them(self) -> None:
        self.agent("Yes.").invoke({"messages": [HumanMessage(SAFE)]})
        self.assertEqual([each.name for each in self.model.tools], ["say"])

    def test_streams_of_an_agent(self) -> None:
        for mode in ("messages", "updates", "values"):
            agent = self.agent(GOOD + BAD + GOOD * 20)
            heard = "".join(str(event) for event in agent.stream({"messages": [HumanMessage(SAFE)]}, stream_mode=mode))
            self.assertEqual("river" in heard, mode == "messages")
            self.assertIn(BLOCK_MESSAGE, heard)
            self.assertNotIn("burn", heard)

        async def events() -> str:
            agent = self.agent(GOOD + BAD + GOOD * 20)
            return "".join([str(event) async for event in agent.astream_events({"messages": [HumanMessage(SAFE)]}, version="v2")])
        heard = run(events())
        self.assertIn("river", heard)
        self.assertNotIn("burn", heard)
