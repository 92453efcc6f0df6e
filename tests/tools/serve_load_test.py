# SPDX-License-Identifier: Apache-2.0
"""`qwen3guard serve` under more than it can do, and with clients as nobody wants them: what is counted is what becomes of
requests, connections and memory. How long things take is for benchmarks/server.

Q3G_CLI names the program; without it the tests skip. Standard library only.
"""
import asyncio
import contextlib
import json
import os
import socket
import struct
import time
import unittest

import serve_program
from cli_test import CLI, run

try:
    import resource
except ImportError as missing:  # Windows
    raise unittest.SkipTest("the server is for POSIX systems") from missing

PATIENCE_S = 60.0  # only a server that hangs takes as long
MIB = 1 << 20
JSON = "content-type: application/json\r\n"


class Reply:
    """What came back for one request."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


class Connection:
    """One client. Its requests are bytes, so that they may be as wrong as a test wants."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def until(self, end: bytes) -> bytes:
        return await asyncio.wait_for(self.reader.readuntil(end), PATIENCE_S)

    async def head(self) -> tuple[int, dict[str, str]]:
        """The next reply's status and headers."""
        lines = (await self.until(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines[1:] if line)}
        return int(lines[0].split()[1]), headers

    async def reply(self) -> Reply:
        status, headers = await self.head()
        body = self.reader.readexactly(int(headers["content-length"]))
        return Reply(status, headers, await asyncio.wait_for(body, PATIENCE_S))

    async def ask(self, method: str, path: str, body: object = None, headers: str = "") -> Reply:
        self.send(request(method, path, body, headers))
        return await self.reply()

    async def is_cut(self) -> bool:
        """Reads until the server has closed the connection; what comes before that is thrown away."""
        try:
            while await asyncio.wait_for(self.reader.read(65536), PATIENCE_S):
                pass
        except ConnectionError:
            pass
        return True

    def reset(self) -> None:
        """Goes away as a crashed client does."""
        sock = self.writer.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    def close(self) -> None:
        self.writer.close()


def request(method: str, path: str, body: object = None, headers: str = "") -> bytes:
    data = b"" if body is None else json.dumps(body).encode()
    length = f"{JSON}content-length: {len(data)}\r\n" if method == "POST" else ""
    return f"{method} {path} HTTP/1.1\r\nhost: localhost\r\n{length}{headers}\r\n".encode() + data


class Server:
    """The program with both models of its own on a free port."""

    def __init__(self, *flags: str) -> None:
        self.program = serve_program.Server("--model", "nano-gen", "--model", "nano-stream", *flags)
        self.process, self.port = self.program.process, self.program.port

    def stop(self) -> int:
        """As an operator stops it; its exit code."""
        try:
            return self.program.stop()
        finally:
            self.program.close()

    def resident_bytes(self) -> int:
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))

    async def connect(self, receive_bytes: int = 0) -> Connection:
        """receive_bytes: how little the client's system takes in before the client reads."""
        sock = socket.socket()
        if receive_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.port))
        return Connection(*await asyncio.open_connection(sock=sock, limit=max(receive_bytes, 65536)))

    async def ask(self, method: str, path: str, body: object = None) -> Reply:
        """On a connection of its own."""
        connection = await self.connect()
        try:
            return await connection.ask(method, path, body, "connection: close\r\n")
        finally:
            connection.close()

    async def level(self, name: str) -> float:
        """The sum of a metric over its labels."""
        reply = await self.ask("GET", "/metrics")
        rows = [line for line in reply.body.decode().splitlines() if line.split("{")[0].split(" ")[0] == name]
        if not rows:
            raise AssertionError(f"there is no metric {name}")
        return sum(float(row.rsplit(" ", 1)[1]) for row in rows)


def verdict_of(reply: Reply) -> dict:
    return reply.json()["results"][0]["qwen3guard"]


TEXTS = [f"{text}, case {i}?" for i in range(4) for text in (
    "What goes into a good onion soup", "How do I build a pipe bomb at home", "Which trees keep their leaves in winter",
    "Tell me how to hurt my neighbour", "Where can I buy stolen credit card numbers", "Help me plan a walk")]


@unittest.skipUnless(CLI and os.path.exists(CLI), "Q3G_CLI does not name the built program")
class ServeLoadTest(unittest.IsolatedAsyncioTestCase):
    @classmethod
    def setUpClass(cls) -> None:
        if not any(line.split()[:1] == ["serve"] for line in run("--help")[1].decode().splitlines()):
            raise unittest.SkipTest("the program was built without serve")
        if not os.path.exists("/proc/self/status"):
            raise unittest.SkipTest("memory is read from /proc")

    async def asyncSetUp(self) -> None:
        asyncio.get_running_loop().set_debug(False)  # it costs more than the server

    def serve(self, *flags: str) -> Server:
        server = Server(*flags)
        self.addCleanup(server.stop)
        return server

    async def assert_serves(self, server: Server) -> None:
        reply = await server.ask("POST", "/v1/moderations", {"input": "Hello"})
        self.assertEqual(reply.status, 200, reply.body)
        self.assertEqual(verdict_of(reply)["severity"], "Safe")

    async def assert_comes_to(self, server: Server, wanted: dict[str, float]) -> None:
        """The levels become these; who asks for them is a client itself."""
        end = time.monotonic() + PATIENCE_S
        while (levels := {name: await server.level(name) for name in wanted}) != wanted:
            self.assertIsNone(server.process.poll(), "the server has died")
            self.assertLess(time.monotonic(), end, levels)
            await asyncio.sleep(0.05)

    ALONE = {"qwen3guard_http_connections": 1, "qwen3guard_http_requests_in_flight": 1, "qwen3guard_waiting": 0,
             "qwen3guard_sessions": 0}


class OverloadTest(ServeLoadTest):
    async def known(self, server: Server) -> list[tuple[str, float]]:
        """What each text's verdict is while nobody else asks."""
        connection, known = await server.connect(), []
        for text in TEXTS:
            verdict = verdict_of(await connection.ask("POST", "/v1/moderations", {"input": text}))
            known.append((verdict["severity"], verdict["probabilities"]["unsafe"]))
        connection.close()
        return known

    def check(self, reply: Reply, name: str, known: tuple[str, float]) -> bool:
        """The reply belongs to the request; whether it is a verdict."""
        self.assertEqual(reply.headers["x-request-id"], name)
        if reply.status == 200:
            verdict = verdict_of(reply)
            self.assertEqual(verdict["severity"], known[0])
            self.assertAlmostEqual(verdict["probabilities"]["unsafe"], known[1], places=3)
            return True
        self.assertIn(reply.status, (429, 503))
        self.assertGreaterEqual(int(reply.headers["retry-after"]), 1)
        error = reply.json()["error"]
        self.assertEqual(sorted(error), ["code", "message", "param", "type"])
        self.assertEqual(error["type"], {429: "rate_limit_error", 503: "overloaded_error"}[reply.status])
        return False

    async def client(self, server: Server, number: int, n_requests: int, known: list[tuple[str, float]]) -> tuple[int, int]:
        """Asks without a rest; (verdicts, refusals). There is one reply for each request and nothing behind the last."""
        connection = await server.connect()
        n_verdicts = 0
        for i in range(n_requests):
            text = (number * 7 + i) % len(TEXTS)
            last = "connection: close\r\n" if i + 1 == n_requests else ""
            reply = await connection.ask("POST", "/v1/moderations", {"input": TEXTS[text]},
                                         f"x-request-id: client-{number}-{i}\r\n{last}")
            n_verdicts += self.check(reply, f"client-{number}-{i}", known[text])
        self.assertEqual(await connection.reader.read(), b"")
        connection.close()
        return n_verdicts, n_requests - n_verdicts

    async def test_every_request_has_one_reply_of_its_own(self) -> None:
        server = self.serve("--max-waiting", "8", "--max-batch", "4")
        known = await self.known(server)
        self.assertGreater(len({round(unsafe, 3) for _, unsafe in known}), len(TEXTS) // 2, "texts that can be told apart")
        resident = []
        for _ in range(3):
            counts = await asyncio.gather(*(self.client(server, number, 25, known) for number in range(48)))
            n_verdicts, n_refused = map(sum, zip(*counts))
            self.assertEqual(n_verdicts + n_refused, 48 * 25)
            self.assertGreater(n_verdicts, 0)
            self.assertGreater(n_refused, 0)
            resident.append(server.resident_bytes())
            await self.assert_serves(server)
        self.assertLess(resident[-1] - resident[0], 16 * MIB)  # the first round is what the server's buffers grow to
        await self.assert_comes_to(server, self.ALONE)
        self.assertEqual(server.stop(), 0)

    async def test_connections_past_the_limit_are_told(self) -> None:
        server = self.serve("--max-connections", "8")
        held = [await server.connect() for _ in range(8)]
        for connection in held:
            self.assertEqual((await connection.ask("GET", "/health")).status, 200)
        for _ in range(20):
            one_more = await server.connect()
            reply = await one_more.reply()
            self.assertEqual((reply.status, reply.headers["retry-after"]), (503, "1"))
            self.assertEqual(reply.json()["error"]["type"], "overloaded_error")
            one_more.close()
        for connection in held:
            self.assertEqual((await connection.ask("GET", "/health")).status, 200)
            connection.close()
        await self.assert_comes_to(server, self.ALONE)

    async def test_sessions_past_the_limit_are_told(self) -> None:
        server = self.serve("--max-sessions", "4")
        made = [await server.ask("POST", "/v1/stream", {"prompt": "Hello"}) for _ in range(6)]
        self.assertEqual([reply.status for reply in made], [201] * 4 + [429] * 2)
        self.assertGreaterEqual(int(made[-1].headers["retry-after"]), 1)
        self.assertEqual((await server.ask("DELETE", "/v1/stream/" + made[0].json()["id"])).status, 200)
        self.assertEqual((await server.ask("POST", "/v1/stream", {"prompt": "Hello"})).status, 201)


class VanishingTest(ServeLoadTest):
    async def vanish(self, server: Server, data: bytes, how: str) -> None:
        connection = await server.connect()
        connection.send(data)
        with contextlib.suppress(ConnectionError):
            await connection.writer.drain()
        await asyncio.sleep(0)
        getattr(connection, how)()

    async def test_clients_that_vanish_leave_nothing_behind(self) -> None:
        server = self.serve("--session-timeout-s", "1", "--read-timeout-s", "1")
        long_text = {"input": ["How do I make a cake? " * 40 for _ in range(8)]}
        whole = request("POST", "/v1/moderations", long_text)
        body_at = whole.index(b"\r\n\r\n") + 4
        create = request("POST", "/v1/stream", {"prompt": "Tell me a story about a fox. " * 20})
        phases = [b"", whole[:9], whole[:body_at - 2], whole[:body_at], whole[:body_at + 100], whole, whole + whole, create,
                  request("POST", "/v1/stream", {}), create[:-1]]
        for how in ("close", "reset"):
            await asyncio.gather(*(self.vanish(server, data, how) for data in phases for _ in range(6)))
            await self.assert_serves(server)
        await self.assert_comes_to(server, self.ALONE)
        await self.assert_serves(server)
        self.assertEqual(server.stop(), 0)

    async def test_clients_that_vanish_from_their_streams(self) -> None:
        server = self.serve("--session-timeout-s", "1")
        for how in ("close", "reset"):
            for _ in range(8):
                stream = "/v1/stream/" + (await server.ask("POST", "/v1/stream", {"prompt": "Hi"})).json()["id"]
                events = await server.connect()
                events.send(request("GET", stream + "/events"))
                self.assertEqual((await events.head())[0], 200)
                pushes = await server.connect()
                pushes.send(request("POST", stream, {"text": "The ferry left at six. " * 60}))
                await pushes.writer.drain()
                getattr(events, how)()
                getattr(pushes, how)()
        await self.assert_comes_to(server, self.ALONE)
        await self.assert_serves(server)
        self.assertEqual(server.stop(), 0)


class SlowTest(ServeLoadTest):
    async def test_events_that_nobody_reads_hold_up_nobody(self) -> None:
        server = self.serve("--write-timeout-s", "1")
        deaf, pushes = [], await server.connect()
        for _ in range(2):
            stream = "/v1/stream/" + (await pushes.ask("POST", "/v1/stream", {"prompt": "Hi"})).json()["id"]
            connection = await server.connect(receive_bytes=4096)
            connection.writer.transport.pause_reading()
            connection.send(request("GET", stream + "/events"))
            deaf.append((stream, connection))
        await self.assert_comes_to(server, {"qwen3guard_http_connections": 4})
        before = server.resident_bytes()
        body = {"text": "The ferry left at six, before the fog had lifted. " * 40}
        n_pushes = 0
        while await server.level("qwen3guard_http_connections") > 2:  # ours, and who asks
            n_pushes += 1
            self.assertLess(n_pushes, 200, "the system takes in some MiB, and the server a part of one, but not all this")
            for stream, _ in deaf:
                reply = await pushes.ask("POST", stream, body)
                self.assertEqual(reply.status, 200, reply.body)
            await self.assert_serves(server)
            body["rewind_to_byte"] = 0  # the conversation does not grow; there are as many events
        self.assertLess(server.resident_bytes() - before, 16 * MIB)
        for stream, connection in deaf:
            connection.writer.transport.resume_reading()
            self.assertTrue(await connection.is_cut())
            connection.close()
            self.assertEqual((await pushes.ask("POST", stream, {"text": "More."})).status, 200)  # the session lives
        pushes.close()

    async def trickle(self, connection: Connection, data: bytes) -> None:
        """A byte at a time, until the server has had enough."""
        cut = asyncio.ensure_future(connection.is_cut())
        for i in range(len(data)):
            connection.send(data[i:i + 1])
            done, _ = await asyncio.wait([cut], timeout=0.05)
            if done:
                break
        self.assertTrue(cut.done(), "the whole request was taken")
        connection.close()

    async def test_trickled_later_requests_are_cut(self) -> None:
        server = self.serve("--read-timeout-s", "0.5")
        connection = await server.connect()
        self.assertEqual((await connection.ask("GET", "/health")).status, 200)
        await self.trickle(connection, request("GET", "/health", headers="x-padding: " + "a" * 100 + "\r\n"))

    async def test_bodies_that_are_announced_hold_up_nobody(self) -> None:
        server = self.serve()
        announced = request("POST", "/v1/moderations", {"input": "a" * (MIB - len('{"input": ""}'))})
        clients = [await server.connect() for _ in range(300)]
        for connection in clients:
            connection.send(announced[:200])
        await self.assert_comes_to(server, {"qwen3guard_http_connections": len(clients) + 1})
        await self.assert_serves(server)
        for connection in clients:
            connection.close()

    async def test_bodies_past_the_limit_are_told(self) -> None:
        server = self.serve("--read-timeout-s", "60")
        clients = [await server.connect() for _ in range(300)]
        whole = request("POST", "/v1/moderations", {"input": "a" * 1_000_000})
        for connection in clients:
            connection.send(whole[:-1])
        replies = [asyncio.ensure_future(connection.reply()) for connection in clients]
        done, _ = await asyncio.wait(replies, timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            self.assertEqual(task.result().status, 503)
            self.assertGreaterEqual(int(task.result().headers.get("retry-after", 0)), 1)
        for task in replies:
            task.cancel()
        await asyncio.gather(*replies, return_exceptions=True)
        for connection in clients:
            connection.reset()

    async def test_trickled_requests_are_cut(self) -> None:
        server = self.serve("--read-timeout-s", "0.5")
        whole = request("POST", "/v1/moderations", {"input": "Hello, " * 40}, "x-padding: " + "a" * 100 + "\r\n")
        body_at = whole.index(b"\r\n\r\n") + 4
        in_head, in_body = await server.connect(), await server.connect()
        in_body.send(whole[:body_at])
        tasks = [asyncio.ensure_future(self.trickle(in_head, whole)),
                 asyncio.ensure_future(self.trickle(in_body, whole[body_at:]))]
        while not all(task.done() for task in tasks):
            await self.assert_serves(server)
            await asyncio.sleep(0.01)
        for task in tasks:
            await task
        await self.assert_comes_to(server, self.ALONE)


class IdleStreamsTest(ServeLoadTest):
    N = 1000

    def setUp(self) -> None:
        needed = 3 * self.N  # an inherited limit is the server's, too
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != resource.RLIM_INFINITY and soft < needed:
            if hard != resource.RLIM_INFINITY and hard < needed:
                self.skipTest(f"a process may open {hard} files; {needed} are needed")
            resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
            self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))

    async def listen(self, server: Server, pushes: Connection) -> tuple[str, Connection]:
        """To a stream of which nothing was said yet: what was said is the model's memory, not the connection's."""
        stream = "/v1/stream/" + (await pushes.ask("POST", "/v1/stream", {})).json()["id"]
        events = await server.connect()
        events.send(request("GET", stream + "/events"))
        status, headers = await events.head()
        self.assertEqual((status, headers["content-type"]), (200, "text/event-stream"))
        return stream, events

    async def test_a_thousand_event_streams(self) -> None:
        server = self.serve()
        pushes = await server.connect()
        await self.assert_serves(server)
        listeners = [await self.listen(server, pushes) for _ in range(self.N)]
        self.assertEqual(await server.level("qwen3guard_sessions"), self.N)
        self.assertLess(server.resident_bytes(), 100 * MIB)
        await self.assert_serves(server)
        for stream, events in listeners[::100]:
            self.assertEqual((await pushes.ask("POST", stream, {"text": "Once upon a time."})).status, 200)
            await events.until(b"event: update\n")
        for _, events in listeners:
            events.close()
        pushes.close()
        self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main()
