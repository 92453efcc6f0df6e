# SPDX-License-Identifier: Apache-2.0
"""The filter as Open WebUI loads and calls it: its function comes from its database, through its loader and its runner of filters."""
import asyncio
import json
import os
import tempfile
import time
import unittest
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Optional

import qwen3guard
from adapter_texts import BAD, GOOD, IMAGE, SAFE, UNSAFE, run

FOLDER = tempfile.TemporaryDirectory()
os.environ.update(DATA_DIR=FOLDER.name, DATABASE_URL=f"sqlite:///{FOLDER.name}/webui.db", WEBUI_SECRET_KEY="test", ENABLE_DB_MIGRATIONS="false",
                  OFFLINE_MODE="true", GLOBAL_LOG_LEVEL="CRITICAL")

from open_webui.internal.db import Base, engine  # noqa: E402
from open_webui.models.functions import FunctionForm, Functions  # noqa: E402
from open_webui.utils.filter import get_filter_context, get_filter_functions, process_filter_functions  # noqa: E402

FILTER = Path(__file__).resolve().parents[3] / "examples/integrations/open_webui/qwen3guard_filter.py"
REFUSAL = "I cannot help with that."


def chunk(delta: dict[str, Any], reason: Optional[str] = None, **more: Any) -> dict[str, Any]:
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{"index": 0, "delta": delta, "finish_reason": reason}], **more}


def words(text: str) -> list[dict[str, Any]]:
    return [chunk({"role": "assistant", "content": ""}), *(chunk({"content": word + " "}) for word in text.strip().split(" ")),
            chunk({}, "stop"), {"choices": [], "usage": {"total_tokens": 3}}]


class Conversation:
    """One request to Open WebUI, and what it does with filters on the way."""

    def __init__(self, app: Any) -> None:
        self.request = SimpleNamespace(app=app, state=SimpleNamespace())
        self.extra = {"__request__": self.request, "__metadata__": {"chat_id": "a", "message_id": "b"}, "__user__": {"id": "u"},
                      "__event_emitter__": None, "__model__": {"id": "m"}}
        self.functions: list[Any] = []

    async def filters(self, kind: str, form_data: Any) -> Any:
        context = get_filter_context(self.request) if kind != "outlet" else None
        found, _ = await process_filter_functions(self.request, context, self.functions, kind, form_data, self.extra)
        return found

    async def ask(self, said: Any, **more: Any) -> Any:
        self.functions = await get_filter_functions(self.request, {"id": "m"}, [])
        messages = said if isinstance(said, list) and "role" in said[0] else [{"role": "user", "content": said}]
        return await self.filters("inlet", {"model": "m", "messages": messages, "stream": True, **more})

    async def answer(self, events: list[dict[str, Any]]) -> list[Any]:
        """What reaches a person: an event whose filter fails is left out, and the rest goes on."""
        out = []
        for event in events:
            try:
                shown = await self.filters("stream", json.loads(json.dumps(event)))
            except Exception:
                continue
            if shown:
                out.append(shown)
        return out


def shown(events: list[Any], name: str = "content") -> str:
    return "".join(choice["delta"].get(name) or "" for event in events for choice in event.get("choices", ()))


def reason(events: list[Any]) -> Any:
    return [choice["finish_reason"] for event in events for choice in event.get("choices", ())][-1]


class OpenWebUiTest(unittest.TestCase):
    """Open WebUI's database, loader and runner."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        Base.metadata.create_all(engine)
        cls.addClassCleanup(FOLDER.cleanup)
        run(cls.install(FILTER.read_text()))

    @classmethod
    async def install(cls, content: str, **valves: Any) -> None:
        await Functions.delete_function_by_id("qwen3guard")
        form = FunctionForm(id="qwen3guard", name="Qwen3Guard", content=content, meta={"description": "", "manifest": {}})
        assert await Functions.insert_new_function("admin", "filter", form) is not None
        await Functions.update_function_by_id("qwen3guard", {"is_active": True, "is_global": True})
        if valves:
            assert await Functions.update_function_valves_by_id("qwen3guard", valves) is not None

    def setUp(self) -> None:
        self.app = SimpleNamespace(state=SimpleNamespace())
        run(self.valves())

    async def valves(self, **valves: Any) -> None:
        assert await Functions.update_function_valves_by_id("qwen3guard", valves) is not None

    def talk(self, said: Any, events: Optional[list[Any]] = None, **more: Any) -> Any:
        async def work() -> Any:
            conversation = Conversation(self.app)
            body = await conversation.ask(said, **more)
            return body if events is None else await conversation.answer(events)
        return run(work())

    def test_prompts(self) -> None:
        for model in ("nano-gen", "nano-stream"):
            run(self.valves(model=model))
            body = self.talk(SAFE)
            self.assertEqual(body, {"model": "m", "messages": [{"role": "user", "content": SAFE}], "stream": True})
            with self.assertRaisesRegex(PermissionError, REFUSAL):
                self.talk(UNSAFE)
            with self.assertRaisesRegex(PermissionError, REFUSAL):
                self.talk([{"role": "user", "content": UNSAFE}, {"role": "user", "content": "Thank you!"}])
            self.talk([{"role": "user", "content": SAFE}, {"role": "assistant", "content": "By kill."}, {"role": "user", "content": "Thank you!"}])
            self.talk([{"role": "user", "content": SAFE}, {"role": "assistant", "content": "By"}])  # "Continue"
            self.talk("")

    def test_what_cannot_be_judged_is_refused(self) -> None:
        for said, more in ((IMAGE, {}), (SAFE, {"stream": False}), (SAFE, {"stream": None}), ("word " * 9000, {}),
                           ([{"role": "system", "content": "Be kind."}], {}), ([{"role": "user"}], {})):
            with self.assertRaises(Exception, msg=str(said)[:80]):
                self.talk(said, **more)
        run(self.valves(model="./no-such-folder"))
        with self.assertRaises(FileNotFoundError):
            self.talk(SAFE)
        run(self.valves(buffer_tokens=-1))
        with self.assertRaises(ValueError):
            self.talk(SAFE)

    def test_a_policy_decides(self) -> None:
        run(self.valves(model="nano-gen", policy="chat-game"))
        self.talk(UNSAFE)
        run(self.valves(model="nano-gen", policy="strict"))  # read again
        with self.assertRaises(PermissionError):
            self.talk(UNSAFE)

    def test_a_safe_answer_passes_as_it_is(self) -> None:
        for model in ("nano-gen", "nano-stream"):
            run(self.valves(model=model))
            found = self.talk(SAFE, words(GOOD))
            self.assertEqual((shown(found), reason(found), found[-1]), (GOOD, "stop", {"choices": [], "usage": {"total_tokens": 3}}))
            self.assertLess(next(i for i, event in enumerate(found) if shown([event])), 70)  # while it is written

    def test_an_answer_that_turns_bad_is_cut(self) -> None:
        for model in ("nano-gen", "nano-stream"):
            run(self.valves(model=model))
            for events in (words(GOOD + BAD + GOOD * 5), words(GOOD + BAD), words(BAD)):
                found = self.talk(SAFE, events)
                self.assertTrue(shown(found).endswith(REFUSAL))
                self.assertTrue(GOOD.startswith(shown(found).removesuffix(REFUSAL)), shown(found))
                self.assertEqual(reason(found), "content_filter")
                self.assertNotIn("burn", str(found))

    def test_thinking_and_calls(self) -> None:
        def thought(text: str) -> list[Any]:
            return [chunk({"reasoning_content": word + " ", "reasoning_details": [{"text": word}]}) for word in text.split()] + words("Yes.")

        def call(text: str) -> list[Any]:
            arguments = json.dumps({"text": text})
            return [chunk({"tool_calls": [{"index": 0, "id": "1", "type": "function", "function": {"name": "say", "arguments": ""}}]}),
                    *(chunk({"tool_calls": [{"index": 0, "function": {"arguments": arguments[i:i + 7]}}]})
                      for i in range(0, len(arguments), 7)), chunk({}, "tool_calls")]
        found = self.talk(SAFE, thought(GOOD))
        self.assertEqual((shown(found, "reasoning_content"), shown(found).strip()), (GOOD, "Yes."))
        self.assertNotIn("kill", str(self.talk(SAFE, thought(BAD))))
        found = self.talk(SAFE, call("Hello") + words(GOOD))  # a round of tools, and the answer behind it
        self.assertEqual([call["function"]["arguments"] for event in found for choice in event["choices"]
                          for call in choice["delta"].get("tool_calls", ())], ['{"text": "Hello"}'])
        self.assertEqual(shown(found), GOOD)
        found = self.talk(SAFE, call(BAD) + words(GOOD))
        self.assertEqual((shown(found), "say" in str(found)), (REFUSAL, False))

    def test_a_stream_that_cannot_be_judged(self) -> None:
        for events in ([chunk({"content": [1]})], [{"type": "response.output_text.delta", "delta": "kill"}], [{"error": {"message": "kill"}}],
                       [{"choices": [{"index": 0, "delta": {"content": "a"}}, {"index": 1, "delta": {"content": "kill"}}]}],
                       [{"choices": [{"index": 1, "delta": {"content": "kill"}}]}], [chunk({"content": "\ud800"})], [{"choices": [1]}]):
            found = self.talk(SAFE, words(GOOD)[:10] + events + words(BAD))
            self.assertNotIn("kill", str(found), events)
            self.assertIn(shown(found), ("", REFUSAL))
        found = self.talk(SAFE, [{"sources": [{"name": "a"}]}, {"selected_model_id": "m"}, {"note": BAD}, chunk({"content": "Yes", "audio": BAD}, note=BAD)])
        self.assertEqual(found[:2], [{"sources": [{"name": "a"}]}, {"selected_model_id": "m"}])
        self.assertNotIn("kill", str(found))

    def test_limits(self) -> None:
        def asked(n: int, answers: bool = False) -> list[Any]:
            pair = [{"role": "user", "content": "Hi"}] + [{"role": "assistant", "content": "Hi"}] * answers
            return pair * n + [{"role": "user", "content": "Hi"}]
        run(self.valves(max_judged_messages=3, max_answer_chars=300))
        self.talk(asked(2))
        self.talk(asked(5, True))  # one is new
        with self.assertRaisesRegex(ValueError, "more than 3"):
            self.talk(asked(3))

        def part(arguments: str) -> dict[str, Any]:
            return chunk({"tool_calls": [{"index": 0, "id": "", "function": {"name": "", "arguments": arguments}}]})
        for piece in (part("kill "), part(""), chunk({"reasoning_content": ""}), chunk({"content": "", "audio": "kill"})):
            found = self.talk(SAFE, [piece] * 310 + [chunk({"content": "burn"}, "stop")])
            self.assertEqual((shown(found), reason(found)), (REFUSAL, "content_filter"))
            self.assertNotIn("kill", str(found))
            self.assertNotIn("burn", str(found))

    def test_a_guard_that_fails_in_the_middle(self) -> None:
        put = qwen3guard.HoldBack.put

        def fails(*_: Any) -> None:
            raise qwen3guard.OutOfMemoryError(1, "no memory")

        async def work() -> Any:
            conversation = Conversation(self.app)
            await conversation.ask(SAFE)
            found = await conversation.answer(words(GOOD)[:20])
            qwen3guard.HoldBack.put = fails  # type: ignore[method-assign]
            found += await conversation.answer(words(GOOD)[20:40])
            qwen3guard.HoldBack.put = put  # type: ignore[method-assign]
            return found + await conversation.answer(words(GOOD)[40:])
        try:
            found = run(work())
        finally:
            qwen3guard.HoldBack.put = put  # type: ignore[method-assign]
        self.assertEqual((shown(found), reason(found)), (REFUSAL, "content_filter"))

    def test_an_answer_without_a_judged_prompt(self) -> None:
        async def work() -> Any:
            conversation = Conversation(self.app)
            conversation.functions = await get_filter_functions(conversation.request, {"id": "m"}, [])
            return await conversation.answer(words(GOOD))
        self.assertEqual(shown(run(work())), REFUSAL)

    def test_the_outlet(self) -> None:
        def outlet(content: Any, **more: Any) -> Any:
            async def work() -> Any:
                conversation = Conversation(self.app)
                await conversation.ask(SAFE)
                return await conversation.filters("outlet", {"messages": [
                    {"id": "1", "role": "user", "content": SAFE}, {"id": "2", "role": "assistant", "content": content, **more}]})
            return run(work())["messages"][-1]
        output = [{"type": "message", "content": [{"type": "output_text", "text": BAD}]}]
        self.assertEqual(outlet(GOOD, output=output[:0])["content"], GOOD)
        self.assertEqual(outlet("")["content"], "")
        for content in (BAD, IMAGE, 7):
            found = outlet(content, output=output)
            self.assertEqual(found["content"], REFUSAL)
            self.assertNotIn("kill", str(found))

    def test_many_at_the_same_time(self) -> None:
        async def one(i: int) -> str:
            conversation = Conversation(self.app)
            conversation.extra["__metadata__"] = {"message_id": None}
            await conversation.ask(SAFE)
            return shown(await conversation.answer(words(GOOD + BAD if i % 2 else GOOD)))

        async def work() -> list[str]:
            return list(await asyncio.gather(*(one(i) for i in range(8))))
        for i, text in enumerate(run(work())):
            self.assertEqual(text == GOOD, i % 2 == 0)
            self.assertNotIn("burn", text)

    def test_the_loop_goes_on(self) -> None:
        classify = qwen3guard.Guard.classify

        def slow(*arguments: Any) -> Any:
            time.sleep(0.3)
            return classify(*arguments)

        async def work() -> int:
            asking = asyncio.ensure_future(Conversation(self.app).ask(SAFE))
            n = 0
            while not asking.done():
                await asyncio.sleep(0.005)
                n += 1
            await asking
            return n
        qwen3guard.Guard.classify = slow  # type: ignore[method-assign]
        try:
            self.assertGreater(run(work()), 3)
        finally:
            qwen3guard.Guard.classify = classify  # type: ignore[method-assign]

    def test_a_library_that_is_missing_does_not_switch_the_filter_off(self) -> None:
        async def is_active() -> Any:
            return [each for each, _ in await Functions.get_active_filter_ids()]

        async def work(content: str) -> Any:
            await self.install(content)
            for _ in range(2):
                try:
                    await Conversation(SimpleNamespace(state=SimpleNamespace())).ask(UNSAFE)
                    return "passed", await is_active()
                except Exception:
                    pass
            return "refused", await is_active()
        content = FILTER.read_text()
        try:
            self.assertEqual(run(work(content.replace("import qwen3guard", "import qwen3guard_missing"))), ("refused", ["qwen3guard"]))
            # What it is for: Open WebUI switches off what it cannot load, and then asks the model without it.
            self.assertEqual(run(work(content.replace("import logging", "import qwen3guard_missing"))), ("passed", []))
        finally:
            run(self.install(content))


if __name__ == "__main__":
    unittest.main()
