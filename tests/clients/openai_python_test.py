# SPDX-License-Identifier: Apache-2.0
"""OpenAI's client for Python against `qwen3guard serve`, which only its base_url points to."""
import asyncio
import json
import unittest
from typing import Any

import openai

from client_servers import HARMFUL, HARMLESS, KEY, LONG_TEXTS, ClientTest
from serve_program import Server, eventually


def client_of(server: Server, **more: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.address}/v1", **{"api_key": "none", "max_retries": 0, **more})


class OpenAiPythonTest(ClientTest):
    client: openai.OpenAI

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.client = client_of(cls.server)
        cls.addClassCleanup(cls.client.close)

    def test_moderations(self) -> None:
        answer = self.client.moderations.create(input=HARMFUL)
        self.assertEqual(answer.model, "nano-gen")
        (result,) = answer.results
        self.assertTrue(result.flagged)
        self.assertTrue(result.categories.violence)
        self.assertTrue(result.categories.illicit_violent)
        self.assertFalse(result.categories.sexual_minors)
        self.assertGreater(result.category_scores.violence, 0.5)
        self.assertEqual(result.category_applied_input_types.violence, ["text"])
        self.assertEqual(result.model_extra["qwen3guard"]["severity"], "Unsafe")
        # Every member is one that the client knows, and none that it knows is missing.
        for part in (result.categories, result.category_scores, result.category_applied_input_types):
            names = {field.alias or name for name, field in type(part).model_fields.items()}
            self.assertEqual(set(part.to_dict()), names)

    def test_moderations_of_an_array(self) -> None:
        answer = self.client.moderations.create(input=[HARMLESS, HARMFUL, HARMLESS], model="omni-moderation-latest")
        self.assertEqual([result.flagged for result in answer.results], [False, True, False])
        answer = self.client.moderations.create(input=[{"type": "text", "text": HARMFUL}])
        self.assertEqual([result.flagged for result in answer.results], [True])

    def test_an_answer_in_its_conversation(self) -> None:
        answer = self.client.moderations.create(input="No, I can't help with that.",
                                                extra_body={"role": "assistant", "prompt": HARMFUL})
        self.assertIs(answer.results[0].model_extra["qwen3guard"]["refusal"]["value"], True)

    def test_chat(self) -> None:
        answer = self.client.chat.completions.create(model="nano-gen", messages=[{"role": "user", "content": HARMFUL}],
                                                     logprobs=True, top_logprobs=3)
        choice = answer.choices[0]
        self.assertEqual((choice.message.content, choice.finish_reason), ("Safety: Unsafe\nCategories: Violent", "stop"))
        self.assertEqual("".join(token.token for token in choice.logprobs.content), choice.message.content)
        self.assertEqual(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens)
        self.assertTrue(answer._request_id)

    def test_streamed_chat(self) -> None:
        messages = [{"role": "user", "content": HARMFUL}, {"role": "assistant", "content": "No, I can't help with that."}]
        plain = self.client.chat.completions.create(model="nano-gen", messages=messages)
        with self.client.chat.completions.create(model="nano-gen", messages=messages, stream=True,
                                                 stream_options={"include_usage": True}) as stream:
            chunks = list(stream)
        content = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        self.assertEqual(content, plain.choices[0].message.content)
        self.assertIn("\nRefusal: Yes", content)
        self.assertEqual(chunks[-1].usage.total_tokens, plain.usage.total_tokens)
        with self.client.chat.completions.stream(model="nano-gen", messages=messages) as stream:
            self.assertEqual(stream.get_final_completion().choices[0].message.content, content)

    def test_models(self) -> None:
        self.assertEqual([model.id for model in self.client.models.list()], ["nano-gen", "nano-stream"])

    def test_errors_are_the_clients_own(self) -> None:
        hello: Any = [{"role": "user", "content": "Hello"}]
        with self.assertRaises(openai.BadRequestError) as caught:
            self.client.moderations.create(input=[{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}])
        self.assertEqual((caught.exception.param, caught.exception.type), ("input[0]", "invalid_request_error"))
        self.assertIn("image_url", caught.exception.message)
        with self.assertRaises(openai.BadRequestError) as caught:
            self.client.moderations.create(input="word and " * 6000)
        self.assertEqual(caught.exception.code, "context_length_exceeded")
        with self.assertRaises(openai.NotFoundError) as caught:
            self.client.chat.completions.create(model="gpt-4o", messages=hello)
        self.assertEqual(caught.exception.code, "model_not_found")
        with self.assertRaises(openai.NotFoundError):
            self.client.embeddings.create(model="nano-gen", input="x", encoding_format="float")
        keyed = self.with_key()
        with client_of(keyed, api_key="wrong") as client, self.assertRaises(openai.AuthenticationError) as caught:
            client.models.list()
        self.assertEqual(caught.exception.code, "invalid_api_key")
        self.assertTrue(caught.exception.request_id)
        with client_of(keyed, api_key=KEY) as client:
            self.assertEqual([model.id for model in client.models.list()], ["nano-gen"])
        with client_of(self.too_busy()) as client, self.assertRaises(openai.RateLimitError) as caught:
            for _ in range(2):  # there is room for one stream
                client.post("/stream", cast_to=object, body={})
        self.assertGreaterEqual(int(caught.exception.response.headers["retry-after"]), 1)

    def test_a_client_that_does_not_wait(self) -> None:
        with self.assertRaises(openai.APITimeoutError):
            self.client.moderations.create(input=LONG_TEXTS, timeout=0.05)
        # What nobody waits for is not judged to its end.
        self.assertTrue(eventually(lambda: self.server.metric("qwen3guard_waiting", model="nano-gen") == 0))
        self.assertFalse(self.client.moderations.create(input=HARMLESS).results[0].flagged)
        self.assertGreater(self.server.metric("qwen3guard_unjudged_total", route="moderations", reason="cancelled"), 0)

    def test_many_at_the_same_time(self) -> None:
        async def ask() -> list[bool]:
            async with openai.AsyncOpenAI(base_url=f"{self.url}/v1", api_key="none", max_retries=0) as client:
                answers = await asyncio.gather(*(client.moderations.create(input=HARMFUL if i % 3 == 0 else HARMLESS) for i in range(60)))
                return [answer.results[0].flagged for answer in answers]
        self.assertEqual(asyncio.run(ask()), [i % 3 == 0 for i in range(60)])

    def test_the_raw_body_is_what_the_client_read(self) -> None:
        raw = self.client.moderations.with_raw_response.create(input=HARMLESS)
        self.assertEqual(json.loads(raw.text)["id"], raw.parse().id)


if __name__ == "__main__":
    unittest.main()
