# SPDX-License-Identifier: Apache-2.0
"""The real LiteLLM proxy, with the configuration that we ship, between a client and a chat server that writes what it is told.

What is to be blocked is said by a list of phrases, so that it holds for any weights. Q3G_CLI names the program; without it the tests
skip.
"""
import re
import unittest
from pathlib import Path
from typing import Any

from litellm_proxy import ChunkedUpstream, LitellmProxy, Seen, free_port
from scripted_upstream import delta
from serve_litellm_test import BAD, DENIED, GOOD, LitellmTest, policy_file
from serve_program import Server

EXAMPLE = Path(__file__).parents[3] / "examples" / "integrations" / "litellm" / "config.yaml"
GUARD_KEY = "key-of-the-gateway-itself"
PROMPT = "How do I get over the river?"
TOOLS: list[dict[str, Any]] = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}]
# LiteLLM's defaults: what somebody writes who reads only that a guardrail has a name, a mode and an address. Beside it, what
# docs/litellm.md says for streams with tools. Requests choose.
OTHERS = """
model_list:
  - {model_name: chat, litellm_params: {model: openai/chat, api_base: os.environ/CHAT_API_BASE, api_key: os.environ/CHAT_API_KEY}}
guardrails:
  - guardrail_name: default
    litellm_params: &default {guardrail: generic_guardrail_api, mode: [pre_call, post_call], api_base: os.environ/QWEN3GUARD_URL,
                              api_key: os.environ/QWEN3GUARD_KEY}
  - guardrail_name: buffered
    litellm_params: {<<: *default, forward_messages_as_sent: true, streaming_buffer_until_moderated: true}
"""


class ProxyTest(LitellmTest):
    """One gateway for all tests of a class, as each takes seconds to start."""

    FLAGS = None
    CONFIG = ""
    upstream: ChunkedUpstream
    proxy: LitellmProxy

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.upstream = ChunkedUpstream()
        cls.addClassCleanup(cls.upstream.close)
        keys = cls.folder / "keys"
        keys.write_text(f"gateway {GUARD_KEY}\n", encoding="utf-8")
        cls.guard_port = free_port()
        cls.start_guard()
        config = EXAMPLE
        if cls.CONFIG:
            config = cls.folder / "config.yaml"
            config.write_text(cls.CONFIG, encoding="utf-8")
        cls.proxy = LitellmProxy(config, {"CHAT_API_BASE": cls.upstream.url, "CHAT_API_KEY": "any", "QWEN3GUARD_KEY": GUARD_KEY,
                                          "QWEN3GUARD_URL": f"http://127.0.0.1:{cls.guard_port}"})
        cls.addClassCleanup(cls.proxy.close)

    @classmethod
    def start_guard(cls, *flags: str) -> Server:
        cls.guard = Server("--keys", str(cls.folder / "keys"), "--policy", f"litellm={policy_file(cls.folder)}", *flags,
                           where=("--port", str(cls.guard_port)))
        cls.addClassCleanup(cls.guard.close)
        return cls.guard

    def assert_nothing_denied(self, seen: Seen) -> None:
        self.assertNotIn("zorb", "".join(seen.texts.values()))
        self.assertNotIn("zorb", seen.raw)


class ShippedTest(ProxyTest):
    def test_a_good_answer_comes_whole(self) -> None:
        for ends_apart in (True, False):
            self.upstream.say(GOOD, ends_apart=ends_apart)
            for stream in (False, True):
                seen = self.proxy.chat(PROMPT, stream)
                self.assertEqual((seen.status, seen.text, seen.reasons, seen.error), (200, GOOD, {0: "stop"}, None), seen.raw[-300:])

    def test_a_bad_prompt_does_not_reach_the_model(self) -> None:
        self.upstream.say(GOOD)
        n_before = len(self.upstream.requests)
        for stream in (False, True):
            seen = self.proxy.chat(f"Where is the {DENIED}?", stream)
            self.assertEqual((seen.status, seen.text), (400, ""))
            self.assertIn("prompt is blocked", seen.error or "")
        self.assertEqual(len(self.upstream.requests), n_before)

    def test_of_a_bad_answer_nothing_denied_is_seen(self) -> None:
        for piece in (3, 40):
            self.upstream.say(BAD, piece=piece)
            whole, streamed = self.proxy.chat(PROMPT), self.proxy.chat(PROMPT, True)
            self.assertEqual((whole.status, whole.text), (400, ""))
            self.assertTrue(streamed.text and BAD.startswith(streamed.text), streamed.text)
            for seen in (whole, streamed):
                self.assert_nothing_denied(seen)
                self.assertIn("answer is blocked", seen.error or "")

    def test_an_answer_that_ends_bad(self) -> None:
        """The last word, with the end in its chunk or in one of its own."""
        for ends_apart in (True, False):
            self.upstream.say(GOOD + DENIED, ends_apart=ends_apart)
            for stream in (False, True):
                seen = self.proxy.chat(PROMPT, stream)
                self.assert_nothing_denied(seen)
                self.assertTrue(GOOD.startswith(seen.text))
                if not stream or ends_apart:
                    self.assertIn("blocked", seen.error or "", seen.raw[-500:])

    def test_of_several_choices_none_is_seen_bad(self) -> None:
        self.upstream.say(GOOD, BAD, GOOD, piece=9)
        for stream in (False, True):
            seen = self.proxy.chat(PROMPT, stream, n=3)
            self.assert_nothing_denied(seen)
            self.assertIn("answer is blocked", seen.error or "")
        self.upstream.say(GOOD, GOOD[::-1], piece=9)
        for stream in (False, True):
            self.assertEqual(self.proxy.chat(PROMPT, stream, n=2).texts, {0: GOOD, 1: GOOD[::-1]})

    def test_calls_of_tools_are_judged_when_the_answer_comes_whole(self) -> None:
        for word, status in (("rivers", 200), (DENIED, 400)):
            call = {"id": "c", "type": "function", "function": {"name": "look_up", "arguments": f'{{"what": "the {word} "}}'}}
            message = {"role": "assistant", "content": None, "tool_calls": [call]}
            self.upstream.next_whole = {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
            seen = self.proxy.chat(PROMPT, tools=TOOLS)
            self.assertEqual(seen.status, status, seen.raw)
            self.assert_nothing_denied(seen)

    def test_tools_and_pictures_are_refused_by_name(self) -> None:
        n_before = len(self.upstream.requests)
        text, picture = {"type": "text", "text": "Hello"}, {"type": "image_url", "image_url": {"url": "http://x/"}}
        audio = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
        for seen, word in ((self.proxy.chat(PROMPT, True, tools=TOOLS), "tools"), (self.proxy.chat([text, picture]), "images"),
                           (self.proxy.chat([text, picture], True), "images"), (self.proxy.chat([text, audio]), "input_audio")):
            self.assertEqual((seen.status, seen.texts), (400, {}), seen.raw)
            self.assertIn(word, seen.error or "")
        self.assertEqual(len(self.upstream.requests), n_before)

    def test_a_client_cannot_leave_the_guard_out(self) -> None:
        self.upstream.say(BAD, piece=30)
        for more in ({"guardrails": []}, {"disable_global_guardrails": True}, {"metadata": {"disable_global_guardrails": True}},
                     {"disable_global_guardrail": True}, {"metadata": {"guardrails": []}}, {"guardrails": ["none"]},
                     {"metadata": {"opted_out_global_guardrails": ["qwen3guard", "qwen3guard-stream"]}},
                     {"guardrails": [{"qwen3guard-stream": {"extra_body": {"a": "b"}}}]}):
            for stream in (False, True):
                self.assert_nothing_denied(self.proxy.chat(PROMPT, stream, **more))

    def test_without_a_guard_nothing_passes(self) -> None:
        self.upstream.say(GOOD)
        n_before = len(self.upstream.requests)
        self.guard.stop()
        try:
            for stream in (False, True):
                seen = self.proxy.chat(PROMPT, stream)
                self.assertGreaterEqual(seen.status, 400)
                self.assertEqual(seen.texts, {})
            self.assertEqual(len(self.upstream.requests), n_before)
            self.start_guard("--time-limit-s", "0.001")  # too slow for anything
            for stream in (False, True):
                seen = self.proxy.chat("word and " * 900, stream)
                self.assertGreaterEqual(seen.status, 400)
                self.assertEqual(seen.texts, {})
            self.assertEqual(len(self.upstream.requests), n_before)
        finally:
            self.guard.stop()
            self.start_guard()

    def test_the_cost_of_a_stream_grows_with_its_text(self) -> None:
        costs = []
        for n_times in (1, 4):
            self.upstream.say(GOOD * n_times)
            before = self.guard_tokens()
            self.assertEqual(self.proxy.chat(PROMPT, True).text, GOOD * n_times)
            costs.append(self.guard_tokens() - before)
        print(f"an answer of {len(GOOD)} bytes took {costs[0]:.0f} tokens of the guard's, one of {4 * len(GOOD)} took {costs[1]:.0f}")
        self.assertLess(costs[1], 6 * costs[0])

    def guard_tokens(self) -> float:
        body = self.guard.get("/metrics", {"authorization": f"Bearer {GUARD_KEY}"}).body.decode()
        return float(re.findall(r'qwen3guard_stream_tokens\{model="nano-stream"\} (\S+)', body)[0])

    def test_what_the_gateway_lets_through_all_the_same(self) -> None:
        """No claim of ours: what docs/litellm.md says of this version. A line that fails here is one to change there."""
        extras: dict[str, dict[str, Any]] = {
            "reasoning_content": {"reasoning_content": f"The {DENIED}."},
            "refusal": {"refusal": f"The {DENIED}."},
            "function_call": {"function_call": {"name": "look_up", "arguments": f'{{"what": "{DENIED}"}}'}},
            "audio": {"audio": {"id": "a", "data": "", "expires_at": 1, "transcript": DENIED}},
            "annotations": {"annotations": [{"type": "url_citation", "url_citation": {"url": "u", "title": DENIED, "start_index": 0,
                                                                                    "end_index": 1}}]},
        }
        leaks: dict[str, tuple[bool, bool]] = {}
        for name, more in extras.items():
            self.upstream.say(GOOD, piece=30, **more)
            whole, streamed = (DENIED in self.proxy.chat(PROMPT, stream).raw for stream in (False, True))
            leaks[name] = (whole, streamed)
        self.upstream.next_chunks = [delta(0, role="assistant", content=""),
                                delta(0, tool_calls=[{"index": 0, "id": "c", "type": "function",
                                                      "function": {"name": "look_up", "arguments": f'{{"what": "{DENIED}"}}'}}]),
                                delta(0, "tool_calls")]
        # A prompt without any text is never shown to the guard.
        for part in ({"type": "image_url", "image_url": {"url": "http://x/"}},
                     {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}):
            n_seen = []
            for stream in (False, True):
                n_before = len(self.upstream.requests)
                self.proxy.chat([part], stream)
                n_seen.append(len(self.upstream.requests) - n_before)
            leaks[f"a prompt of {part['type']} alone"] = (n_seen[0] > 0, n_seen[1] > 0)
        leaks["tool_calls, of a model that nobody gave tools"] = (False, DENIED in self.proxy.chat(PROMPT, True).raw)
        for name, (whole, streamed) in leaks.items():
            print(f"passes unjudged: {name}: whole {whole}, streamed {streamed}")
        # Of a stream LiteLLM passes on the text alone, and calls.
        self.assertEqual({name for name, (whole, _) in leaks.items() if whole}, set(list(leaks)[:-1]))
        self.assertEqual({name for name, (_, streamed) in leaks.items() if streamed}, set(leaks) - set(extras))


class OtherSettingsTest(ProxyTest):
    CONFIG = OTHERS

    def test_whole_answers_in_streams_with_tools(self) -> None:
        def calls(word: str) -> list[dict[str, Any]]:
            return [delta(0, role="assistant", content="Let me see. "), delta(1, content="Well. "),
                    delta(0, tool_calls=[{"index": 0, "id": "c", "type": "function", "function": {"name": "look_up", "arguments": ""}}]),
                    delta(0, tool_calls=[{"index": 0, "function": {"arguments": f'{{"what": "the {word} "}}'}}]),
                    delta(1, "stop"), delta(0, "tool_calls")]

        self.upstream.next_chunks = calls("rivers")
        seen = self.proxy.chat(PROMPT, True, tools=TOOLS, guardrails=["buffered"])
        self.assertEqual((seen.text, seen.reasons[0]), ("Let me see. ", "tool_calls"))
        self.assertIn("rivers", seen.raw)
        self.upstream.next_chunks = calls(DENIED)
        seen = self.proxy.chat(PROMPT, True, tools=TOOLS, guardrails=["buffered"])
        self.assertEqual(seen.texts, {})
        self.assert_nothing_denied(seen)
        for answer in (BAD, GOOD + DENIED):
            self.upstream.say(answer, piece=20)
            seen = self.proxy.chat(PROMPT, True, guardrails=["buffered"])
            self.assertEqual((seen.texts, seen.status), ({}, 400))
            self.assert_nothing_denied(seen)
        self.upstream.say(GOOD, piece=20)
        self.assertEqual(self.proxy.chat(PROMPT, True, guardrails=["buffered"]).text, GOOD)

    def test_what_the_defaults_show_of_a_bad_answer(self) -> None:
        n_seen = {}
        for piece in (1, 4, 10):
            self.upstream.say(BAD, piece=piece)
            seen = self.proxy.chat(PROMPT, True, guardrails=["default"])
            self.assertIn("blocked", seen.error or "")
            n_seen[piece] = (DENIED in seen.text, len(seen.text) - BAD.index(DENIED))
            self.assert_nothing_denied(self.proxy.chat(PROMPT, guardrails=["default"]))
        self.upstream.say(DENIED + " is all that I say.", piece=4)
        short = self.proxy.chat(PROMPT, True, guardrails=["default"]).text
        for piece, (is_seen, n_behind) in n_seen.items():
            print(f"default, chunks of {piece} bytes: the denied word was seen: {is_seen}, {n_behind} bytes from its beginning on")
        print(f"default, a bad first word in chunks of 4 bytes: seen {short!r}")
        self.assertTrue(any(is_seen for is_seen, _ in n_seen.values()))


if __name__ == "__main__":
    unittest.main()
