# SPDX-License-Identifier: Apache-2.0
"""`qwen3guard serve --upstream`: a scripted chat server behind it, good and bad, and what a client sees of it.

Q3G_CLI names the program; without it the tests skip. Standard library only. Most tests judge by a deny list with
the model's categories off, so that they hold for any weights.
"""
import http.client
import json
import os
import random
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest
from typing import Any, Callable

from serve_program import Server

CLI = os.environ.get("Q3G_CLI")
PATIENCE_S = 60.0  # only a program that hangs takes as long
BAD = "zorblax"
CATEGORIES = ["Violent", "Non-violent Illegal Acts", "Sexual Content or Sexual Acts", "PII", "Suicide & Self-Harm",
              "Unethical Acts", "Politically Sensitive Topics", "Copyright Violation", "Jailbreak"]
OFF = {"categories": {name: "off" for name in CATEGORIES}}
POLICY = {"schema": 1, "name": "list", "version": "1", "prompt": OFF,
          "response": {"categories": {name: "off" for name in CATEGORIES[:-1]}}, "lists": {"deny": [BAD]}}
STRICT = {**POLICY, "name": "strict-list", "unjudged": "block"}
ASK = [{"role": "user", "content": "How do I get over the river?"}]
STORY = "The bridge fell last winter, but the ferryman will take you across for a copper coin. " * 3



def can_serve() -> bool:
    """The program is there, and was built with the server."""
    return bool(CLI and os.path.exists(CLI)) and subprocess.run([CLI, "serve", "--help"], capture_output=True).returncode == 0


Send = Callable[[bytes], None]
Script = Callable[[Send, dict[str, Any]], None]


def chunk(delta: dict[str, Any], reason: str | None = None, index: int = 0, **more: Any) -> bytes:
    """An event of a streamed answer."""
    body = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 17, "model": "big-chat",
            "system_fingerprint": "fp_1", "choices": [{"index": index, "delta": delta, "finish_reason": reason}], **more}
    return b"data: " + json.dumps(body, ensure_ascii=False).encode() + b"\n\n"


USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7, "prompt_tokens_details": {"cached_tokens": 1}}
END = chunk({}, "stop")
DONE = b"data: [DONE]\n\n"
SSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"


def stream(*events: bytes, end: bytes = END + DONE) -> Script:
    return lambda send, _: send(SSE + b"".join(events) + end)


def streamed_text(text: str, cuts: list[int], **more: Any) -> list[bytes]:
    ends = [*sorted(cuts), len(text)]
    return [chunk({"content": text[begin:end]}, **more) for begin, end in zip([0, *ends], ends)]


def reply(status: int, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Status", f"content-length: {len(body)}", "content-type: application/json", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def completion(message: dict[str, Any], reason: str = "stop", **more: Any) -> bytes:
    body = {"id": "chatcmpl-2", "object": "chat.completion", "created": 18, "model": "big-chat", "usage": USAGE,
            "choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}], **more}
    return reply(200, json.dumps(body).encode())


class Upstream:
    """A chat server that does what its script says, for each request."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.script: Script = stream()
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.n_connections = 0
        self.closed = threading.Event()  # the proxy closed a connection while a script wrote
        self.tls = tls
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.n_connections += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection: socket.socket) -> None:
        try:
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            while self.answer(connection):
                pass
        except (OSError, ValueError):
            self.closed.set()
        finally:
            connection.close()

    def answer(self, connection: socket.socket) -> bool:
        """One request; false when the connection is to be closed."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece:
                return False
            data += piece
        head, body = data.split(b"\r\n\r\n", 1)
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
        while len(body) < int(headers.get("content-length", 0)):
            body += connection.recv(65536)
        self.requests.append((first, headers, body))
        sent: list[bytes] = []

        def send(piece: bytes) -> None:
            sent.append(piece)
            connection.sendall(piece)

        self.script(send, json.loads(body) if body else {})
        return b"content-length" in b"".join(sent)[:400]


class Guarded:
    """The program in front of an upstream."""

    def __init__(self, upstream: Upstream | None, *flags: str, policy: dict[str, Any] | None = POLICY,
                 url: str = "") -> None:
        self.folder = tempfile.mkdtemp()
        self.audit = os.path.join(self.folder, "audit.jsonl")
        if policy is not None:
            path = os.path.join(self.folder, "policy.json")
            with open(path, "w", encoding="utf-8") as file:
                json.dump(policy, file)
            flags = ("--policy", f"upstream={path}", *flags)
        if upstream is not None:
            url = f"http://127.0.0.1:{upstream.port}/v1"
        self.program = Server("--upstream", url, "--audit-log", self.audit, "--audit-text", *flags)
        self.port = self.program.port

    def close(self) -> None:
        try:
            self.program.stop()
        finally:
            self.program.close()
            shutil.rmtree(self.folder)

    def request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def chat(self, messages: list[Any] | None = None, **more: Any) -> tuple[int, dict[str, str], bytes]:
        body = {"model": "big-chat", "messages": ASK if messages is None else messages, **more}
        return self.request("POST", "/v1/chat/completions", json.dumps(body).encode(), content_type="application/json")

    def metric(self, name: str, **labels: str) -> float:
        total = 0.0
        for line in self.request("GET", "/metrics")[2].decode().splitlines():
            if line.startswith((name + "{", name + " ")) and all(f'{k}="{v}"' in line for k, v in labels.items()):
                total += float(line.rsplit(" ", 1)[1])
        return total

    def audited(self) -> list[dict[str, Any]]:
        with open(self.audit, encoding="utf-8") as file:
            return [json.loads(line) for line in file]


def events(body: bytes) -> list[Any]:
    parts = [part for part in body.decode().split("\n\n") if part]
    assert all(part.startswith("data: ") for part in parts), body
    return [part[6:] if part == "data: [DONE]" else json.loads(part[6:]) for part in parts]


class Seen:
    """A streamed answer as a client puts it together."""

    def __init__(self, body: bytes) -> None:
        self.events = events(body)
        self.is_done = bool(self.events) and self.events[-1] == "[DONE]"
        self.texts: dict[tuple[int, str], str] = {}
        self.calls: dict[tuple[int, int], dict[str, str]] = {}
        self.last: dict[int, dict[str, Any]] = {}
        self.usage = self.error = None
        self.order: list[str] = []
        for event in self.events[: -1 if self.is_done else None]:
            self.error = event.get("error", self.error)
            self.usage = event.get("usage", self.usage)
            for choice in event.get("choices", []):
                self.add(choice)

    def add(self, choice: dict[str, Any]) -> None:
        index = choice["index"]
        assert index not in self.last, "text behind the end of a choice"
        for key, value in choice["delta"].items():
            if key == "tool_calls":
                for call in value:
                    known = self.calls.setdefault((index, call["index"]), {"name": "", "arguments": ""})
                    known["id"] = call.get("id", known.get("id"))
                    for part in ("name", "arguments"):
                        known[part] += call["function"].get(part, "")
            elif key != "role":
                self.texts[index, key] = self.texts.get((index, key), "") + value
                self.order.append(key)
        if choice["finish_reason"]:
            self.last[index] = choice

    def text(self, index: int = 0, key: str = "content") -> str:
        return self.texts.get((index, key), "")

    def reason(self, index: int = 0) -> str | None:
        return self.last[index]["finish_reason"] if index in self.last else None


@unittest.skipUnless(can_serve(), "Q3G_CLI names no program with a server")
class ProxyTest(unittest.TestCase):
    flags: tuple[str, ...] = ("--hold-back-tokens", "8", "--upstream-stall-timeout-s", "1.5")
    policy: dict[str, Any] | None = POLICY

    @classmethod
    def setUpClass(cls) -> None:
        cls.upstream = Upstream()
        cls.server = Guarded(cls.upstream, *cls.flags, policy=cls.policy)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.server.close()
        cls.upstream.socket.close()

    def setUp(self) -> None:
        self.upstream.requests.clear()
        self.upstream.closed.clear()

    def ask(self, script: Script, messages: list[Any] | None = None, **more: Any) -> Seen:
        self.upstream.script = script
        status, headers, body = self.server.chat(messages, stream=True, **more)
        self.assertEqual(status, 200, body)
        self.assertIn("text/event-stream", headers["content-type"])
        self.assertNotIn(BAD, body.decode())
        return Seen(body)

    def ask_plain(self, answer: bytes, messages: list[Any] | None = None, **more: Any) -> tuple[int, Any]:
        self.upstream.script = lambda send, _: send(answer)
        status, headers, body = self.server.chat(messages, **more)
        self.assertNotIn(BAD, body.decode())
        self.assertTrue(headers["x-request-id"])
        return status, json.loads(body)

    def assert_error(self, body: bytes, kind: str) -> dict[str, Any]:
        error = json.loads(body)["error"]
        self.assertEqual(list(error), ["message", "type", "param", "code"])
        self.assertEqual(error["type"], kind, error)
        return error


class AnswerTest(ProxyTest):
    def test_a_good_answer_comes_out_as_it_is(self) -> None:
        text = STORY + "\u00e9\u4e2d\U0001f600 \u202e <|im_end|> \\u0041 \"'\n\t\u0000\u2028" + STORY
        seen = self.ask(stream(chunk({"role": "assistant", "content": ""}), *streamed_text(text, [5, 6, 90, 262, 263, 264])))
        self.assertEqual(seen.text(), text)
        self.assertEqual((seen.reason(), seen.is_done, seen.error), ("stop", True, None))
        self.assertNotIn("qwen3guard", seen.last[0])
        for event in seen.events[:-1]:
            self.assertEqual([event[k] for k in ("id", "object", "created", "model", "system_fingerprint")],
                             ["chatcmpl-1", "chat.completion.chunk", 17, "big-chat", "fp_1"])
        status, body = self.ask_plain(completion({"content": text, "reasoning_content": "Hm."}, "length"))
        self.assertEqual(status, 200)
        self.assertEqual({k: body[k] for k in ("id", "object", "created", "model", "usage")},
                         {"id": "chatcmpl-2", "object": "chat.completion", "created": 18, "model": "big-chat", "usage": USAGE})
        self.assertEqual(body["choices"], [{
            "index": 0, "logprobs": None, "finish_reason": "length",
            "message": {"role": "assistant", "reasoning_content": "Hm.", "content": text, "refusal": None}}])

    def test_the_request_is_passed_on_as_it_came(self) -> None:
        self.upstream.script = lambda send, _: send(completion({"content": "Yes."}))
        body = b' {"model":"big-chat", "temperature":0.70, "messages":[{"role":"user","content":"H\\u0065y"}] }\n'
        status, headers, _ = self.server.request("POST", "/v1/chat/completions?x=1", body, authorization="Bearer of-mine",
                                                 x_request_id="mine-1", accept_encoding="gzip", x_secret="no",
                                                 cookie="no")
        self.assertEqual((status, headers["x-request-id"]), (200, "mine-1"))
        ((first, given, passed),) = self.upstream.requests
        self.assertEqual(first, "POST /v1/chat/completions HTTP/1.1")
        self.assertEqual(passed, body)
        self.assertEqual((given["accept-encoding"], given["x-request-id"], given["authorization"], given["host"]),
                         ("identity", "mine-1", "Bearer of-mine", f"127.0.0.1:{self.upstream.port}"))
        self.assertFalse({"x-secret", "cookie"} & set(given))

    def test_what_is_blocked_never_leaves(self) -> None:
        text = STORY + f"The {BAD} is under the bridge. " + STORY
        seen = self.ask(stream(*streamed_text(text, list(range(3, len(text), 3)))))
        self.assertTrue(STORY.startswith(seen.text()))
        self.assertGreater(len(seen.text()), len(STORY) / 2)
        last = seen.last[0]
        self.assertEqual((last["finish_reason"], seen.is_done), ("content_filter", True))
        self.assertEqual((last["qwen3guard"]["where"], last["qwen3guard"]["ruling"]["rule"]), ("content", "deny_list"))
        status, body = self.ask_plain(completion({"content": text, "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}))
        choice = body["choices"][0]
        self.assertEqual((status, choice["finish_reason"]), (200, "content_filter"))
        self.assertEqual(choice["message"]["content"], seen.text())
        self.assertNotIn("tool_calls", choice["message"])

    def test_nothing_blocked_leaves_however_text_is_cut(self) -> None:
        rng = random.Random(7)
        for text in (STORY + BAD + " " + STORY, "\u4e2d\u00e9 " * 30 + BAD + ".", BAD, STORY[:40] + " " + BAD):
            for _ in range(12):
                cuts = sorted(rng.sample(range(1, len(text)), rng.randrange(0, min(len(text) - 1, 60))))
                raw = b"".join(streamed_text(text, cuts)) + END + DONE
                places = sorted(rng.sample(range(1, len(raw)), 5))
                pieces = [raw[a:b] for a, b in zip([0, *places], [*places, len(raw)])]

                def script(send: Send, _: Any, pieces: list[bytes] = pieces) -> None:
                    send(SSE)
                    for piece in pieces:
                        send(piece)
                        if rng.random() < 0.3:
                            time.sleep(0.002)

                seen = self.ask(script)
                self.assertEqual(seen.reason(), "content_filter")
                self.assertTrue(text[:text.index(BAD)].startswith(seen.text()), seen.text())

    def test_a_blocked_prompt_never_reaches_the_upstream(self) -> None:
        self.upstream.script = stream()
        asked = [{"role": "user", "content": f"Where is the {BAD}?"}]
        seen = Seen(self.server.chat(asked, stream=True, n=2)[2])
        self.assertEqual((seen.reason(0), seen.reason(1), seen.is_done), ("content_filter", "content_filter", True))
        self.assertEqual(seen.last[0]["qwen3guard"]["where"], "prompt")
        status, _, body = self.server.chat(asked)
        self.assertEqual(status, 200)
        body = json.loads(body)
        self.assertEqual(body["model"], "big-chat")
        self.assertEqual(body["choices"][0]["finish_reason"], "content_filter")
        self.assertIsNone(body["choices"][0]["message"]["content"])
        self.assertEqual(self.upstream.requests, [])

    def test_a_harmless_message_hides_none_in_front_of_it(self) -> None:
        self.upstream.script = stream(chunk({"content": "Hm."}))
        bad, good = {"role": "user", "content": f"Where is the {BAD}?"}, {"role": "user", "content": "Thanks!"}
        system, answer = {"role": "system", "content": "Be kind."}, {"role": "assistant", "content": "There."}
        for asked in ([bad, good], [system, bad, system, good], [good, bad, good, good], [good, answer, bad, good]):
            status, _, body = self.server.chat(asked)
            self.assertEqual((status, json.loads(body)["choices"][0]["finish_reason"]), (200, "content_filter"), asked)
        self.assertEqual(self.upstream.requests, [])
        self.assertTrue(Seen(self.server.chat([good, system, good], stream=True)[2]).is_done)
        self.assertEqual(len(self.upstream.requests), 1)

    def test_an_error_of_the_upstream_repeats_nothing_of_it(self) -> None:
        self.upstream.script = lambda send, _: send(reply(400, json.dumps({"error": {"message": f"Go to the {BAD}."}}).encode()))
        status, _, body = self.server.chat(ASK)
        self.assertEqual(status, 400)
        self.assertNotIn(BAD.encode(), body)

    def test_choices_are_judged_by_themselves(self) -> None:
        text = STORY + BAD + " " + STORY
        pieces = []
        for begin in range(0, len(text), 9):
            pieces.append(chunk({"content": text[begin:begin + 9]}, index=1))
            pieces.append(chunk({"content": text[begin:begin + 9].replace(BAD[0], "s")}, index=0))
        seen = self.ask(stream(*pieces, chunk({}, "stop", 1), END, chunk({}, usage=USAGE, choices=[]), end=DONE), n=2,
                        stream_options={"include_usage": True})
        self.assertEqual(seen.text(0), text.replace(BAD[0], "s"))
        self.assertTrue(STORY.startswith(seen.text(1)))
        self.assertEqual((seen.reason(0), seen.reason(1)), ("stop", "content_filter"))

    def test_usage_comes_at_the_end_when_it_is_asked_for(self) -> None:
        events_ = [*streamed_text(STORY, [50]), END, chunk({}, choices=[], usage=USAGE)]
        seen = self.ask(stream(*events_, end=DONE), stream_options={"include_usage": True})
        self.assertEqual((seen.events[-2]["choices"], seen.events[-2]["usage"]), ([], USAGE))
        seen = self.ask(stream(*events_, end=DONE))
        self.assertIsNone(seen.usage)


class ChannelTest(ProxyTest):
    def test_reasoning_comes_before_content(self) -> None:
        for key in ("reasoning_content", "reasoning", "refusal"):
            seen = self.ask(stream(chunk({key: STORY[:100]}), chunk({key: STORY[100:]}), *streamed_text(STORY, [9, 80])))
            self.assertEqual((seen.text(key=key), seen.text()), (STORY, STORY))
            self.assertEqual(seen.order, sorted(seen.order, key=[key, "content"].index))
            seen = self.ask(stream(chunk({key: STORY + BAD}), *streamed_text(STORY, [9, 80])))
            self.assertEqual((seen.text(), seen.last[0]["qwen3guard"]["where"]), ("", key))

    def test_text_cannot_hide_between_channels(self) -> None:
        pieces = []
        for part in (STORY, BAD[:3], BAD[3:5], BAD[5:] + " ", STORY):
            pieces += [chunk({"reasoning_content": "so "}), chunk({"content": part})]
        seen = self.ask(stream(*pieces))
        self.assertEqual(seen.reason(), "content_filter")
        self.assertTrue((STORY + BAD[:5]).startswith(seen.text()), seen.text())
        seen = self.ask(stream(*(piece.replace(BAD[:3].encode(), b"dor") for piece in pieces)))
        self.assertEqual((seen.text(), seen.reason()), (STORY + "dorblax " + STORY, "stop"))
        self.assertEqual(seen.text(key="reasoning_content"), "so " * 5)

    def call(self, text: str, index: int = 0, name: str | None = None, **more: Any) -> bytes:
        function = {"arguments": text, **({"name": name} if name else {})}
        return chunk({"tool_calls": [{"index": index, "function": function, "type": "function", **more}]})

    def test_tool_calls(self) -> None:
        arguments = ['{"city": "K\\u00', 'f6ln ', '\u4e2d', '", "days": 3}']
        pieces = [chunk({"content": "Let me see."}), self.call("", 0, "get_weather", id="call_1")]
        pieces += [self.call(part) for part in arguments]
        pieces += [self.call('{"a":', 1, "get.news-2", id="call_2"), self.call("1}", 1), self.call("", 2, "now", id="call 3")]
        seen = self.ask(stream(*pieces, end=chunk({}, "tool_calls") + DONE))
        self.assertEqual(seen.text(), "Let me see.")
        self.assertEqual(seen.calls, {
            (0, 0): {"id": "call_1", "name": "get_weather", "arguments": '{"city": "K\u00f6ln \u4e2d", "days": 3}'},
            (0, 1): {"id": "call_2", "name": "get.news-2", "arguments": '{"a":1}'},
            (0, 2): {"id": None, "name": "now", "arguments": ""}})
        self.assertEqual(seen.reason(), "tool_calls")
        calls = [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"x": "y"}'}}]
        status, body = self.ask_plain(completion({"content": None, "tool_calls": calls}, "tool_calls"))
        self.assertEqual((status, body["choices"][0]["message"]["tool_calls"]), (200, calls))
        status, body = self.ask_plain(completion({"content": None, "function_call": calls[0]["function"]}, "function_call"))
        self.assertEqual((status, body["choices"][0]["message"]["function_call"]), (200, calls[0]["function"]))

    def test_a_character_may_be_cut_between_events(self) -> None:
        raw = chunk({"content": "caf\u00e9 " + STORY})
        place = raw.index(b"\xc3") + 1
        tail = b'"}, "finish_reason": null}]}\n\n'
        head = raw[:raw.index(b"caf")]
        seen = self.ask(stream(raw[:place] + tail, head + raw[place:]))
        self.assertEqual(seen.text(), "caf\u00e9 " + STORY)

    def test_calls_are_blocked_by_name_and_arguments(self) -> None:
        for pieces in ([self.call("", 0, BAD, id="a"), self.call("{}")],
                       [self.call('{"x": "' + STORY, 0, "f", id="a"), self.call(BAD[:2]), self.call(BAD[2:] + '"}')],
                       [self.call('{"x": "', 0, "f"), *(self.call(f"\\u{ord(c):04x}") for c in BAD), self.call('"}')]):
            seen = self.ask(stream(*pieces, end=chunk({}, "tool_calls") + DONE))
            self.assertEqual((seen.reason(), seen.last[0]["qwen3guard"]["where"]), ("content_filter", "tool_calls"))

    def test_calls_that_cannot_be_judged(self) -> None:
        for pieces in ([self.call("{}")], [self.call("{}", 0, "a"), self.call("", 0, "b")],
                       [self.call("{}", 0, "has space")], [self.call("{}", 500, "a")],
                       [chunk({"tool_calls": [{"index": 0, "type": "custom", "custom": {"name": "a", "input": BAD}}]})]):
            self.upstream.script = stream(*pieces)
            status, _, body = self.server.chat(stream=True)
            self.assertNotIn(BAD.encode(), body)
            error = Seen(body).error if status == 200 else json.loads(body)["error"]
            self.assertEqual(error["type"], "upstream_error")

    def test_tools_that_have_spoken(self) -> None:
        call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        messages = [{"role": "system", "content": "Be kind."}, *ASK, {"role": "assistant", "content": None, "tool_calls": [call]},
                    {"role": "tool", "tool_call_id": "c", "content": "Rain. " * 50}]
        seen = self.ask(stream(*streamed_text(STORY, [30])), messages)
        self.assertEqual((seen.text(), seen.reason()), (STORY, "stop"))
        seen = self.ask(stream(*streamed_text(STORY + BAD, [30])), messages)
        self.assertEqual(seen.reason(), "content_filter")
        messages[1] = {"role": "user", "content": BAD}
        self.upstream.requests.clear()
        status, _, body = self.server.chat(messages)
        self.assertEqual(json.loads(body)["choices"][0]["finish_reason"], "content_filter")
        self.assertEqual(self.upstream.requests, [])


class BadUpstreamTest(ProxyTest):
    def outcome(self, script: Script, **more: Any) -> tuple[int, dict[str, Any], str]:
        """The status and the error of a chat, and the text that was shown before it."""
        self.upstream.script = script
        status, _, body = self.server.chat(**more)
        self.assertNotIn(BAD.encode(), body)
        if status != 200:
            error = json.loads(body)["error"]
            self.assertEqual(list(error), ["message", "type", "param", "code"])
            return status, error, ""
        seen = Seen(body)
        self.assertFalse(seen.is_done, body)
        return status, seen.error, seen.text()

    def test_it_dies_anywhere(self) -> None:
        raw = b"".join(streamed_text(STORY, [30, 100])) + END + DONE
        whole = SSE + raw
        chunked = SSE.replace(b"connection: close", b"transfer-encoding: chunked")
        chunked += b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (raw[:200], raw[200:])) + b"0\r\n\r\n"
        rng = random.Random(3)
        done = whole.index(DONE)
        places = [0, 1, 12, len(SSE) - 2, len(SSE), len(SSE) + 1, done, done + 5, done + len(DONE) - 2]
        for cut in places + rng.sample(range(len(SSE), done), 10):
            with self.subTest(cut=cut):
                status, error, text = self.outcome(lambda send, _, cut=cut: send(whole[:cut]), stream=True)
                self.assertEqual((error["type"], status in (200, 502)), ("upstream_error", True))
                self.assertTrue(STORY.startswith(text))
        for cut in rng.sample(range(len(chunked) - len(DONE) - 20), 10):
            status, error, text = self.outcome(lambda send, _, cut=cut: send(chunked[:cut]), stream=True)
            self.assertEqual(error["type"], "upstream_error")
        plain = completion({"content": STORY})
        for cut in [0, 1, 20, *rng.sample(range(len(plain)), 8), len(plain) - 1]:
            def script(send: Send, _: Any, cut: int = cut) -> None:
                send(plain[:cut])
                raise ValueError("the connection closes here")
            status, error, _ = self.outcome(script)
            self.assertEqual((status, error["type"]), (502, "upstream_error"))

    def test_it_stalls(self) -> None:
        stop = threading.Event()
        for begin in (b"", SSE[:30], SSE, SSE + chunk({"content": "The "}), SSE + chunk({"content": STORY}) + b"data: {"):
            def script(send: Send, _: Any, begin: bytes = begin) -> None:
                send(begin)
                stop.wait(PATIENCE_S)
            status, error, _ = self.outcome(script, stream=True)
            self.assertEqual((error["type"], error["code"], status in (200, 504)), ("timeout_error", "upstream_timeout", True))
        stop.set()

    def test_it_sends_nonsense(self) -> None:
        good = chunk({"content": "Yes. "})
        bodies = [b"data: hello " + BAD.encode() + b"\n\n", b"data: {}\n\n", b"data: []\n\n", b'data: {"choices": 3}\n\n',
                  b'data: {"choices": [3]}\n\n', b'data: {"choices": [{"delta": []}]}\n\n',
                  b'data: {"choices": [{"delta": {"content": 5}}]}\n\n',
                  b'data: {"choices": [{"index": 1, "delta": {"content": "x"}}]}\n\n',
                  b'data: {"choices": [{"index": -1, "delta": {"content": "x"}}]}\n\n',
                  b'data: {"choices": [{"delta": {"content": "a", "content": "b"}}]}\n\n',
                  b'data: {"choices": [{"delta": {"content": "\xff\xff"}}]}\n\n',
                  b'data: {"choices": [{"delta": {"content": "\\ud800x"}}]}\n\n',
                  b"data: " + b"x" * (5 << 20) + b"\n\n", b"x" * (5 << 20), END + chunk({"content": "more"}), DONE,
                  good + DONE, b'data: {"error": {"message": "I am \\u001b[2J out"}}\n\n', b"\0" * 1000]
        for begin in (b"", good):
            for body in bodies:
                with self.subTest(body=body[:60], begin=begin[:10]):
                    status, error, _ = self.outcome(stream(begin, body), stream=True)
                    self.assertEqual(error["type"], "upstream_error")
                    self.assertNotIn("\x1b", error["message"])

    def test_it_sends_no_answer(self) -> None:
        for bad in (b"hello\r\n\r\n", b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000 + b"\r\n\r\n", b"HTTP/1.1 204 No\r\n\r\n",
                    b"HTTP/1.1 302 Go\r\nlocation: http://x/\r\ncontent-length: 0\r\n\r\n", reply(200, b"{}"),
                    SSE.replace(b"connection", b"content-encoding: gzip\r\nconnection") + END + DONE,
                    b"HTTP/1.1 100 Continue\r\n\r\n" * 20, b"HTTP/1.1 101 Switch\r\n\r\n", b"\x16\x03\x01" * 50):
            status, error, _ = self.outcome(lambda send, _, bad=bad: send(bad), stream=True)
            self.assertEqual((status, error["type"]), (502, "upstream_error"), bad[:50])
        for bad in (reply(200, b"{}"), reply(200, b'{"choices": []}'), reply(200, b"<html>" + BAD.encode()),
                    completion({"content": [BAD]}), completion({"content": "a"}, choices=[{"message": 3}]),
                    reply(200, b'{"choices":[{"message":{"content":"a"}},{"message":{"content":"b"}}]}')):
            status, error, _ = self.outcome(lambda send, _, bad=bad: send(bad))
            self.assertEqual((status, error["type"]), (502, "upstream_error"), bad[:50])
        early = b"HTTP/1.1 100 Continue\r\n\r\n"
        self.assertEqual(self.ask_plain(early + completion({"content": "Yes."}))[0], 200)

    def test_it_refuses(self) -> None:
        for status, kind in ((400, "invalid_request_error"), (401, "authentication_error"), (404, "invalid_request_error"),
                             (429, "rate_limit_error"), (500, "server_error"), (503, "overloaded_error")):
            body = json.dumps({"error": {"message": "No \u001b[1m " + "x" * 9000, "hidden": BAD}}).encode()
            for more in ({}, {"stream": True}):
                self.upstream.script = lambda send, _, s=status, b=body: send(reply(s, b, "retry-after: 7"))
                got, headers, text = self.server.chat(**more)
                error = self.assert_error(text, kind)
                self.assertEqual((got, headers["retry-after"], error["code"]), (status, "7", "upstream_refused"))
                self.assertLess(len(error["message"]), 600)
                self.assertNotIn("\x1b", error["message"])
        self.upstream.script = lambda send, _: send(reply(500, f"<html>{BAD}".encode(), "retry-after: soon " + BAD))
        status, headers, text = self.server.chat()
        self.assertEqual(self.assert_error(text, "server_error")["message"], "the upstream refuses with the status 500")
        self.assertNotIn("retry-after", headers)

    def test_text_hidden_elsewhere_stays_hidden(self) -> None:
        hidden: dict[str, Any] = {BAD: BAD, "id": "the " + BAD, "model": BAD + " model", "system_fingerprint": BAD + "!",
                                  "object": BAD, "created": 17, "service_tier": BAD, "usage": {
                                      BAD: 1, "total_tokens": 2, "prompt_tokens": BAD, "prompt_tokens_details": {BAD: 1}}}
        choice = {"index": 0, "logprobs": {"content": [{"token": BAD, "logprob": -1}]}, "finish_reason": BAD, BAD: BAD,
                  "message": {"role": BAD, "content": "Yes.", "audio": {"transcript": BAD}, "annotations": [BAD], BAD: BAD,
                              "tool_calls": [{"id": BAD + " x", "index": 0, BAD: BAD, "type": "function",
                                              "function": {"name": "f", "arguments": "{}", BAD: BAD}}]}}
        status, body = self.ask_plain(reply(200, json.dumps({**hidden, "choices": [choice]}).encode(), f"x-{BAD}: {BAD}"))
        self.assertEqual((status, body["choices"][0]["finish_reason"], body["usage"]),
                         (200, "stop", {"total_tokens": 2, "prompt_tokens_details": {}}))
        choice["delta"] = choice.pop("message")
        event = b": " + BAD.encode() + b"\nevent: " + BAD.encode() + b"\ndata: "
        event += json.dumps({**hidden, "choices": [choice]}).encode() + b"\n\n"
        seen = self.ask(stream(event, end=DONE), stream_options={"include_usage": True})
        self.assertEqual((seen.text(), seen.reason()), ("Yes.", "stop"))

    def test_a_client_that_leaves_stops_the_upstream(self) -> None:
        def script(send: Send, _: Any) -> None:
            send(SSE)
            while True:
                send(chunk({"content": "word "}))
                time.sleep(0.005)
        self.upstream.script = script
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE_S)
        connection.request("POST", "/v1/chat/completions", json.dumps({"model": "m", "stream": True, "messages": ASK}))
        answer = connection.getresponse()
        self.assertIn(b"word", answer.read(600))
        answer.close()
        connection.close()
        self.assertTrue(self.upstream.closed.wait(PATIENCE_S))
        end = time.monotonic() + PATIENCE_S
        while self.server.metric("qwen3guard_sessions") and time.monotonic() < end:
            time.sleep(0.02)
        self.assertEqual(self.server.metric("qwen3guard_sessions"), 0)

    def test_a_block_stops_the_upstream(self) -> None:
        def script(send: Send, _: Any) -> None:
            send(SSE + chunk({"content": BAD + " and "}))
            while True:
                send(chunk({"content": "more "}))
                time.sleep(0.005)
        self.assertEqual(self.ask(script).reason(), "content_filter")
        self.assertTrue(self.upstream.closed.wait(PATIENCE_S))


class RequestTest(ProxyTest):
    def refused(self, body: Any) -> dict[str, Any]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        status, _, answer = self.server.request("POST", "/v1/chat/completions", data)
        self.assertEqual((status, self.upstream.requests), (400, []), answer)
        return self.assert_error(answer, "invalid_request_error")

    def test_what_cannot_be_judged_is_refused(self) -> None:
        good = {"model": "big-chat", "messages": ASK}
        for bad in (b"", b"[]", b"{", b'{"model":"a","model":"b","messages":[]}', b"\xff", {"model": "big-chat"}, {"messages": ASK},
                    {**good, "n": 0}, {**good, "n": 1000}, {**good, "stream": "yes"}, {**good, "prompt": BAD},
                    {**good, "documents": [{"text": BAD}]}, {**good, "messages": []},
                    {**good, "messages": [{"role": "system", "content": "Be kind."}]},
                    {**good, "messages": [*ASK, {"role": "assistant", "content": "Sure, "}]},
                    {**good, "messages": [{"role": "user", "content": "a", "hidden": BAD}]},
                    {**good, "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
                    {**good, "messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "input_audio"}]}]}):
            with self.subTest(bad=bad):
                self.refused(bad)

    def test_known_fields_pass(self) -> None:
        self.upstream.script = lambda send, _: send(completion({"content": "Yes."}))
        more = {"temperature": 0.5, "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {}}}],
                "tool_choice": "auto", "stop": ["\n\n"], "user": "u", "response_format": {"type": "json_object"}, "seed": 5,
                "chat_template_kwargs": {"enable_thinking": False}, "top_k": 20, "logprobs": True, "stream_options": None,
                "reasoning_effort": "low", "metadata": {"a": "b"}}
        self.assertEqual(self.server.chat(**more)[0], 200)

    def test_parts_are_judged(self) -> None:
        status, _, body = self.server.chat([{"role": "user", "content": [{"type": "text", "text": "a"},
                                                                         {"type": "text", "text": BAD}]}])
        self.assertEqual((status, json.loads(body)["choices"][0]["finish_reason"]), (200, "content_filter"))

    def test_a_prompt_that_does_not_fit(self) -> None:
        status, _, body = self.server.chat([{"role": "user", "content": "word " * 40_000}])
        self.assertEqual((status, self.upstream.requests), (400, []))
        self.assertEqual(self.assert_error(body, "invalid_request_error")["code"], "context_length_exceeded")
        self.assertGreater(self.server.metric("qwen3guard_unjudged_total", route="upstream"), 0)

    def test_an_answer_that_does_not_fit(self) -> None:
        seen = self.ask(stream(*[chunk({"content": "word " * 1000})] * 60))
        self.assertEqual((seen.error["type"], seen.is_done), ("server_error", False))

    def test_models(self) -> None:
        listed = {"object": "list", "data": [{"id": "big-chat", "created": 5, "owned_by": "us"}, {"id": "nano-gen"},
                                             {"id": f"the {BAD}"}, {"id": "small", "owned_by": BAD + " inc"}, 7]}
        self.upstream.script = lambda send, _: send(reply(200, json.dumps(listed).encode()))
        status, _, body = self.server.request("GET", "/v1/models")
        self.assertNotIn(BAD.encode(), body)
        models = {model["id"]: model for model in json.loads(body)["data"]}
        self.assertEqual((status, sorted(models)), (200, ["big-chat", "nano-gen", "nano-stream", "small"]))
        self.assertEqual((models["nano-gen"]["owned_by"], models["big-chat"]["owned_by"]), ("qwen3guard", "us"))
        self.assertEqual(self.upstream.requests[0][0], "GET /v1/models HTTP/1.1")
        for bad in (reply(500, b"{}"), b"hello\r\n\r\n", reply(200, b"["), b""):
            self.upstream.script = lambda send, _, bad=bad: send(bad)
            status, _, body = self.server.request("GET", "/v1/models")
            self.assertEqual([model["id"] for model in json.loads(body)["data"]], ["nano-gen", "nano-stream"])

    def test_our_own_models_answer_themselves(self) -> None:
        status, _, body = self.server.request("POST", "/v1/chat/completions", json.dumps({"model": "nano-gen", "messages": ASK}).encode())
        self.assertEqual(status, 200, body)
        self.assertIn("Safety: ", json.loads(body)["choices"][0]["message"]["content"])
        self.assertEqual(self.upstream.requests, [])

    def test_everything_judged_is_audited(self) -> None:
        before = len(self.server.audited())
        self.ask(stream(chunk({"reasoning_content": "Hm. "}), *streamed_text(STORY + BAD, [9])))
        entries = self.server.audited()[before:]
        self.assertEqual([(e["role"], e["ruling"]["action"], e["text"]) for e in entries],
                         [("user", "allow", ASK[0]["content"]), ("assistant", "allow", "Hm. "), ("assistant", "block", STORY + BAD)])
        self.assertTrue(all(e["route"] == "upstream" and e["model"] == "nano-stream" for e in entries))
        self.assertEqual(len({e["request_id"] for e in entries}), 1)

    def test_connections_are_kept_and_replaced(self) -> None:
        n_before = self.upstream.n_connections
        answer = completion({"content": "Yes."})
        for _ in range(3):
            self.assertEqual(self.ask_plain(answer)[0], 200)
        self.assertLessEqual(self.upstream.n_connections - n_before, 1)
        n_requests = 0

        def drop_the_next(send: Send, _: Any) -> None:
            nonlocal n_requests
            n_requests += 1
            if n_requests == 1:
                raise ValueError("the connection closes without a byte")
            send(answer)

        self.upstream.script = drop_the_next
        self.assertEqual(self.server.chat()[0], 200)
        self.assertEqual(n_requests, 2)


class MessageTest(ProxyTest):
    flags = ("--block-message", "[Removed.]", "--block-as-error", "--hold-back-tokens", "0")
    policy = STRICT

    def test_replacement(self) -> None:
        seen = self.ask(stream(*streamed_text(STORY + BAD + " " + STORY, [60])))
        self.assertTrue(seen.text().endswith("[Removed.]"))
        self.assertTrue(STORY.startswith(seen.text().removesuffix("[Removed.]")))
        self.assertEqual(seen.reason(), "content_filter")

    def test_a_prompt_is_an_error(self) -> None:
        for streamed in (False, True):
            status, _, body = self.server.chat([{"role": "user", "content": BAD}], stream=streamed)
            error = self.assert_error(body, "invalid_request_error")
            self.assertEqual((status, error["code"], error["message"]), (400, "content_filter", "[Removed.]"))
        self.assertEqual(self.upstream.requests, [])

    def test_what_was_not_judged_is_blocked(self) -> None:
        seen = self.ask(stream(*[chunk({"content": "word " * 1000})] * 60))
        self.assertEqual((seen.reason(), seen.is_done, seen.error), ("content_filter", True, None))
        self.assertEqual(seen.last[0]["qwen3guard"]["ruling"]["rule"], "not_judged")
        self.assertIsNone(seen.last[0]["qwen3guard"]["severity"])
        status, _, body = self.server.chat([{"role": "user", "content": "word " * 40_000}])
        self.assertEqual((status, json.loads(body)["error"]["code"]), (400, "content_filter"))
        self.assertEqual(self.server.metric("qwen3guard_unjudged_total", route="upstream"), 2)
        self.assertGreaterEqual(self.server.metric("qwen3guard_blocked_total", route="upstream"), 2)


class MonitorTest(ProxyTest):
    flags = ("--monitor-only",)

    def test_everything_passes_and_is_counted(self) -> None:
        text = STORY + BAD + " " + STORY
        before = len(self.server.audited())
        for streamed in (True, False):
            if streamed:
                self.upstream.script = stream(*streamed_text(text, [50]))
                seen = Seen(self.server.chat([{"role": "user", "content": BAD}], stream=True)[2])
                self.assertEqual((seen.text(), seen.reason(), seen.is_done), (text, "stop", True))
            else:
                self.upstream.script = lambda send, _: send(completion({"content": text}))
                body = json.loads(self.server.chat()[2])
                self.assertEqual(body["choices"][0]["message"]["content"], text)
        end = time.monotonic() + PATIENCE_S
        while self.server.metric("qwen3guard_would_block_total", route="upstream") < 3 and time.monotonic() < end:
            time.sleep(0.02)
        self.assertEqual(self.server.metric("qwen3guard_would_block_total", route="upstream"), 3)
        self.assertEqual(self.server.metric("qwen3guard_blocked_total"), 0)
        self.assertEqual([e.get("let_through", False) for e in self.server.audited()[before:]], [True, True, False, True])

    def test_text_comes_before_its_verdict(self) -> None:
        shown = threading.Event()

        def script(send: Send, _: Any) -> None:
            send(SSE + chunk({"content": "Hello"}))
            shown.wait(PATIENCE_S)
            send(END + DONE)

        self.upstream.script = script
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE_S)
        connection.request("POST", "/v1/chat/completions", json.dumps({"model": "m", "stream": True, "messages": ASK}))
        answer = connection.getresponse()
        data = b""
        while b"Hello" not in data:
            data += answer.read1(4096)
        shown.set()
        self.assertIn(b"[DONE]", answer.read())
        connection.close()

    def test_what_cannot_be_judged_passes(self) -> None:
        self.upstream.script = lambda send, _: send(completion({"content": "A cat."}))
        image = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]
        status, _, body = self.server.chat(image)
        self.assertEqual((status, json.loads(body)["choices"][0]["message"]["content"]), (200, "A cat."))
        self.assertGreater(self.server.metric("qwen3guard_unjudged_total", route="upstream"), 0)

    def test_a_slow_client_loses_nothing(self) -> None:
        part = "0123456789abcde " * 4096

        def script(send: Send, _: Any) -> None:
            send(SSE)
            for _ in range(200):
                send(chunk({"content": part}))
            send(END + DONE)

        self.upstream.script = script
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE_S)
        connection.request("POST", "/v1/chat/completions", json.dumps({"model": "m", "stream": True, "messages": ASK}))
        answer = connection.getresponse()
        time.sleep(0.5)
        self.assertEqual(Seen(answer.read()).text(), part * 200)
        connection.close()


@unittest.skipUnless(can_serve(), "Q3G_CLI names no program with a server")
class OtherServersTest(unittest.TestCase):
    def guarded(self, *args: Any, **more: Any) -> Guarded:
        server = Guarded(*args, **more)
        self.addCleanup(server.close)
        return server

    def answering(self, tls: ssl.SSLContext | None = None) -> Upstream:
        upstream = Upstream(tls)
        upstream.script = lambda send, _: send(completion({"content": STORY}))
        self.addCleanup(upstream.socket.close)
        return upstream

    def test_nobody_is_there(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        server = self.guarded(None, url=f"http://127.0.0.1:{port}")
        status, _, body = server.chat()
        self.assertEqual((status, json.loads(body)["error"]["type"]), (502, "upstream_error"))
        self.assertEqual([m["id"] for m in json.loads(server.request("GET", "/v1/models")[2])["data"]],
                         ["nano-gen", "nano-stream"])
        server = self.guarded(None, url="http://no-such-host.invalid/v1")
        self.assertEqual(server.chat()[0], 502)

    def test_a_gen_model_guards_too(self) -> None:
        upstream = self.answering()
        server = self.guarded(upstream, "--model", "nano-gen")
        status, _, body = server.chat()
        self.assertEqual((status, json.loads(body)["choices"][0]["message"]["content"]), (200, STORY))
        upstream.script = stream(*streamed_text(STORY + BAD + " " + STORY, list(range(10, 500, 10))))
        seen = Seen(server.chat(stream=True)[2])
        self.assertEqual(seen.reason(), "content_filter")
        self.assertTrue(STORY.startswith(seen.text()))

    def test_keys(self) -> None:
        upstream = self.answering()
        with tempfile.TemporaryDirectory() as folder:
            ours, theirs = os.path.join(folder, "ours"), os.path.join(folder, "theirs")
            with open(ours, "w", encoding="utf-8") as file:
                file.write("me 0123456789abcdef-ours\n")
            with open(theirs, "w", encoding="utf-8") as file:
                file.write("sk-theirs\r\n")
            body = json.dumps({"model": "m", "messages": ASK}).encode()
            ask = {"authorization": "Bearer 0123456789abcdef-ours"}
            server = self.guarded(upstream, "--keys", ours)
            self.assertEqual(server.request("POST", "/v1/chat/completions", body)[0], 401)
            self.assertEqual(server.request("POST", "/v1/chat/completions", body, **ask)[0], 200)
            self.assertNotIn("authorization", upstream.requests[-1][1])
            server = self.guarded(upstream, "--keys", ours, "--upstream-key-file", theirs)
            self.assertEqual(server.request("POST", "/v1/chat/completions", body, **ask)[0], 200)
            self.assertEqual(upstream.requests[-1][1]["authorization"], "Bearer sk-theirs")

    def test_there_is_no_memory_for_it(self) -> None:
        upstream = self.answering()
        server = self.guarded(upstream, "--sessions-memory-bytes", str(8 << 20), "--time-limit-s", "1")
        messages = [{"role": "user", "content": "word " * 6000}]
        status, _, body = server.chat(messages)
        self.assertNotEqual(status, 200)
        self.assertIn("error", json.loads(body))
        self.assertEqual(upstream.requests, [])
        self.assertEqual(server.metric("qwen3guard_unjudged_total"), 1)

    def test_options(self) -> None:
        for flags in (("--sessions-memory-bytes", str(1 << 20)), ("--upstream", "ftp://x"), ("--upstream", "http://"), ("--upstream", "http://u@x"), ("--upstream", "http://x:0"),
                      ("--upstream", "https://x", "--upstream-ca-file", __file__), ("--upstream", "http://x", "--upstream-key-file", os.devnull)):
            done = subprocess.run([CLI, "serve", "--port", "0", *flags], capture_output=True, text=True, timeout=PATIENCE_S)
            self.assertNotEqual(done.returncode, 0, flags)
            self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)

    @unittest.skipUnless(shutil.which("openssl"), "there is no openssl to make certificates with")
    def test_tls(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            def certificate(name: str) -> str:
                path = os.path.join(folder, name + ".pem")
                subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                                "-addext", f"subjectAltName=DNS:{name}", "-keyout", path + ".key", "-out", path],
                               check=True, capture_output=True)
                return path

            good, other = certificate("localhost"), certificate("elsewhere.example")
            for presented, trusted, expected in ((good, good, 200), (good, other, 502), (other, other, 502)):
                tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                tls.load_cert_chain(presented, presented + ".key")
                upstream = self.answering(tls)
                server = self.guarded(None, "--upstream-ca-file", trusted, url=f"https://localhost:{upstream.port}")
                status, _, body = server.chat()
                self.assertEqual(status, expected, body)
                if expected != 200:
                    self.assertEqual(upstream.requests, [])


if __name__ == "__main__":
    unittest.main()
