# SPDX-License-Identifier: Apache-2.0
"""OpenAI's client for Python, and a chat server behind `qwen3guard serve --upstream`."""
import unittest
from typing import Any

import openai

from client_servers import BAD_ANSWER, DENIED, GOOD_ANSWER, ClientTest
from openai_python_test import client_of

ASKED: Any = [{"role": "user", "content": "How do I get over the river?"}]


class ProxyPythonTest(ClientTest):
    FLAGS = None

    @classmethod
    def setUpClass(cls) -> None:
        cls.good, cls.good_upstream = cls.in_front_of(GOOD_ANSWER)
        cls.bad, cls.bad_upstream = cls.in_front_of(BAD_ANSWER)

    def plain(self, client: openai.OpenAI, messages: Any = ASKED) -> Any:
        return client.chat.completions.create(model="big-chat", messages=messages)

    def streamed(self, client: openai.OpenAI, messages: Any = ASKED) -> tuple[str, str | None, Any]:
        content, reason, usage = "", None, None
        for chunk in client.chat.completions.create(model="big-chat", messages=messages, stream=True,
                                                    stream_options={"include_usage": True}):
            usage = chunk.usage or usage
            for choice in chunk.choices:
                content += choice.delta.content or ""
                reason = choice.finish_reason or reason
        return content, reason, usage

    def test_a_good_answer_comes_through(self) -> None:
        with client_of(self.good, api_key="upstreams-own-key") as client:
            answer = self.plain(client)
            self.assertEqual((answer.choices[0].message.content, answer.choices[0].finish_reason), (GOOD_ANSWER, "stop"))
            self.assertEqual((answer.model, answer.usage.total_tokens), ("big-chat", 12))
            content, reason, usage = self.streamed(client)
            self.assertEqual((content, reason, usage.total_tokens), (GOOD_ANSWER, "stop", 12))
        self.assertEqual(self.good_upstream.requests[-1]["messages"], ASKED)
        self.assertEqual(self.good_upstream.keys[-1], "Bearer upstreams-own-key")

    def test_a_bad_answer_is_cut(self) -> None:
        with client_of(self.bad) as client:
            answer = self.plain(client).choices[0]
            content, reason, _ = self.streamed(client)
        self.assertEqual((answer.finish_reason, reason), ("content_filter", "content_filter"))
        self.assertEqual(answer.message.content, content)
        self.assertTrue(BAD_ANSWER.startswith(content))
        self.assertNotIn(DENIED, content)

    def test_a_bad_prompt_is_not_passed_on(self) -> None:
        n = len(self.good_upstream.requests)
        asked = [{"role": "user", "content": f"Where does the {DENIED} live?"}]
        with client_of(self.good) as client:
            self.assertEqual(self.plain(client, asked).choices[0].finish_reason, "content_filter")
            self.assertEqual(self.streamed(client, asked)[:2], ("", "content_filter"))
        self.assertEqual(len(self.good_upstream.requests), n)

    def test_an_error_of_the_upstream_is_the_clients_own(self) -> None:
        with client_of(self.good) as client, self.assertRaises(openai.NotFoundError) as caught:
            client.chat.completions.create(model="no-such-model", messages=ASKED)
        self.assertTrue(caught.exception.request_id)

    def test_moderations_are_there_beside_it(self) -> None:
        with client_of(self.good) as client:
            self.assertFalse(client.moderations.create(input="Hello").results[0].flagged)
            self.assertIn("nano-gen", [model.id for model in client.models.list()])


if __name__ == "__main__":
    unittest.main()
