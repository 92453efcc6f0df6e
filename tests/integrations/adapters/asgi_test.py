# SPDX-License-Identifier: Apache-2.0
"""The ASGI middleware in front of Starlette, FastAPI and a bare application."""
import asyncio
import json
import threading
import time
from typing import Any, AsyncIterator, Optional

import fastapi
import httpx
import qwen3guard
from adapter_test_case import AdapterTest, adapter
from adapter_texts import BAD, GOOD, IMAGE, SAFE, UNSAFE, run
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

adapter("asgi")
from qwen3guard_asgi import GuardMiddleware  # noqa: E402

OF_ACCOUNT = ("starlette", "fastapi", "httpx")
PATH = "/v1/chat/completions"


def chunk(delta: dict[str, Any], reason: Optional[str] = None, **more: Any) -> str:
    return "data: " + json.dumps({"id": "c1", "object": "chat.completion.chunk", "model": "m", "choices": [
        {"index": 0, "delta": delta, "finish_reason": reason, **more}]}) + "\n\n"


def words(text: str) -> list[str]:
    return [chunk({"role": "assistant", "content": ""}), *(chunk({"content": word + " "}) for word in text.strip().split(" ")),
            chunk({}, "stop"), "data: [DONE]\n\n"]


class Chat:
    """The application: answers with what it is told, and remembers what it was asked."""

    def __init__(self, answer: Any = GOOD, events: Optional[list[str]] = None) -> None:
        self.answer, self.events = answer, events
        self.asked: list[bytes] = []
        self.n_sent = 0
        self.is_ended = asyncio.Event()

    async def reply(self, request: Request) -> Response:
        self.asked.append(await request.body())
        if self.events is not None:
            return StreamingResponse(self.stream(self.events), media_type="text/event-stream")
        if isinstance(self.answer, Response):
            return self.answer
        message = self.answer if isinstance(self.answer, dict) else {"role": "assistant", "content": self.answer}
        return JSONResponse({"id": "c1", "object": "chat.completion", "model": "m", "choices": [
            {"index": 0, "message": message, "finish_reason": "stop"}], "usage": {"total_tokens": 3}})

    async def stream(self, events: list[str]) -> AsyncIterator[str]:
        try:
            for event in events:
                self.n_sent += 1
                yield event
                await asyncio.sleep(0)
        finally:
            self.is_ended.set()


async def ask(chat: Any, guard: Any, content: Any = SAFE, body: Any = None, path: str = PATH, app: Any = None,
              **options: Any) -> httpx.Response:
    app = app or Starlette(routes=[Route(path, getattr(chat, "reply", chat), methods=["POST"])])
    transport = httpx.ASGITransport(GuardMiddleware(app, guard, **options))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        if isinstance(body, bytes):
            return await client.post(path, content=body)
        return await client.post(path, json=body or {"messages": [{"role": "user", "content": content}],
                                                     "stream": getattr(chat, "events", None) is not None})


def deltas(reply: httpx.Response) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in reply.text.splitlines() if line.startswith("data: {")]


def shown(reply: httpx.Response, name: str = "content") -> str:
    return "".join(choice["delta"].get(name) or "" for event in deltas(reply) for choice in event.get("choices", ()))


def reason(reply: httpx.Response) -> Any:
    return [choice["finish_reason"] for event in deltas(reply) for choice in event.get("choices", ())][-1]


class PlainTest(AdapterTest):
    """Requests, and answers that are not streamed."""

    def test_what_is_safe_passes_as_it_is(self) -> None:
        for guard in self.guards:
            for answer in (GOOD, "", {"role": "assistant", "content": None, "refusal": "No, I cannot.", "tool_calls": None}):
                chat = Chat(answer)
                reply = run(ask(chat, guard))
                plain = run(ask(chat, guard, paths=("/nowhere",)))
                self.assertEqual((reply.status_code, reply.content), (200, plain.content))
                self.assertEqual(chat.asked[0], chat.asked[1])

    def test_a_blocked_prompt_does_not_arrive(self) -> None:
        for guard in self.guards:
            chat = Chat()
            reply = run(ask(chat, guard, UNSAFE))
            self.assertEqual((reply.status_code, reply.json()["error"]["code"], chat.asked), (403, "content_filter", []))
            self.assertNotIn("kill", reply.text)

    def test_a_blocked_answer_does_not_leave(self) -> None:
        for answer in (BAD, {"role": "assistant", "content": "Fine.", "reasoning": BAD},
                       {"role": "assistant", "content": [{"type": "text", "text": BAD}]},
                       {"role": "assistant", "content": None, "tool_calls": [
                           {"id": "1", "type": "function", "function": {"name": "say", "arguments": json.dumps({"text": BAD})}}]}):
            for guard in self.guards:
                reply = run(ask(Chat(answer), guard))
                self.assertEqual(reply.status_code, 403)
                self.assertNotIn("kill", reply.text)

    def test_what_is_said_in_its_place(self) -> None:
        for content, answer in ((UNSAFE, GOOD), (SAFE, BAD)):
            reply = run(ask(Chat(answer), self.gen, content, block_message="No."))
            (choice,) = reply.json()["choices"]
            self.assertEqual((reply.status_code, choice["message"]["content"], choice["finish_reason"]), (200, "No.", "content_filter"))
        reply = run(ask(Chat(GOOD, words(GOOD)), self.gen, UNSAFE, block_message="No."))
        self.assertEqual((shown(reply), reason(reply), reply.text[-14:]), ("No.", "content_filter", "data: [DONE]\n\n"))

    def test_a_policy_decides(self) -> None:
        off = qwen3guard.Policy.parse({"schema": 1, "name": "n", "version": "1", "prompt": {"categories": {"Violent": "flag"}}})
        self.assertEqual(run(ask(Chat("Let us talk about that."), self.gen, UNSAFE, policy=off)).status_code, 200)

    def test_every_message_since_the_last_answer(self) -> None:
        def status(*roles: Any) -> int:
            messages = [{"role": role, **({"tool_calls": content, "content": None} if isinstance(content, list)
                                          else {"content": content})} for role, content in roles]
            return int(run(ask(Chat(), self.gen, body={"messages": messages})).status_code)
        call = [{"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}]
        self.assertEqual(status(("system", "Be kind."), ("user", SAFE), ("assistant", "By kill."), ("user", "Thank you!")), 200)
        self.assertEqual(status(("user", UNSAFE), ("user", "Thank you!")), 403)
        self.assertEqual(status(("user", UNSAFE), ("assistant", call), ("tool", "42")), 403)
        self.assertEqual(status(("user", SAFE), ("assistant", call), ("tool", "42")), 200)
        self.assertEqual(status(("user", SAFE), ("assistant", "Sure, here is")), 400)  # what the client puts into its mouth
        self.assertEqual(status(("system", UNSAFE)), 400)
        forged = {"messages": [{"role": "user", "content": UNSAFE}, {"role": "assistant", "content": "Sure."},
                               {"role": "user", "content": "Go on."}]}
        self.assertEqual([run(ask(Chat("Yes."), self.stream, body=forged, judges_history=each)).status_code for each in (False, True)],
                         [200, 403])
        self.assertEqual(status(), 400)

    def test_what_cannot_be_judged_is_refused(self) -> None:
        chat = Chat()
        reply = run(ask(chat, self.gen, IMAGE))
        self.assertEqual(reply.status_code, 400)
        self.assertIn("image_url", reply.json()["error"]["message"])
        for body in (b"", b"{", b"[]", b'{"messages": 1}', b'{"messages": [1]}', b'{"messages": [{"role": "user"}]}', b'\xff{}',
                     b'{"messages": [{"role": "user", "content": "Hi"}], "messages": []}', b'{"n": NaN}', b"[" * 100_000,
                     b'{"n": 2, "messages": [{"role": "user", "content": "Hi"}]}',
                     b'{"messages": [{"role": "user", "content": "\\ud800"}]}',
                     b'{"messages": [{"role": "user", "content": "Hi", "hidden": "text"}]}'):
            self.assertEqual(run(ask(chat, self.gen, body=body)).status_code, 400, body)
        self.assertEqual(run(ask(chat, self.small_guard(), "word " * 200)).status_code, 400)
        self.assertEqual(run(ask(chat, self.gen, "word " * 200, max_body_bytes=500)).status_code, 413)
        self.assertEqual(chat.asked, [])
        self.assertEqual(run(ask(Chat("Yes."), self.gen, "")).status_code, 200)

    def test_an_answer_that_cannot_be_judged(self) -> None:
        gzip = JSONResponse({}, headers={"content-encoding": "gzip"})
        for answer in (PlainTextResponse(BAD), gzip, Response(BAD), JSONResponse({"text": BAD}), JSONResponse({"choices": []}),
                       JSONResponse({"choices": [{"message": {"content": IMAGE}}]}), Response(b"{", media_type="application/json"),
                       JSONResponse({"choices": [{"message": {"content": GOOD}}, {"message": {"content": BAD}}]})):
            reply = run(ask(Chat(answer), self.gen))
            self.assertEqual(reply.status_code, 502, answer.body)
            self.assertNotIn("kill", reply.text)
        self.assertEqual(run(ask(Chat(GOOD * 20), self.small_guard())).status_code, 502)

    def test_what_nobody_has_judged_is_left_out(self) -> None:
        answer = {"object": "chat.completion", "note": BAD, "choices": [{"index": 0, "logprobs": {"content": [{"token": BAD}]}, "message": {
            "role": "assistant", "content": GOOD, "audio": {"transcript": BAD}}, "finish_reason": "stop"}]}
        reply = run(ask(Chat(JSONResponse(answer)), self.gen))
        self.assertEqual(reply.json(), {"object": "chat.completion", "choices": [
            {"index": 0, "message": {"role": "assistant", "content": GOOD}, "finish_reason": "stop"}]})

    def test_a_guard_that_fails(self) -> None:
        chat = Chat()
        reply = run(ask(chat, self.closed_guard()))
        self.assertEqual((reply.status_code, chat.asked), (500, []))

    def test_errors_of_the_application_are_its_own(self) -> None:
        reply = run(ask(Chat(JSONResponse({"error": "busy"}, 429)), self.gen))
        self.assertEqual((reply.status_code, reply.json()), (429, {"error": "busy"}))

        async def fails(_: Request) -> Response:
            raise RuntimeError("broken")
        with self.assertRaisesRegex(RuntimeError, "broken"):
            run(ask(fails, self.gen))

    def test_other_paths_and_methods(self) -> None:
        chat = Chat(PlainTextResponse(BAD))
        self.assertEqual(run(ask(chat, self.closed_guard(), path="/other")).text, BAD)
        self.assertEqual(run(ask(chat, self.gen, path=PATH + "/")).status_code, 502)
        self.assertEqual(run(ask(chat, self.gen, path="/V1/Chat/Completions")).status_code, 502)

    def test_paths_as_they_are_given(self) -> None:
        for paths in (("/v1/Chat/Completions",), ["/chat/completions/"], (each for each in ("/other", "CHAT/COMPLETIONS//"))):
            self.assertEqual(run(ask(Chat(PlainTextResponse(BAD)), self.gen, paths=paths)).status_code, 502, paths)
        for wrong in ("/chat/completions", b"/chat/completions", (b"/chat/completions",), 7):
            with self.assertRaises(TypeError, msg=wrong):
                GuardMiddleware(None, self.gen, paths=wrong)
        for wrong in ((), [], ("/chat/completions", "/"), ("",)):
            with self.assertRaisesRegex(ValueError, "paths", msg=wrong):
                GuardMiddleware(None, self.gen, paths=wrong)

    def test_a_request_with_many_messages(self) -> None:
        def status(n: int, answers: bool, **options: Any) -> tuple[int, str, int]:
            messages = []
            for _ in range(n):
                messages += [{"role": "user", "content": "Hi"}] + [{"role": "assistant", "content": "Hi"}] * answers
            chat = Chat("Yes.")
            reply = run(ask(chat, self.gen, body={"messages": messages + [{"role": "user", "content": "Hi"}]}, **options))
            return reply.status_code, reply.json().get("error", {}).get("message", ""), len(chat.asked)
        self.assertEqual(status(3, False, max_judged_messages=4), (200, "", 1))
        n_status, message, n_asked = status(4, False, max_judged_messages=4)
        self.assertEqual((n_status, n_asked), (400, 0))
        self.assertIn("more than 4", message)
        self.assertEqual(status(4, True, max_judged_messages=4), (200, "", 1))  # one is new
        self.assertEqual(status(4, True, max_judged_messages=4, judges_history=True)[0], 400)
        self.assertEqual(status(64, False)[0], 400)

    def test_an_answer_that_is_too_large(self) -> None:
        whole = run(ask(Chat(), self.gen)).content
        self.assertEqual(run(ask(Chat(), self.gen, max_answer_bytes=len(whole))).content, whole)
        reply = run(ask(Chat(), self.gen, max_answer_bytes=len(whole) - 1))
        self.assertEqual((reply.status_code, reply.json()["error"]["code"]), (502, "too_large"))

    def test_fastapi(self) -> None:
        app = fastapi.FastAPI()
        app.add_middleware(GuardMiddleware, guard=self.gen)

        @app.post(PATH)
        def answer(body: dict[str, Any]) -> dict[str, Any]:
            return {"choices": [{"index": 0, "message": {"role": "assistant", "content": body["answer"]}, "finish_reason": "stop"}]}

        async def status(content: str, answer: str) -> int:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
                return (await client.post(PATH, json={"messages": [{"role": "user", "content": content}], "answer": answer})).status_code
        self.assertEqual([run(status(*each)) for each in ((SAFE, GOOD), (UNSAFE, GOOD), (SAFE, BAD))], [200, 403, 403])

    def test_many_at_the_same_time(self) -> None:
        async def ask_all() -> list[int]:
            replies = await asyncio.gather(*(ask(Chat(), self.gen, UNSAFE if i % 3 == 0 else SAFE) for i in range(30)))
            return [reply.status_code for reply in replies]
        self.assertEqual(run(ask_all()), [403 if i % 3 == 0 else 200 for i in range(30)])


class StreamTest(AdapterTest):
    """Answers as they are written."""

    def test_a_safe_answer(self) -> None:
        for guard in self.guards:
            for n_bytes in (7, 10_000):
                text = "".join(words(GOOD + "¡Olé! 👍")).replace("\n", "\r\n" if n_bytes == 7 else "\n")
                events = [text[i:i + n_bytes] for i in range(0, len(text), n_bytes)]
                reply = run(ask(Chat(events=events), guard))
                self.assertEqual((shown(reply).strip(), reason(reply)), (GOOD + "¡Olé! 👍", "stop"))
                self.assertEqual(reply.text[-14:], "data: [DONE]\n\n")

    def test_an_answer_that_turns_bad_is_cut(self) -> None:
        for guard in self.guards:
            for said in (None, "[No.]"):
                chat = Chat(events=words(GOOD + BAD + GOOD * 20))
                reply = run(ask(chat, guard, block_message=said))
                self.assert_nothing_bad(shown(reply).removesuffix(said or ""))
                self.assertEqual((reason(reply), reply.text[-14:]), ("content_filter", "data: [DONE]\n\n"))
                self.assertTrue(said is None or shown(reply).endswith(said))
                self.assertNotIn("burn", reply.text)
                self.assertLess(chat.n_sent, len(chat.events or ()))  # and the application has stopped
                self.assertTrue(chat.is_ended.is_set())

    def test_events_that_are_split_anywhere(self) -> None:
        """The same events, whichever way their ends are spelled and cut."""
        for end in ("\n", "\r\n", "\r"):
            text = "".join(words("Yes, of course.")).replace("\n", end)
            for n_bytes in (1, 2, 3, 64, len(text)):
                events = [text[i:i + n_bytes] for i in range(0, len(text), n_bytes)]
                reply = run(ask(Chat(events=events), self.stream))
                self.assertEqual(deltas(reply)[-1], {"id": "c1", "object": "chat.completion.chunk", "model": "m", "choices": [
                    {"index": 0, "delta": {"content": "Yes, of course. "}, "finish_reason": "stop"}]}, (end, n_bytes))
                self.assertEqual(shown(reply), "Yes, of course. ")

    def test_a_streamed_answer_that_is_too_large(self) -> None:
        call = {"index": 0, "id": "1", "type": "function", "function": {"name": "say", "arguments": "a" * 50}}
        for more in (["data: "] + ["kill" * 50] * 20, [": ping\n\n"] * 1000, [chunk({"tool_calls": [call]})] * 20):
            chat = Chat(events=words(GOOD)[:3] + more + ["data: [DONE]\n\n"])
            reply = run(ask(chat, self.stream, max_answer_bytes=3000))
            self.assertEqual(deltas(reply)[-1].get("error", {}).get("code"), "too_large")
            self.assertNotIn("kill", reply.text)
            self.assertTrue(chat.is_ended.is_set())

    def test_bad_at_the_end(self) -> None:
        for guard in self.guards:
            reply = run(ask(Chat(events=words(GOOD + BAD)), guard))
            self.assert_nothing_bad(shown(reply))
            self.assertEqual(reason(reply), "content_filter")

    def test_thinking_is_judged_by_itself(self) -> None:
        good = [chunk({"reasoning_content": word + " "}) for word in GOOD.strip().split(" ")] + words("Yes.")
        reply = run(ask(Chat(events=good), self.stream))
        self.assertEqual((shown(reply, "reasoning_content"), shown(reply)), (GOOD, "Yes. "))
        bad = [chunk({"reasoning": word + " "}) for word in BAD.split(" ")] + words(GOOD)
        reply = run(ask(Chat(events=bad), self.stream))
        self.assertEqual((shown(reply), reason(reply)), ("", "content_filter"))
        self.assertNotIn("kill", reply.text)

    def test_calls_of_tools_wait_for_their_verdict(self) -> None:
        def calls(text: str) -> list[str]:
            arguments = json.dumps({"text": text})
            return [chunk({"role": "assistant", "tool_calls": [{"index": 0, "id": "1", "type": "function", "function": {
                "name": "say", "arguments": ""}}]}), *(chunk({"tool_calls": [{"index": 0, "function": {
                    "arguments": arguments[i:i + 5]}}]}) for i in range(0, len(arguments), 5)), chunk({}, "tool_calls")]
        reply = run(ask(Chat(events=calls("Hello")), self.gen))
        (call,) = [call for event in deltas(reply) for call in event["choices"][0]["delta"].get("tool_calls", ())]
        self.assertEqual(call, {"index": 0, "id": "1", "type": "function", "function": {
            "name": "say", "arguments": '{"text": "Hello"}'}})
        self.assertEqual(reason(reply), "tool_calls")
        reply = run(ask(Chat(events=calls(BAD)), self.gen))
        self.assertEqual(reason(reply), "content_filter")
        self.assertNotIn("say", reply.text)

    def test_what_nobody_has_judged_is_left_out(self) -> None:
        events = [": ping with words\n\n", "event: x\nid: " + BAD + "\n" + chunk({"role": "assistant", "content": "Yes", "audio": BAD},
                                                                                 logprobs={"content": [{"token": BAD}]}),
                  chunk({}, "stop"), 'data: {"choices": [], "usage": {"total_tokens": 3}, "note": "burn"}\n\n', "data: [DONE]\n\n"]
        reply = run(ask(Chat(events=events), self.stream))
        self.assertEqual(shown(reply), "Yes")
        self.assertIn(":\n\n", reply.text)
        self.assertIn('"total_tokens": 3', reply.text)
        for word in ("kill", "burn", "ping"):
            self.assertNotIn(word, reply.text)

    def test_a_stream_that_cannot_be_judged_ends_in_an_error(self) -> None:
        start = words(GOOD)[:10]
        for more in ([], ["data: {\n\n"], ["data: [DONE]\n\n"], ['data: {"text": "kill"}\n\n'], ['data: {"choices": [1]}\n\n'],
                     [chunk({"content": [{"type": "text", "text": "kill"}]})], [chunk({}, "stop"), chunk({"content": BAD})],
                     [chunk({"content": "a"}).replace('"index": 0', '"index": 1')],
                     [chunk({"content": "\ud800"})], [chunk({"tool_calls": [{"function": {"arguments": "kill"}}]})]):
            chat = Chat(events=start + more + ["data: [DONE]\n\n"])
            reply = run(ask(chat, self.stream))
            self.assertEqual(deltas(reply)[-1].get("error", {}).get("code"), "not_judged", more)
            self.assertNotIn("[DONE]", reply.text)
            self.assertNotIn("kill", reply.text)
            self.assertTrue(chat.is_ended.is_set())
        reply = run(ask(Chat(events=words(GOOD * 20)), self.small_guard()))
        self.assertEqual(deltas(reply)[-1]["error"]["code"], "not_judged")

    def test_a_guard_that_fails_in_the_middle(self) -> None:
        guard = qwen3guard.Guard.embedded("nano-stream", n_threads=1)
        take, n = qwen3guard.HoldBack.take, 0

        def fails(hold: Any, timeout_ms: float = 0) -> Any:
            nonlocal n
            n += 1
            if n == 5:
                raise qwen3guard.OutOfMemoryError(1, "no memory")
            return take(hold, timeout_ms)
        qwen3guard.HoldBack.take = fails  # type: ignore[method-assign]
        try:
            reply = run(ask(Chat(events=words(GOOD)), guard))
        finally:
            qwen3guard.HoldBack.take = take  # type: ignore[method-assign]
        self.assertEqual((shown(reply), deltas(reply)[-1]["error"]["code"]), ("", "not_judged"))

    def test_an_application_that_breaks_off(self) -> None:
        async def broken() -> AsyncIterator[str]:
            for event in words(GOOD)[:5]:
                yield event
            raise RuntimeError("broken")

        async def chat(_: Request) -> Response:
            return StreamingResponse(broken(), media_type="text/event-stream")
        async def work() -> list[dict[str, Any]]:
            sent: list[dict[str, Any]] = []
            body = json.dumps({"messages": [{"role": "user", "content": SAFE}], "stream": True}).encode()
            requests = [{"type": "http.request", "body": body}]

            async def receive() -> dict[str, Any]:
                if not requests:
                    await asyncio.Event().wait()
                return requests.pop()

            async def send(event: dict[str, Any]) -> None:
                sent.append(event)
            app = Starlette(routes=[Route(PATH, chat, methods=["POST"])])
            scope = {"type": "http", "asgi": {"version": "3.0"}, "method": "POST", "path": PATH, "query_string": b"", "headers": []}
            with self.assertRaisesRegex(RuntimeError, "broken"):
                await GuardMiddleware(app, self.stream)(scope, receive, send)
            return sent
        start, *bodies = run(work())
        self.assertEqual(start["status"], 200)
        self.assertTrue(all(event["more_body"] for event in bodies))  # so that no client takes it for a whole answer
        self.assertNotIn(b"ferryman", b"".join(event["body"] for event in bodies))  # which had no verdict yet


class ConnectionTest(AdapterTest):
    """What the middleware does with events of ASGI itself."""

    async def _exchange(self, app: Any, guard: Any, leaves_when: Any) -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []
        body = json.dumps({"messages": [{"role": "user", "content": SAFE}], "stream": True}).encode()
        waiting = [{"type": "http.request", "body": body[:10], "more_body": True}, {"type": "http.request", "body": body[10:]}]

        async def receive() -> dict[str, Any]:
            if waiting:
                return waiting.pop(0)
            while not leaves_when(sent):
                await asyncio.sleep(0.001)
            return {"type": "http.disconnect"}

        async def send(event: dict[str, Any]) -> None:
            sent.append(event)
        scope = {"type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": "POST",
                 "path": PATH, "raw_path": PATH.encode(), "query_string": b"", "root_path": "", "scheme": "http", "headers": [],
                 "server": ("test", 80), "client": ("test", 1), "extensions": {"http.response.pathsend": {}}}
        await GuardMiddleware(app, guard)(scope, receive, send)
        return sent

    def test_text_leaves_while_the_answer_is_written(self) -> None:
        async def work() -> None:
            chat = Chat(events=words(GOOD * 4))
            seen: list[int] = []

            def leaves(sent: list[dict[str, Any]]) -> bool:
                if any(b"river" in event.get("body", b"") for event in sent):
                    seen.append(chat.n_sent)
                return False
            await self._exchange(Starlette(routes=[Route(PATH, chat.reply, methods=["POST"])]), self.stream, leaves)
            self.assertLess(seen[0], len(chat.events or ()))
        run(work())

    def test_a_client_that_leaves_stops_the_guard_and_the_application(self) -> None:
        async def work() -> None:
            chat = Chat(events=words(GOOD * 400))
            sent = await self._exchange(Starlette(routes=[Route(PATH, chat.reply, methods=["POST"])]), self.stream,
                                        lambda sent: len(sent) > 5)
            self.assertLess(chat.n_sent, len(chat.events or ()))
            self.assertTrue(sent[-1].get("more_body"))
        run(work())

    def test_a_client_that_leaves_before_the_verdict(self) -> None:
        async def work() -> None:
            chat = Chat()
            sent = await self._exchange(Starlette(routes=[Route(PATH, chat.reply, methods=["POST"])]), _Slow(self.stream), lambda _: True)
            self.assertEqual((sent, chat.asked), ([], []))
        run(work())

    def test_the_loop_goes_on_while_the_guard_works(self) -> None:
        async def work() -> int:
            n_turns, is_done = 0, False

            async def count() -> None:
                nonlocal n_turns
                while not is_done:
                    await asyncio.sleep(0.005)
                    n_turns += 1
            counting = asyncio.ensure_future(count())
            await self._exchange(Starlette(routes=[Route(PATH, Chat().reply, methods=["POST"])]), _Slow(self.stream), lambda _: False)
            is_done = True
            await counting
            return n_turns
        self.assertGreater(run(work()), 3)

    def test_other_ways_to_send(self) -> None:
        async def app(scope: Any, _receive: Any, send: Any) -> None:
            self.assertEqual(scope["extensions"], {})
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
            await send({"type": "http.response.pathsend", "path": "/etc/hostname"})
        sent = run(self._exchange(app, self.stream, lambda _: False))
        self.assertEqual([event.get("status") for event in sent], [502, None])

        async def nothing(*_: Any) -> None:
            pass
        sent = run(self._exchange(nothing, self.stream, lambda _: False))
        self.assertEqual(sent[0]["status"], 502)

    def test_websockets_of_guarded_paths_are_closed(self) -> None:
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "websocket.connect"}

        async def send(event: Any) -> None:
            sent.append(event)
        run(GuardMiddleware(None, self.stream)({"type": "websocket", "path": PATH}, receive, send))
        self.assertEqual([event["type"] for event in sent], ["websocket.close"])


class _Slow:
    """A guard that takes a while, until it is cancelled."""

    def __init__(self, guard: qwen3guard.Guard) -> None:
        self._guard = guard
        self.n_calls = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._guard, name)

    def classify(self, messages: Any, options: qwen3guard.ClassifyOptions) -> Any:
        self.n_calls += 1
        assert threading.current_thread() is not threading.main_thread()
        for _ in range(60):
            time.sleep(0.005)
            if options.cancel is not None and options.cancel.is_set():
                break
        return self._guard.classify(messages, options)
