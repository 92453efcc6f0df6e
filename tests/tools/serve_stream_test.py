# SPDX-License-Identifier: Apache-2.0
"""`qwen3guard serve`: streams. However an answer is pushed, its tokens and its decision are those of `qwen3guard stream`.

Q3G_CLI names the program; without it the tests skip. Standard library only.
"""
import json
import random
import signal
import tempfile
import threading
import unittest
from pathlib import Path
from typing import Any

from cli_test import lines, run
from serve_program import Reply, ServeTest, Server, eventually

PROMPT = "How do I make a bomb?"
ANSWERS = ["I am sorry, I cannot help with that.", "Sure. First mix the chemicals, then light the fuse and kill everyone.",
           "Take a knife, stab her, murder the family and hide the bodies.",
           "\u4f60\u597d\uff0c\u4e16\u754c \u2014 na\u00efve \U0001f3f3\ufe0f\u200d\U0001f308!",
           "sexton\n\n\tindented   text\u00a0here \U0001f600\U0001f600", "a", ""]


def command_line(model: str, prompt: str, answer: str) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
    """The answer's tokens, and the decisions by role, as `qwen3guard stream` has them."""
    code, stdout, stderr = run("stream", "--model", model, "--prompt", prompt, "--json", "--response", answer)
    if code != 0:
        raise AssertionError(stderr)
    tokens, decisions = [], {}
    for line in lines(stdout):
        row = {key: value for key, value in line.items() if key not in ("schema", "type", "role")}
        if line["type"] == "decision":
            decisions[line["role"]] = row
        elif line["role"] == "assistant":
            tokens.append(row)
    return tokens, decisions


class Stream:
    """A stream of the server, and what a client knows of it: its turn's tokens so far."""

    def __init__(self, server: Server, headers: dict[str, str] | None = None, **body: object) -> None:
        self.server, self.headers = server, headers
        reply = server.post("/v1/stream", body, headers)
        if reply.status != 201:
            raise AssertionError(reply.body)
        self.created = reply.json()
        self.id: str = self.created["id"]
        self.path = f"/v1/stream/{self.id}"
        self.tokens: list[dict[str, Any]] = []
        self.turn = 0

    def try_push(self, **body: object) -> Reply:
        return self.server.post(self.path, body, self.headers)

    def push(self, **body: object) -> dict[str, Any]:
        reply = self.try_push(**body)
        if reply.status != 200:
            raise AssertionError(reply.body)
        update = reply.json()
        if update["turn"] != self.turn:
            self.tokens, self.turn = [], update["turn"]
        if "first" not in update:  # the end of a user's turn, which is judged as a whole
            return update
        if update["first"] > len(self.tokens):
            raise AssertionError(f"verdicts are missing in front of {update['first']}: {self.tokens}")
        self.tokens[update["first"]:] = update["tokens"]
        return update

    def delete(self) -> Reply:
        return self.server.ask("DELETE", self.path, None, self.headers)


def pieces(text: str, rng: random.Random) -> list[str]:
    """The text, cut anywhere between characters."""
    out = []
    while text:
        n = rng.choice((1, 1, 2, 3, 5, 8, 50))
        out.append(text[:n])
        text = text[n:]
    return out


class StreamTest(ServeTest):
    FLAGS = ()

    def assert_same_tokens(self, tokens: list[dict[str, Any]], expected: list[dict[str, Any]], text: str) -> None:
        for token in tokens:
            self.assertEqual(set(token), {"index", "id", "text", "severity", "probabilities", "category", "action", "source",
                                          "byte_begin", "byte_end", "counts", "settled"})
        known = [{key: value for key, value in token.items() if key not in ("counts", "settled")} for token in tokens]
        self.assert_close(known, expected)
        self.assertEqual("".join(token["text"] for token in tokens), text)
        at = 0
        for token in tokens:
            self.assertEqual(token["byte_begin"], at)
            at = token["byte_end"]
        self.assertEqual(at, len(text.encode()))

    def assert_same_decision(self, decision: dict[str, Any], expected: dict[str, Any]) -> None:
        self.assertIn("settled", decision)
        self.assert_close({key: value for key, value in decision.items() if key != "settled"}, expected)

    def test_pieces_split_anywhere_are_the_answer(self) -> None:
        seed = random.randrange(1 << 32)
        print(f"seed {seed}")
        rng = random.Random(seed)
        for model, answers in (("nano-stream", ANSWERS), ("nano-gen", ANSWERS[:4])):
            for answer in answers:
                with self.subTest(seed=seed, model=model, answer=answer):
                    tokens, decisions = command_line(model, PROMPT, answer)
                    stream = Stream(self.server, prompt=PROMPT, model=model)
                    self.assertEqual((stream.created["object"], stream.created["model"]), ("stream", model))
                    self.assertEqual(stream.created["expires_in_s"], 300)
                    self.assert_same_decision(stream.created["prompt"]["decision"], decisions["user"])
                    parts = pieces(answer, rng)
                    ends_with_text = bool(parts) and rng.random() < 0.5
                    for piece in parts[:-1] if ends_with_text else parts:
                        update = stream.push(text=piece)
                        self.assertFalse(update["ended"])
                        self.assertEqual(update["role"], "assistant")
                        self.assertLessEqual(update["n_settled"], len(stream.tokens))
                    last = stream.push(text=parts[-1], end=True) if ends_with_text else stream.push(end=True)
                    self.assertTrue(last["ended"])
                    self.assert_same_decision(last["decision"], decisions["assistant"])
                    if model == "nano-stream":
                        self.assert_same_tokens(stream.tokens, tokens, answer)
                        self.assertEqual(last["n_settled"], len(tokens))
                    else:  # where a Gen model is asked is a matter of the pieces
                        self.assertEqual([token["id"] for token in stream.tokens], [token["id"] for token in tokens])

    def test_what_is_settled_stays(self) -> None:
        rng = random.Random(7)
        for answer in ANSWERS:
            stream, settled = Stream(self.server, prompt=PROMPT), []
            for piece in pieces(answer, rng):
                update = stream.push(text=piece)
                self.assertGreaterEqual(update["first"], len(settled))
                self.assertGreaterEqual(update["n_settled"], len(settled))
                self.assertEqual(stream.tokens[:len(settled)], settled)
                settled = stream.tokens[:update["n_settled"]]

    def test_a_rewound_stream_is_a_fresh_one(self) -> None:
        seed = random.randrange(1 << 32)
        print(f"seed {seed}")
        rng = random.Random(seed)
        for _ in range(8):
            first, second = rng.choice(ANSWERS), rng.choice(ANSWERS)
            keep = rng.randrange(len(first) + 1)
            text = first[:keep] + second
            with self.subTest(seed=seed, first=first, second=second, keep=keep):
                tokens, decisions = command_line("nano-stream", PROMPT, text)
                stream = Stream(self.server, prompt=PROMPT)
                for piece in pieces(first, rng):
                    stream.push(text=piece)
                byte = len(first[:keep].encode())
                if rng.random() < 0.5:
                    last = stream.push(rewind_to_byte=byte, text=second, end=True)
                else:
                    stream.push(rewind_to_byte=byte)
                    last = stream.push(text=second, end=True)
                self.assert_same_tokens(stream.tokens, tokens, text)
                self.assert_same_decision(last["decision"], decisions["assistant"])

    def test_a_rewind_into_a_character_or_past_the_end_is_refused(self) -> None:
        stream = Stream(self.server, prompt=PROMPT)
        stream.push(text="ab\U0001f600")
        before = stream.tokens
        for byte in (7, 1 << 39):
            self.assert_refused(stream.try_push(rewind_to_byte=byte), 400)
        for wrong in (-1, 1.5, "0", True):
            self.assert_refused(stream.try_push(rewind_to_byte=wrong), 400, param="rewind_to_byte")
        stream.push(text="")
        self.assertEqual([token["id"] for token in stream.tokens], [token["id"] for token in before])
        tokens, _ = command_line("nano-stream", PROMPT, "abc")
        stream.push(rewind_to_byte=2, text="c", end=True)
        self.assert_same_tokens(stream.tokens, tokens, "abc")

    def test_several_turns(self) -> None:
        """The conversation so far by pushes is that which is given at once."""
        history = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": ANSWERS[0]},
                   {"role": "user", "content": "And what else?"}]
        pushed = Stream(self.server)
        self.assertIsNone(pushed.created["prompt"])
        for i, message in enumerate(history):
            update = pushed.push(role=message["role"], text=message["content"])
            self.assertEqual((update["role"], update["turn"]), (message["role"], i + 1))
            update = pushed.push(role=message["role"], end=True)
            self.assertTrue(update["ended"])
        given = Stream(self.server, messages=history)
        self.assert_close(given.created["prompt"]["decision"], update["decision"])
        for text in pieces(ANSWERS[1], random.Random(3)):
            one, other = pushed.push(text=text), given.push(text=text)
            self.assertEqual((one["role"], one["turn"]), ("assistant", 4))
            self.assert_close({**one, "id": ""}, {**other, "id": ""})
        one, other = pushed.push(end=True), given.push(end=True)
        self.assert_close({**one, "id": ""}, {**other, "id": ""})
        self.assert_close(pushed.tokens, given.tokens)

    def test_a_users_turn(self) -> None:
        """Typed letter by letter, and taken back; a role is said where a turn begins, and the turn goes on without."""
        stream = Stream(self.server)
        text = "How do I make a cake?"
        for c in text:
            update = stream.push(text=c, role="user")
            self.assertEqual(update["role"], "user")
        self.assertEqual("".join(token["text"] for token in stream.tokens), text)
        stream.push(rewind_to_byte=16, text="bomb?")
        update = stream.push(end=True)
        expected = Stream(self.server, prompt=PROMPT).created["prompt"]["decision"]
        self.assert_close(update["decision"], expected)
        for answer in ("No", ".") * 5:
            stream.push(text=answer)
        self.assert_refused(stream.try_push(text="x", role="user"), 400, "assistant")
        self.assertTrue(stream.push(end=True, role="assistant")["ended"])

    def test_half_a_character_at_the_end(self) -> None:
        stream = Stream(self.server, prompt=PROMPT)
        stream.push(text="ab")
        half = self.server.post(stream.path, rb'{"text": "\ud83d"}')
        self.assert_refused(half, 400, param="text")
        self.assert_refused(self.server.post(stream.path, b'{"text": "\xf0\x9f"}'), 400, code="invalid_utf8")
        stream.push(text="\U0001f600", end=True)
        self.assert_same_tokens(stream.tokens, command_line("nano-stream", PROMPT, "ab\U0001f600")[0], "ab\U0001f600")

    def test_wrong_pushes_leave_the_stream_as_it_was(self) -> None:
        stream = Stream(self.server, prompt=PROMPT)
        stream.push(text="I am ")
        for body, param in (({}, None), ({"text": 7}, "text"), ({"text": "x", "role": "robot"}, "role"),
                            ({"text": "x", "end": "yes"}, "end"), ({"text": "x", "role": "system"}, "role"), ({"end": False}, None)):
            with self.subTest(body=body):
                self.assert_refused(stream.try_push(**body), 400, param=param)
        self.assert_refused(self.server.post(stream.path, b"{"), 400, code="invalid_json")
        stream.push(text="sorry.", end=True)
        self.assert_same_tokens(stream.tokens, command_line("nano-stream", PROMPT, "I am sorry.")[0], "I am sorry.")

    def test_wrong_beginnings(self) -> None:
        user = {"role": "user", "content": "x"}
        for body, param in (({"prompt": 7}, "prompt"), ({"prompt": "x", "messages": [user]}, "prompt"), ({"messages": []}, "messages"),
                            ({"messages": [user, {"role": "assistant", "content": "y"}]}, "messages"),
                            ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"), ({"messages": "x"}, "messages"),
                            ({"model": 7}, "model")):
            with self.subTest(body=body):
                self.assert_refused(self.server.post("/v1/stream", body), 400, param=param)
        self.assert_refused(self.server.post("/v1/stream", {"model": "gpt-4o"}), 404, param="model", code="model_not_found")
        self.assertEqual(self.server.metric("qwen3guard_sessions", model="gpt-4o"), 0)

    def test_a_stream_that_is_not_there(self) -> None:
        for name in ("strm-0", "x", "%2e%2e", "strm-" + "0" * 32):
            path = f"/v1/stream/{name}"
            for reply in (self.server.post(path, {"text": "x"}), self.server.ask("DELETE", path), self.server.get(f"{path}/events")):
                self.assert_refused(reply, 404, code="no_such_stream")

    def test_a_head_of_events_ends(self) -> None:
        stream = Stream(self.server)
        with self.server.wire() as wire:
            wire.send(f"HEAD {stream.path}/events HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
            wire.send(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            self.assertEqual(wire.rest().count(b"HTTP/1.1 200"), 2)

    def test_a_stream_that_ends_in_a_turn_is_recorded(self) -> None:
        before = sum(self.server.metric("qwen3guard_rulings_total", route="stream", action=action) for action in ("allow", "flag", "block"))
        stream = Stream(self.server)
        stream.push(text="Once upon a time there was a cook.")
        self.server.ask("DELETE", stream.path)
        after = sum(self.server.metric("qwen3guard_rulings_total", route="stream", action=action) for action in ("allow", "flag", "block"))
        self.assertEqual(after - before, 1)

    def test_deleted_once(self) -> None:
        stream = Stream(self.server, prompt=PROMPT)
        decision = stream.push(text=ANSWERS[2])["decision"]
        n = self.server.metric("qwen3guard_sessions", model="nano-stream")
        reply = stream.delete()
        self.assertEqual((reply.status, reply.json()["id"], reply.json()["deleted"]), (200, stream.id, True))
        for key in ("severity", "action", "ruling"):
            self.assertEqual(reply.json()["decision"][key], decision[key])
        self.assertEqual(self.server.metric("qwen3guard_sessions", model="nano-stream"), n - 1)
        self.assert_refused(stream.delete(), 404, code="no_such_stream")
        self.assert_refused(stream.try_push(text="x"), 404, code="no_such_stream")

    def test_text_beyond_the_context_is_an_error_and_not_safe(self) -> None:
        stream = Stream(self.server, prompt=PROMPT)
        stream.push(text="I am ")
        self.assert_refused(stream.try_push(text="word and " * 15000), 400, code="context_length_exceeded")
        # Nothing of it was taken.
        stream.push(text="sorry.", end=True)
        self.assert_same_tokens(stream.tokens, command_line("nano-stream", PROMPT, "I am sorry.")[0], "I am sorry.")
        self.assertEqual(self.server.metric("qwen3guard_unjudged_total", route="stream", reason="context_full"), 1)

    def test_events_are_the_replies(self) -> None:
        stream = Stream(self.server, prompt=PROMPT)
        with self.server.wire() as one, self.server.wire() as two:
            listeners = []
            for wire in (one, two):
                wire.send(f"GET {stream.path}/events HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
                head = wire.head()
                self.assertEqual((head.status, head.headers["content-type"]), (200, "text/event-stream"))
                listeners.append(wire.events())
            for piece in pieces(ANSWERS[1], random.Random(5)):
                update = stream.push(text=piece)
                for events in listeners:
                    name, data = next(events)
                    self.assertEqual((name, json.loads(data)), ("update", update))
            self.assert_refused(stream.try_push(rewind_to_byte=1000), 400)
            for events in listeners:
                name, data = next(events)
                self.assertEqual((name, list(json.loads(data))), ("error", ["error"]))
            update = stream.push(end=True)
            for events in listeners:
                name, data = next(events)
                self.assertEqual((name, json.loads(data)), ("turn_end", update))
            two.sock.close()  # a listener that goes away is no loss to the others
            stream.push(text="Once more")
            self.assertEqual(next(listeners[0])[0], "update")
            stream.delete()
            name, data = next(listeners[0])
            self.assertEqual((name, json.loads(data)["id"]), ("end", stream.id))
            self.assertEqual(list(listeners[0]), [])

    def test_many_at_the_same_time(self) -> None:
        expected = {answer: command_line("nano-stream", PROMPT, answer) for answer in ANSWERS}
        errors: list[BaseException] = []
        def talk(number: int) -> None:
            rng, answer = random.Random(number), ANSWERS[number % len(ANSWERS)]
            try:
                stream = Stream(self.server, prompt=PROMPT)
                for piece in pieces(answer, rng):
                    stream.push(text=piece)
                last = stream.push(end=True)
                tokens, decisions = expected[answer]
                self.assertEqual([token["id"] for token in stream.tokens], [token["id"] for token in tokens])
                self.assert_close([token["probabilities"] for token in stream.tokens], [token["probabilities"] for token in tokens])
                self.assert_same_decision(last["decision"], decisions["assistant"])
            except BaseException as error:  # told below, by the test's own thread
                errors.append(error)
        threads = [threading.Thread(target=talk, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]

    def test_pushes_that_do_not_wait_for_each_other_are_done_in_turn(self) -> None:
        stream = Stream(self.server, prompt=PROMPT)
        threads = [threading.Thread(target=stream.try_push, kwargs={"text": "la "}) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        update = stream.push(rewind_to_byte=0, text="x")
        self.assertEqual([token["text"] for token in update["tokens"]], ["x"])
        self.assert_refused(stream.try_push(rewind_to_byte=2), 400)


class LimitsTest(ServeTest):
    def test_a_stream_that_nobody_uses_ends(self) -> None:
        with Server("--session-timeout-s", "1") as server:
            stream = Stream(server, prompt=PROMPT)
            self.assertEqual(stream.created["expires_in_s"], 1)
            with server.wire() as wire:
                wire.send(f"GET {stream.path}/events HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
                wire.head()
                (name, data), = wire.events()
                self.assertEqual((name, json.loads(data)["reason"]), ("end", "expired"))
            self.assert_refused(stream.try_push(text="x"), 404, "expired", code="no_such_stream")
            self.assertTrue(eventually(lambda: server.metric("qwen3guard_sessions", model="nano-stream") == 0))

    def test_more_streams_than_may_be(self) -> None:
        with Server("--max-sessions", "2") as server:
            streams = [Stream(server) for _ in range(2)]
            reply = server.post("/v1/stream", {})
            self.assert_refused(reply, 429, code="sessions_full")
            self.assertGreaterEqual(int(reply.headers["retry-after"]), 1)
            streams[0].delete()
            Stream(server)
            self.assertEqual(server.metric("qwen3guard_refused_total", reason="sessions"), 1)

    def test_a_stream_is_its_keys_own(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            keys = Path(folder, "keys")
            keys.write_text("alice alice-key-0123456789\nbob bob-key-0123456789\n", encoding="utf-8")
            with Server("--keys", str(keys)) as server:
                alice, bob = ({"authorization": f"Bearer {name}-key-0123456789"} for name in ("alice", "bob"))
                stream = Stream(server, alice, prompt=PROMPT)
                for reply in (server.post(stream.path, {"text": "x"}, bob), server.ask("DELETE", stream.path, None, bob),
                              server.get(f"{stream.path}/events", bob)):
                    self.assert_refused(reply, 404, code="no_such_stream")
                self.assert_refused(server.post(stream.path, {"text": "x"}), 401)
                self.assertEqual(len(stream.push(text="x", end=True)["tokens"]), 1)
                self.assertEqual(stream.delete().status, 200)

    def test_a_listener_is_told_that_the_server_stops(self) -> None:
        with Server() as server:
            stream = Stream(server, prompt=PROMPT)
            with server.wire() as wire:
                wire.send(f"GET {stream.path}/events HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
                wire.head()
                server.signal(signal.SIGTERM)
                (name, data), = wire.events()
                self.assertEqual((name, json.loads(data)["reason"]), ("end", "stopping"))
                wire.sock.close()
                self.assertEqual(server.exit_code(), 0)


if __name__ == "__main__":
    unittest.main()
