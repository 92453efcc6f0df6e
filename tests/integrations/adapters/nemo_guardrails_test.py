# SPDX-License-Identifier: Apache-2.0
"""The rails for NeMo Guardrails, with its own fake model."""
import json
import logging
import unittest
from typing import Any, Callable, Optional

import qwen3guard
from adapter_test_case import EXAMPLES, adapter
from adapter_texts import BAD, GOOD, IMAGE, SAFE, UNSAFE, run
from nemoguardrails import LLMRails, RailsConfig
from nemoguardrails.testing import FakeLLMModel
from nemoguardrails.types import LLMResponse, ToolCall, ToolCallFunction

adapter("nemo_guardrails")
from qwen3guard_nemo import stream_held_back  # noqa: E402

OF_ACCOUNT = ("nemoguardrails",)
REFUSAL = "I cannot help with that."


class NemoGuardrailsTest(unittest.TestCase):
    """The folder of rails as it is shipped; only the model is another one."""

    config: RailsConfig
    loaded: LLMRails

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        logging.disable(logging.CRITICAL)  # it logs whole configurations
        cls.addClassCleanup(logging.disable, logging.NOTSET)
        cls.config = RailsConfig.from_path(str(EXAMPLES / "nemo_guardrails/config"))
        cls.loaded = LLMRails(cls.config.model_copy(deep=True), llm=FakeLLMModel(responses=[]))

    def rails(self, *answers: Any, settings: Optional[dict[str, Any]] = None, **more: Any) -> LLMRails:
        """The rails with a model that gives these answers; the configuration is as it is shipped but for what is given."""
        rails = self.loaded
        rails.config.custom_data["qwen3guard"] = settings if settings is not None else {"model": "nano-gen", "policy": None}
        rails.config.rails.input.flows = ["qwen3guard check input"]
        rails.config.rails.output.streaming.stream_first = False
        rails.config.passthrough = more.get("passthrough")
        rails.events_history_cache = {}
        responses = [answer if isinstance(answer, LLMResponse) else LLMResponse(content=answer) for answer in answers]
        self.model = FakeLLMModel(llm_responses=responses)
        rails.update_llm(self.model)
        return rails

    def ask(self, rails: LLMRails, *said: Any) -> Any:
        messages = [{"role": "user" if i % 2 == 0 else "assistant", "content": text} for i, text in enumerate(said)]
        return run(rails.generate_async(messages=messages))

    def streamed(self, rails: LLMRails, asked: Any) -> tuple[str, Optional[str]]:
        """The text, and the code of the error that it ended with."""
        return self.pieces(lambda: rails.stream_async(messages=[{"role": "user", "content": asked}]))

    def pieces(self, source: Callable[[], Any]) -> tuple[str, Optional[str]]:
        async def work() -> list[str]:
            return [chunk async for chunk in source()]
        chunks = run(work())
        if chunks and chunks[-1].startswith('{"error"'):
            return "".join(chunks[:-1]), json.loads(chunks[-1])["error"]["code"]
        return "".join(chunks), None

    def test_what_is_safe_passes_as_it_is(self) -> None:
        for model in ("nano-gen", "nano-stream"):
            for answer in (GOOD, GOOD * 3):
                settings = {"model": model, "policy": None}
                self.assertEqual(self.ask(self.rails(answer.strip(), settings=settings), SAFE)["content"], answer.strip())
                self.assertEqual(self.streamed(self.rails(answer, settings=settings), SAFE), (answer, None))

    def test_a_blocked_prompt_does_not_arrive(self) -> None:
        for model in ("nano-gen", "nano-stream"):
            rails = self.rails(GOOD, settings={"model": model})
            self.assertEqual((self.ask(rails, UNSAFE)["content"], self.model.inference_count), (REFUSAL, 0))
            rails = self.rails(GOOD, settings={"model": model})
            self.assertEqual((self.streamed(rails, UNSAFE), self.model.inference_count), ((REFUSAL, None), 0))

    def test_a_blocked_answer_does_not_leave(self) -> None:
        for model in ("nano-gen", "nano-stream"):
            for answer in (BAD, GOOD + BAD):
                self.assertEqual(self.ask(self.rails(answer, settings={"model": model}), SAFE)["content"], REFUSAL)
            self.assertEqual(self.streamed(self.rails(BAD, settings={"model": model}), SAFE), ("", "content_blocked"))

    def test_a_stream_that_is_held_back(self) -> None:
        guard = qwen3guard.Guard.embedded("nano-stream", n_threads=1)

        def work(answer: str, guard: qwen3guard.Guard = guard, asked: str = SAFE) -> tuple[str, Any]:
            messages = [{"role": "user", "content": asked}]
            return self.pieces(lambda: stream_held_back(self.rails(answer), messages, guard))
        self.assertEqual(work(GOOD * 2), (GOOD * 2, None))
        self.assertEqual(work("Yes."), ("Yes.", None))
        self.assertEqual(work(GOOD, asked=UNSAFE), (REFUSAL, None))
        at_edges, shown_by_rails = [], []
        for n_words in (54, 60, 66, 84):
            good = " ".join((GOOD * 4).split(" ")[:n_words]) + " "
            shown, error = work(good + BAD + GOOD)
            if error is None:
                continue  # the small model overlooks it there
            self.assertEqual(error, "content_blocked")
            self.assertTrue(good.startswith(shown), shown)
            at_edges.append(len(shown))
            shown_by_rails.append(self.streamed(self.rails(good + BAD + GOOD), SAFE)[0].removeprefix(good))
        self.assertGreater(len(at_edges), 2)
        self.assertGreater(max(at_edges), 100)
        # What it is for: the rails alone judge in chunks, and show the beginning of a passage that goes over the edge of one.
        self.assertIn("I will find you", "".join(shown_by_rails))
        small = qwen3guard.Guard.embedded("nano-stream", n_threads=1, max_context_tokens=64)
        with self.assertRaises(qwen3guard.ContextFullError):
            work(GOOD * 4, small)
        guard.close()
        with self.assertRaises(qwen3guard.ClosedError):
            work(GOOD)

    def test_the_conversation_is_read(self) -> None:
        self.assertEqual(self.ask(self.rails(GOOD.strip()), SAFE, "By kill.", "Thank you!")["content"], GOOD.strip())
        self.assertEqual(self.ask(self.rails(GOOD), SAFE, "By kill.", BAD)["content"], REFUSAL)
        self.assertEqual(self.model.inference_count, 0)

    def test_thoughts_and_calls_do_not_leave_beside_a_refusal(self) -> None:
        def answer(text: str) -> LLMResponse:
            return LLMResponse(content="Fine.", reasoning=text)

        def call(text: str) -> LLMResponse:
            return LLMResponse(content="", tool_calls=[ToolCall("1", "function", ToolCallFunction("say", {"text": text}))])
        found = self.ask(self.rails(answer("Let me see.")), SAFE)
        self.assertIn("Let me see.", found["content"])
        self.assertEqual(self.ask(self.rails(answer(BAD)), SAFE)["content"], REFUSAL)
        found = self.ask(self.rails(call("Hello"), passthrough=True), SAFE)
        self.assertEqual(found["tool_calls"][0]["function"]["arguments"], {"text": "Hello"})
        found = self.ask(self.rails(call(BAD), passthrough=True), SAFE)
        self.assertEqual(found, {"role": "assistant", "content": REFUSAL})
        for response in (answer(BAD), call(BAD)):
            found = run(self.rails(response, passthrough=True).generate_async(
                messages=[{"role": "user", "content": SAFE}], options={"rails": ["input", "output", "tool_output"]}))
            self.assertFalse(found.reasoning_content or found.tool_calls, found)

    def test_what_cannot_be_judged_is_blocked(self) -> None:
        self.assertEqual((self.ask(self.rails(GOOD), IMAGE)["content"], self.model.inference_count), (REFUSAL, 0))
        self.assertEqual(self.ask(self.rails(GOOD), "word " * 8000)["content"], REFUSAL)
        for settings in ({"model": "./no-such-folder"}, {}, {"model": "nano-gen", "policy": "./no-such-file"}):
            self.assertEqual((self.ask(self.rails(GOOD, settings=settings), SAFE)["content"], self.model.inference_count), (REFUSAL, 0))
            rails = self.rails(GOOD, settings=settings)
            rails.config.rails.input.flows = []
            self.assertEqual(self.streamed(rails, SAFE), ("", "content_blocked"))

    def test_a_policy_decides(self) -> None:
        found = self.ask(self.rails("Let us talk about that.", settings={"model": "nano-gen", "policy": "chat-game"}), UNSAFE)
        self.assertEqual(found["content"], "Let us talk about that.")

    def test_the_configuration_judges_before_it_shows(self) -> None:
        output = self.config.rails.output
        self.assertEqual((output.streaming.stream_first, output.parallel), (False, False))
        # The default would have shown it.
        rails = self.rails(BAD)
        rails.config.rails.output.streaming.stream_first = True
        self.assertIn("kill", self.streamed(rails, SAFE)[0])
