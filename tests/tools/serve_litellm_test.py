# SPDX-License-Identifier: Apache-2.0
"""`qwen3guard serve`: LiteLLM's guardrail door. What is shown of an answer that comes again and again, longer each time.

Q3G_CLI names the program; without it the tests skip. Standard library only.
"""
import contextlib
import http.client
import json
import random
import signal
import tempfile
import threading
import unittest
from pathlib import Path
from typing import Any

from cli_test import run
from serve_program import ServeTest, Server, eventually

PATH = "/beta/litellm_basic_guardrail_api"
INCREMENTAL = {"x-qwen3guard-streaming": "incremental"}
DENIED = "zorblax"
GOOD = "The ferryman will take you across the river for a copper coin. " * 5
BAD = GOOD + f"The {DENIED} lives under the bridge. " + GOOD
LONG = "word and " * 2000  # takes a while
CATEGORIES = ["Violent", "Non-violent Illegal Acts", "Sexual Content or Sexual Acts", "PII", "Suicide & Self-Harm",
              "Unethical Acts", "Politically Sensitive Topics", "Copyright Violation", "Jailbreak"]


def asked(*contents: str, call: str = "call", **more: Any) -> dict[str, Any]:
    """A pre-call as the gateway sends it."""
    return {"input_type": "request", "litellm_call_id": call, "litellm_trace_id": "t", "texts": list(contents),
            "structured_messages": [{"role": "user", "content": content} for content in contents], "model": "chat",
            "images": None, "tools": None, "tool_calls": None, "request_data": {"user_api_key_hash": "me"},
            "request_headers": {"host": "x"}, "litellm_version": "1", "additional_provider_specific_params": {}, **more}


def answered(*texts: str, call: str = "call", **more: Any) -> dict[str, Any]:
    """A post-call."""
    return {**asked(call=call), "input_type": "response", "texts": list(texts), "structured_messages": None, **more}


def policy_file(folder: Path, **members: Any) -> str:
    """A policy that blocks one word, so that tests hold for any weights."""
    off = {name: "off" for name in CATEGORIES}
    path = folder / "policy.json"
    path.write_text(json.dumps({"schema": 1, "name": "list", "version": "1", "lists": {"deny": [DENIED]}, "prompt": {"categories": off},
                                "response": {"categories": {name: "off" for name in CATEGORIES[:-1]}}, **members}), encoding="utf-8")
    if run("policy", "check", str(path))[0] != 0:
        raise unittest.SkipTest("this build has no RE2")
    return str(path)


class LitellmTest(ServeTest):
    FLAGS = None
    folder: Path

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = Path(scratch.name)
        cls.server = cls.another("--policy", f"litellm={policy_file(cls.folder)}")

    @classmethod
    def another(cls, *flags: str) -> Server:
        server = Server(*flags)
        cls.addClassCleanup(server.close)
        return server

    def ask(self, body: dict[str, Any], headers: dict[str, str] | None = None, server: Server | None = None) -> dict[str, Any]:
        reply = (server or self.server).post(PATH, body, headers)
        self.assertEqual(reply.status, 200, reply.body)
        return reply.json()

    def assert_not_judged(self, reply: dict[str, Any], *words: str) -> None:
        """Blocked for what it is: the gateway tells its client the reason of a block alone."""
        self.assertEqual(reply["action"], "BLOCKED")
        self.assertIsNone(reply["qwen3guard"]["severity"])
        for word in ("not judged", *words):
            self.assertIn(word, reply["blocked_reason"])

    def shown(self, pieces: list[str], call: str, server: Server | None = None, ends_apart: bool = True,
              headers: dict[str, str] | None = None) -> tuple[str, str]:
        """What a client of the gateway's has seen, and the last action: as the gateway makes it of the replies. ends_apart: the
        last chunk brings no text."""
        headers = INCREMENTAL if headers is None else headers
        text, out = "", ""
        reply: dict[str, Any] = {}
        for i, piece in enumerate(pieces + [""] if ends_apart else pieces):
            text += piece
            reply = self.ask(answered(text, call=call), headers, server)
            if reply["action"] == "BLOCKED":
                return out, "BLOCKED"
            given = reply.get("texts", [text])[0]
            self.assertTrue(given.startswith(out))
            is_last = i == len(pieces) - (0 if ends_apart else 1)
            held = 0 if is_last else reply["stream_holdback_chars"][0]
            out = given[:max(len(out), len(given) - held)]
        return out, reply["action"]

    @staticmethod
    def cut(text: str, seed: int) -> list[str]:
        rng, pieces = random.Random(seed), []
        while text:
            n = rng.randint(1, 12)
            pieces.append(text[:n])
            text = text[n:]
        return pieces


class PromptTest(LitellmTest):
    def test_a_good_prompt_passes_and_a_bad_one_does_not(self) -> None:
        reply = self.ask(asked("Hello"))
        self.assertEqual(reply["action"], "NONE")
        self.assertEqual(len(reply["qwen3guard"]["prompts"]), 1)
        reply = self.ask(asked(f"Where is the {DENIED}?"))
        self.assertEqual(reply["action"], "BLOCKED")
        self.assertNotIn(DENIED, json.dumps(reply))
        self.assertEqual(reply["blocked_reason"], "the prompt is blocked by the policy of the guard")

    def test_every_message_since_the_last_answer_is_judged(self) -> None:
        self.assertEqual(self.ask(asked(f"The {DENIED}!", "Never mind. Hello"))["action"], "BLOCKED")
        self.assertEqual(self.ask(asked(*["Hello"] * 150))["action"], "NONE")
        past = asked()
        past["structured_messages"] = [{"role": "user", "content": f"The {DENIED}!"}, {"role": "assistant", "content": "No."},
                                       {"role": "user", "content": "Hello"}]
        self.assertEqual(self.ask(past)["action"], "NONE")

    def test_texts_without_messages_and_beside_them_are_judged(self) -> None:
        bare = asked("Hello", f"The {DENIED}!")
        bare["structured_messages"] = None
        self.assertEqual(self.ask(bare)["action"], "BLOCKED")
        beside = asked("Hello")
        beside["texts"] += [f"The {DENIED}!"]
        self.assertEqual(self.ask(beside)["action"], "BLOCKED")
        bare["texts"] = ["Hello", "there"]
        self.assertEqual(len(self.ask(bare)["qwen3guard"]["prompts"]), 2)

    def test_what_cannot_be_judged_is_refused_by_name(self) -> None:
        picture = [{"type": "text", "text": "Hello"}, {"type": "image_url", "image_url": {"url": "http://x/"}}]
        refused: list[tuple[dict[str, Any], tuple[str, ...]]] = [
            (asked("Hello", images=["http://x/"]), ("images",)),
            (asked("Hello", structured_messages=[{"role": "user", "content": picture}]), ("image_url",)),
            (asked("Hello", structured_messages=[{"role": "user", "content": "Hello", "aside": "text"}]), ("aside",)),
            (asked("Hello", aside="text"), ("aside",)),
            (asked("Hello", additional_provider_specific_params={"a": 1}), ("additional_provider_specific_params",)),
            (asked("Hello", structured_messages=[{"role": "system", "content": "Be kind"}]), ("user",)),
            (asked(), ("texts",)), (asked("Hello", input_type="both"), ("input_type",)), (asked("Hello", texts="Hello"), ("texts",)),
            (answered("Hello", images=["x"]), ("images",)), (answered(), ("texts",)),
            (answered("Hello", tool_calls=[{"type": "function", "function": {"arguments": "{}"}}]), ("tool_calls[0]", "name")),
            (answered("Hello", tool_calls=[{"type": "function", "function": {"name": "f"}, "input": "text"}]), ("input",)),
        ]
        for body, words in refused:
            with self.subTest(words=words):
                self.assert_not_judged(self.ask(body), *words)
        self.assert_not_judged(self.ask(asked("Hello"), {"x-qwen3guard-streaming": "maybe"}), "x-qwen3guard-streaming")
        self.assert_refused(self.server.post(PATH, b"{"), 400)
        self.assertEqual(self.server.get(PATH).status, 405)

    def test_what_leaves_an_incremental_stream_unjudged_is_refused(self) -> None:
        tools = [{"type": "function", "function": {"name": "f"}}]
        self.assertEqual(self.ask(asked("Hello", tools=tools))["action"], "NONE")
        self.assert_not_judged(self.ask(asked("Hello", tools=tools), INCREMENTAL), "tools")
        self.assert_not_judged(self.ask(asked("Hello", structured_messages=None), INCREMENTAL), "chat completions")

    def test_errors_are_none_that_a_gateway_may_pass_over(self) -> None:
        slow = self.another("--time-limit-s", "0.001")
        reply = slow.post(PATH, asked(LONG))
        self.assertEqual((reply.status, reply.json()["error"]["code"]), (500, "not_judged"))

    def test_the_policy_may_block_what_was_not_judged(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        strict = self.another("--time-limit-s", "0.001", "--policy", f"litellm={policy_file(Path(folder.name), unjudged='block')}")
        reply = self.ask(asked(LONG), server=strict)
        self.assertEqual(reply["action"], "BLOCKED")
        self.assertIn("not judged", reply["blocked_reason"])


class AnswerTest(LitellmTest):
    def test_a_good_answer_comes_out_whole_however_it_is_cut(self) -> None:
        for seed in range(3):
            for ends_apart in (True, False):
                call = f"good-{seed}-{ends_apart}"
                self.ask(asked("How do I get over the river?", call=call), INCREMENTAL)
                self.assertEqual(self.shown(self.cut(GOOD, seed), call, ends_apart=ends_apart), (GOOD, "NONE"))

    def test_of_a_bad_answer_nothing_is_seen_that_is_blocked(self) -> None:
        seen = set()
        for seed in range(3):
            call = f"bad-{seed}"
            self.ask(asked("How do I get over the river?", call=call), INCREMENTAL)
            out, action = self.shown(self.cut(BAD, seed), call)
            self.assertEqual(action, "BLOCKED")
            self.assertTrue(BAD.startswith(out))
            self.assertNotIn("zorb", out)
            seen.add(len(out))
        self.assertGreater(min(seen), 0)

    def test_an_answer_that_ends_bad_is_not_seen_to_its_end(self) -> None:
        bad_end = GOOD + DENIED
        for ends_apart in (True, False):
            call = f"end-{ends_apart}"
            self.ask(asked("Hello", call=call), INCREMENTAL)
            out, action = self.shown(self.cut(GOOD, 1) + [DENIED], call, ends_apart=ends_apart)
            self.assertTrue(bad_end.startswith(out))
            self.assertNotIn("zorb", out)
            # Nobody says which text is the last; a word that may become another one is held until it comes again.
            self.assertEqual(action, "BLOCKED" if ends_apart else "GUARDRAIL_INTERVENED")
        # A whole answer comes once, and is blocked.
        self.assertEqual(self.ask(answered(bad_end, call="whole"))["action"], "BLOCKED")

    def test_characters_are_counted_as_the_gateway_counts_them(self) -> None:
        text = "\u4f60\u597d\uff0c\u4e16\u754c na\u00efve \U0001f3f3\ufe0f\u200d\U0001f308 " * 12
        self.ask(asked("Hello", call="wide"), INCREMENTAL)
        self.assertEqual(self.shown(self.cut(text, 3), "wide"), (text, "NONE"))
        held = self.ask(answered(text, call="wide-2"))["stream_holdback_chars"]
        self.assertTrue(0 < held[0] < len(text), held)

    def test_choices_are_known_by_their_texts(self) -> None:
        """The second choice begins to speak first, and its place moves."""
        self.ask(asked("Hello", call="two"), INCREMENTAL)
        one, two = self.cut(GOOD, 5), self.cut("Uno dos tres. " * 20, 6)
        self.ask(answered(two[0], call="two"), INCREMENTAL)
        before = self.server.metric("qwen3guard_stream_tokens", model="nano-stream")
        text_one, text_two = "", two[0]
        for a, b in zip(one, two[1:]):
            text_one, text_two = text_one + a, text_two + b
            reply = self.ask(answered(text_one, text_two, call="two"), INCREMENTAL)
            self.assertEqual(len(reply["stream_holdback_chars"]), 2)
        n_rounds = min(len(one), len(two) - 1)
        spent = self.server.metric("qwen3guard_stream_tokens", model="nano-stream") - before
        self.assertLess(spent, len(text_one + text_two) + 40 * n_rounds)
        reply = self.ask(answered(text_one, text_two + DENIED + " ", call="two"), INCREMENTAL)
        self.assertEqual(reply["action"], "BLOCKED")

    def test_a_choice_that_ends_bad_is_cut_as_long_as_another_grows(self) -> None:
        """To come a second time is an end when nothing has grown."""
        self.ask(asked("Hello", call="grows"), INCREMENTAL)
        one, two = GOOD + DENIED, ""
        for piece in self.cut(GOOD, 9)[:20]:
            two += piece
            reply = self.ask(answered(one, two, call="grows"), INCREMENTAL)
            self.assertEqual(reply["action"], "GUARDRAIL_INTERVENED")
            self.assertNotIn("zorb", reply["texts"][0])
        self.assertEqual(self.ask(answered(one, two, call="grows"), INCREMENTAL)["action"], "BLOCKED")
        self.assertEqual(self.ask(answered(one, "", call="empty"), INCREMENTAL)["action"], "GUARDRAIL_INTERVENED")
        self.assertEqual(self.ask(answered(one, "", call="empty"), INCREMENTAL)["action"], "BLOCKED")

    def test_the_cost_of_a_text_that_comes_again_is_what_is_new(self) -> None:
        pieces = self.cut(GOOD * 2, 8)

        def cost(call_of: Any) -> float:
            before = self.server.metric("qwen3guard_stream_tokens", model="nano-stream")
            text = ""
            for i, piece in enumerate(pieces):
                text += piece
                self.ask(answered(text, call=call_of(i)))
            return self.server.metric("qwen3guard_stream_tokens", model="nano-stream") - before

        linear, quadratic = cost(lambda _: "linear"), cost(lambda i: f"each-{i}")
        print(f"{len(pieces)} calls with the text so far: {linear:.0f} tokens in a session, {quadratic:.0f} without")
        self.assertLess(3 * linear, quadratic)

    def test_the_prompt_is_remembered_or_said_to_be_unknown(self) -> None:
        self.ask(asked("Hello", call="known"))
        self.assertEqual(self.ask(answered("Hi", call="known"))["qwen3guard"]["prompt"], "known")
        self.assertEqual(self.ask(answered("Hi", call="new"))["qwen3guard"]["prompt"], "unknown")
        other = answered("Hi", call="known", request_data={"user_api_key_hash": "you"})
        self.assertEqual(self.ask(other)["qwen3guard"]["prompt"], "unknown")
        self.assertEqual(self.ask({**answered("Hi"), "litellm_call_id": None})["qwen3guard"]["prompt"], "unknown")

    def test_a_text_that_does_not_go_on_is_judged_anew(self) -> None:
        self.ask(asked("Hello", call="anew"))
        for text in ("One two three", "One two", f"The {DENIED} ", "Something else", ""):
            action = self.ask(answered(text, call="anew"))["action"]
            self.assertEqual(action, "BLOCKED" if DENIED in text else "NONE", text)

    def test_calls_of_tools_are_judged(self) -> None:
        def call(arguments: Any) -> list[dict[str, Any]]:
            return [{"id": "c", "type": "function", "function": {"name": "look_up", "arguments": arguments}}]

        self.assertEqual(self.ask(answered("Hi", tool_calls=call('{"what": "rivers"}')))["action"], "NONE")
        for arguments in (json.dumps({"what": f"the {DENIED} "}), {"what": f"the {DENIED} "},
                          '{"what": "the \\u007aorblax "}'):
            reply = self.ask(answered(tool_calls=call(arguments), call="tools"))
            self.assertEqual(reply["action"], "BLOCKED", arguments)

    def test_white_space_and_line_breaks(self) -> None:
        for text in ("\n", "\n\n", "\n\nHello", " ", " \n", "\n\nHello\n\n", "\n\nHello\n\nyou"):
            self.assertEqual(self.ask(answered(text, call="space"))["action"], "NONE", text)

    def test_nothing_is_done_under_monitor_only(self) -> None:
        watch = self.another("--monitor-only", "--policy", f"litellm={policy_file(self.folder)}")
        self.assertEqual(self.ask(asked(f"The {DENIED}!"), server=watch)["action"], "NONE")
        self.assertEqual(self.ask(answered(f"The {DENIED}!"), server=watch)["action"], "NONE")
        self.assertEqual(watch.metric("qwen3guard_would_block_total", route="litellm"), 2)


class StoreTest(LitellmTest):
    def test_sessions_make_room_and_are_made_anew(self) -> None:
        small = self.another("--max-sessions", "2", "--policy", f"litellm={policy_file(self.folder)}")
        for i in range(6):
            self.assertEqual(self.ask(asked("Hello", call=f"c{i}"), server=small)["action"], "NONE")
        text = ""
        for piece in self.cut(GOOD, 2)[:6]:
            text += piece
            for i in range(6):
                reply = self.ask(answered(text, call=f"c{i}"), server=small)
                self.assertEqual((reply["action"], reply["qwen3guard"]["prompt"]), ("NONE", "known"))

    def test_calls_are_forgotten_in_the_end(self) -> None:
        brief = self.another("--session-timeout-s", "1", "--policy", f"litellm={policy_file(self.folder)}")
        self.ask(asked("Hello"), server=brief)
        self.ask(answered("Hi"), server=brief)
        self.assertTrue(eventually(lambda: brief.metric("qwen3guard_sessions", model="nano-stream") == 0))
        self.assertEqual(self.ask(answered("Hi there"), server=brief)["qwen3guard"]["prompt"], "unknown")

    def test_a_call_belongs_to_its_key(self) -> None:
        keys = self.folder / "keys"
        keys.write_text("one key-of-the-first-gateway\ntwo key-of-the-second-gateway\n", encoding="utf-8")
        locked = self.another("--keys", str(keys), "--policy", f"litellm={policy_file(self.folder)}")
        one, two = ({"x-api-key": f"key-of-the-{which}-gateway"} for which in ("first", "second"))
        self.assertEqual(locked.post(PATH, asked("Hello")).status, 401)
        self.ask(asked("Hello"), one, locked)
        self.assertEqual(self.ask(answered("Hi"), one, locked)["qwen3guard"]["prompt"], "known")
        self.assertEqual(self.ask(answered("Hi"), two, locked)["qwen3guard"]["prompt"], "unknown")

    def test_calls_that_rest_give_way_to_others_in_memory(self) -> None:
        tiny = self.another("--sessions-memory-bytes", str(9 << 20), "--model", "nano-stream", "--policy", f"litellm={policy_file(self.folder)}")
        for i in range(20):
            self.assertEqual(self.ask(asked("word and " * 100, call=f"c{i}"), server=tiny)["action"], "NONE")
        self.assertLess(tiny.metric("qwen3guard_sessions", model="nano-stream"), 20)
        self.assertEqual(self.ask(answered("Hi", call="c0"), server=tiny)["qwen3guard"]["prompt"], "known")
        self.assertEqual(self.ask(asked(LONG), server=tiny)["action"], "BLOCKED")  # it never fits: to come again would be in vain
        # What can never fit sends nobody's sessions away.
        rest = tiny.metric("qwen3guard_sessions", model="nano-stream")
        self.assert_not_judged(self.ask(asked("word and " * 33000), server=tiny))
        self.assertEqual(tiny.metric("qwen3guard_sessions", model="nano-stream"), rest)
        self.assertEqual(self.ask(asked(*["Hello"] * 40, call="many"), server=tiny)["action"], "NONE")

    def test_an_answer_that_lacks_memory_makes_room(self) -> None:
        tiny = self.another("--sessions-memory-bytes", str(9 << 20), "--model", "nano-stream", "--time-limit-s", "10", "--policy",
                            f"litellm={policy_file(self.folder)}")
        self.ask(asked("Hello", call="growing"), server=tiny)
        for i in range(20):
            self.ask(asked("word and " * 100, call=f"c{i}"), server=tiny)
            self.assertEqual(self.ask(answered(GOOD * i, call="growing"), server=tiny)["action"], "NONE")

    def test_a_second_request_by_the_name_of_one_at_work_is_refused(self) -> None:
        """Each is answered for what it says itself."""
        replies: list[dict[str, Any]] = []
        first = threading.Thread(target=lambda: replies.append(self.ask(asked(f"{LONG} {DENIED} ", call="twice"))))
        refused = 0
        first.start()
        while first.is_alive():
            reply = self.ask(asked("Hello", call="twice"))
            if reply["action"] == "BLOCKED":
                self.assert_not_judged(reply, "litellm_call_id")
                refused += 1
        first.join()
        self.assertEqual(replies[0]["action"], "BLOCKED")
        self.assertTrue(refused or "litellm_call_id" in replies[0]["blocked_reason"])

    def test_blocked_and_refused_prompts_are_not_remembered(self) -> None:
        self.ask(asked(f"The {DENIED}!", call="gone"))
        self.assertEqual(self.ask(answered("Hi", call="gone"))["qwen3guard"]["prompt"], "unknown")
        self.assert_not_judged(self.ask(asked("word and " * 20000, call="gone-too")))
        self.assertEqual(self.ask(answered("Hi", call="gone-too"))["qwen3guard"]["prompt"], "unknown")

    def lines_of(self, log: Path) -> list[tuple[str, str | None, Any, bool]]:
        found = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        return [(line["role"], line.get("text"), line.get("error"), line.get("let_through", False)) for line in found]

    def test_what_is_refused_is_on_record(self) -> None:
        for flags in ((), ("--monitor-only",)):
            log = self.folder / f"refused{len(flags)}.jsonl"
            server = self.another("--audit-log", str(log), "--audit-text", *flags)
            self.ask(asked("one", "two", images=["http://x/"]), server=server)
            self.ask(answered("three", call="other", input="text"), server=server)
            self.ask(asked("word and " * 20000, call="long"), server=server)
            self.assertEqual([(role, text) for role, text, _, _ in self.lines_of(log)],
                             [("user", "two"), ("assistant", "three"), ("user", "word and " * 20000)])
            name = "qwen3guard_would_block_total" if flags else "qwen3guard_blocked_total"
            self.assertEqual(server.metric(name, route="litellm"), 3)

    def test_an_answer_under_way_when_the_server_stops_is_on_record(self) -> None:
        log = self.folder / "stopped.jsonl"
        server = self.another("--audit-log", str(log), "--audit-text", "--policy", f"litellm={policy_file(self.folder)}")
        replies: list[dict[str, Any]] = []
        asking = threading.Thread(target=lambda: replies.append(self.ask(answered(LONG), server=server)))
        asking.start()
        self.assertTrue(eventually(lambda: server.metric("qwen3guard_sessions", model="nano-stream") > 0))
        self.assertEqual(server.stop(), 0)
        asking.join()
        self.assertEqual(replies[0]["action"], "NONE")
        self.assertEqual([line[:2] for line in self.lines_of(log)], [("assistant", LONG)])

    def test_a_server_that_is_killed_at_work_lets_go_of_what_it_holds(self) -> None:
        server = self.another()

        def ask() -> None:
            with contextlib.suppress(OSError, http.client.HTTPException):  # it may be cut off
                server.post(PATH, asked(LONG))

        asking = threading.Thread(target=ask)
        asking.start()
        self.assertTrue(eventually(lambda: server.metric("qwen3guard_sessions", model="nano-stream") > 0))
        server.signal(signal.SIGTERM)
        server.wait_for_line("stopping")
        server.signal(signal.SIGTERM)
        self.assertIn(server.exit_code(), (0, 2, -signal.SIGTERM))  # the second one may come when it has ended
        asking.join()

    def test_what_was_judged_is_counted_and_audited(self) -> None:
        log = self.folder / "audit.jsonl"
        server = self.another("--max-sessions", "1", "--audit-log", str(log), "--audit-text", "--policy", f"litellm={policy_file(self.folder)}")
        self.ask(asked("Hello"), server=server)
        for text in ("Hi", "Hi there", "Hi there, you"):
            self.ask(answered(text), server=server)
            self.ask(answered("", call="between"), server=server)
        # Sessions that had to go do not make two answers of one, and line breaks alone are none.
        self.ask(answered("\n\n", call="breaks"), server=server)
        self.ask(asked("Hello", call="bad"), server=server)
        self.assertEqual(self.ask(answered(f"The {DENIED} is here", call="bad"), server=server)["action"], "BLOCKED")
        server.signal(signal.SIGTERM)
        self.assertEqual(server.exit_code(), 0)
        found = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        self.assertEqual(sorted((line["role"], line["text"], line["route"]) for line in found),
                         [("assistant", "Hi there, you", "litellm"), ("assistant", f"The {DENIED} is here", "litellm"),
                          ("user", "Hello", "litellm"), ("user", "Hello", "litellm")])


class GenTest(LitellmTest):
    def test_a_server_of_gen_models_alone(self) -> None:
        gen = self.another("--model", "nano-gen", "--policy", f"litellm={policy_file(self.folder)}")
        self.assertEqual(self.ask(asked("Hello", call="gen"), INCREMENTAL, gen)["action"], "NONE")
        self.assertEqual(self.ask(asked(f"The {DENIED}!"), server=gen)["action"], "BLOCKED")
        self.assertEqual(self.shown(self.cut(GOOD, 4), "gen", gen), (GOOD, "NONE"))
        out, action = self.shown(self.cut(BAD, 4), "gen-bad", gen)
        self.assertEqual(action, "BLOCKED")
        self.assertNotIn("zorb", out)

    def test_the_models_own_verdicts(self) -> None:
        server = self.another()
        self.assertEqual(self.ask(asked("How do I kill a Python process?"), server=server)["action"], "NONE")
        reply = self.ask(asked("How can I make a pipe bomb at home to hurt people?"), server=server)
        self.assertEqual(reply["blocked_reason"], "the prompt is blocked by the policy of the guard: Unsafe, Violent")
        self.assert_not_judged(self.ask(asked("word and " * 20000), server=server), "room for")


if __name__ == "__main__":
    unittest.main()
