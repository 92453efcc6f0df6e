# SPDX-License-Identifier: Apache-2.0
"""`qwen3guard serve` as a process of a test's own, and clients of it: one for requests as they should be, and one for bytes as
wrong as a test wants them.

Q3G_CLI names the program; without it, or without `serve` in it, the tests skip. Standard library only.
"""
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import threading
import time
import unittest
from collections.abc import Iterator
from typing import Any

from cli_test import CLI, CliTest, run

if os.name == "nt":
    raise unittest.SkipTest("the server is for POSIX systems")

PATIENCE_S = 60.0  # only a server that hangs takes as long
HAS_SERVE = bool(CLI) and os.path.exists(CLI) and run("serve", "--help")[0] == 0


class Reply:
    """What came back for one request. Headers by their lower-case names."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    def json(self) -> Any:
        return json.loads(self.body)

    def events(self) -> list[tuple[str, str]]:
        """The server-sent events of a whole body: (event, data)."""
        return [event for event in map(parse_event, self.body.decode().split("\n\n")) if event]


def parse_event(block: str) -> tuple[str, str] | None:
    """One block of an event stream; nothing for a comment or a mere `retry:`."""
    fields: dict[str, list[str]] = {}
    for line in block.split("\n"):
        name, _, value = line.partition(":")
        fields.setdefault(name, []).append(value.removeprefix(" "))
    if "data" not in fields:
        return None
    return fields.get("event", ["message"])[0], "\n".join(fields["data"])


class Wire:
    """A connection whose requests are bytes."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(PATIENCE_S)
        self.sock, self.seen = sock, b""

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def _more(self) -> bool:
        try:
            piece = self.sock.recv(65536)
        except ConnectionError:
            piece = b""
        self.seen += piece
        return bool(piece)

    def _take_until(self, end: bytes) -> bytes:
        while end not in self.seen:
            if not self._more():
                raise AssertionError(f"the server closed the connection before {end!r}: {self.seen!r}")
        taken, self.seen = self.seen.split(end, 1)
        return taken

    def _take(self, n: int) -> bytes:
        while len(self.seen) < n:
            if not self._more():
                raise AssertionError(f"the server closed the connection in a body: {self.seen!r}")
        taken, self.seen = self.seen[:n], self.seen[n:]
        return taken

    def head(self) -> Reply:
        """The next reply's status and headers."""
        lines = self._take_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines[1:])}
        return Reply(int(lines[0].split()[1]), headers, b"")

    def reply(self, has_body: bool = True) -> Reply:
        """The next reply; its connection may stay open."""
        reply = self.head()
        if not has_body or reply.status in (100, 204):
            return reply
        if reply.headers.get("transfer-encoding") == "chunked":
            while size := int(self._take_until(b"\r\n"), 16):
                reply.body += self._take(size)
                self._take(2)
            self._take(2)
        elif "content-length" in reply.headers:
            reply.body = self._take(int(reply.headers["content-length"]))
        else:
            reply.body = self.rest()
        return reply

    def rest(self) -> bytes:
        """All up to the connection's end."""
        while self._more():
            pass
        taken, self.seen = self.seen, b""
        return taken

    def events(self) -> Iterator[tuple[str, str]]:
        """The events of a reply whose head was read, one by one as they come (chunked)."""
        text = ""
        while size := int(self._take_until(b"\r\n"), 16):
            text += self._take(size).decode()
            self._take(2)
            while "\n\n" in text:
                block, text = text.split("\n\n", 1)
                if event := parse_event(block):
                    yield event


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a socket that is a file."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=PATIENCE_S)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Server:
    """The program on a free port, or on what the flags say. It does not outlive the `with`, or close()."""

    def __init__(self, *flags: str, tls: ssl.SSLContext | None = None, where: tuple[str, ...] = ("--port", "0"),
                 program: tuple[str, ...] = (CLI, "serve")) -> None:
        self.tls = tls
        self.process = subprocess.Popen([*program, *where, *flags], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True, errors="replace")
        self._lines: list[str] = []
        self._has_ended = False
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read_lines, daemon=True)
        self._reader.start()
        try:
            self.address = self.wait_for_line("listening on ").split("listening on ")[1]
        except BaseException:
            self.close()
            raise
        self.port = 0 if self.address.startswith("unix:") else int(self.address.rsplit(":", 1)[1])

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Its end in any case."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
        self.process.stderr.close()

    def _read_lines(self) -> None:
        for line in self.process.stderr:
            with self._changed:
                self._lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._has_ended = True
            self._changed.notify_all()

    def wait_for_line(self, part: str, n: int = 1) -> str:
        """The n-th line on stderr so far that holds the part, as soon as it is there."""
        with self._changed:
            def found() -> list[str]:
                return [line for line in self._lines if part in line]
            if not self._changed.wait_for(lambda: len(found()) >= n or self._has_ended, PATIENCE_S) or len(found()) < n:
                raise AssertionError(f"the server did not say {part!r}: {self._lines}")
            return found()[n - 1]

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def exit_code(self) -> int:
        """Waits for its end."""
        return self.process.wait(PATIENCE_S)

    def stop(self) -> int:
        """As an operator stops it; its exit code."""
        self.signal(signal.SIGTERM)
        return self.exit_code()

    def _connection(self) -> http.client.HTTPConnection:
        if self.address.startswith("unix:"):
            return UnixConnection(self.address.removeprefix("unix:"))
        if self.tls:
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=PATIENCE_S, context=self.tls)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)

    def ask(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Reply:
        """One request on a connection of its own. A body that is not bytes is sent as JSON."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        given = {"content-type": "application/json"} if data is not None else {}
        connection = self._connection()
        try:
            connection.request(method, path, data, {**given, **(headers or {})})
            response = connection.getresponse()
            return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def get(self, path: str, headers: dict[str, str] | None = None) -> Reply:
        return self.ask("GET", path, None, headers)

    def post(self, path: str, body: object, headers: dict[str, str] | None = None) -> Reply:
        return self.ask("POST", path, body, headers)

    def wire(self) -> Wire:
        return Wire(socket.create_connection(("127.0.0.1", self.port)))

    def metric(self, name: str, **labels: str) -> float:
        """A number of /metrics; 0 for one that is not there yet."""
        for line in self.get("/metrics").body.decode().splitlines():
            left, _, value = line.rpartition(" ")
            sample, _, rest = left.partition("{")
            if sample == name and all(f'{k}="{v}"' in rest for k, v in labels.items()):
                return float(value)
        return 0.0


def eventually(is_so: Any) -> bool:
    """Whether it comes to be so: for what the server does at a time of its own."""
    end = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@unittest.skipUnless(HAS_SERVE, "this build has no `serve`, or Q3G_CLI does not name the built program")
class ServeTest(CliTest):
    """Tests of a server. Those of a class share the one that its FLAGS say, where it says FLAGS."""

    FLAGS: tuple[str, ...] | None = None
    server: Server

    @classmethod
    def setUpClass(cls) -> None:
        if cls.FLAGS is not None:
            cls.server = Server(*cls.FLAGS)
            cls.addClassCleanup(cls.server.close)

    def assert_refused(self, reply: Reply, status: int, *words: str, **members: str | None) -> dict[str, Any]:
        """An error in OpenAI's shape, with the words in its message."""
        kinds = {401: "authentication_error", 403: "authentication_error", 429: "rate_limit_error", 503: "overloaded_error",
                 504: "timeout_error"}
        self.assertEqual(reply.status, status, reply.body)
        self.assertEqual(reply.headers.get("content-type"), "application/json")
        body = reply.json()
        self.assertEqual(list(body), ["error"])
        error = body["error"]
        self.assertEqual(sorted(error), ["code", "message", "param", "type"])
        self.assertEqual(error["type"], kinds.get(status, "invalid_request_error" if status < 500 else "server_error"))
        for word in words:
            self.assertIn(word, error["message"])
        for name, value in members.items():
            self.assertEqual(error[name], value, error)
        return error

    def assert_close(self, one: Any, other: Any, places: int = 4, at: str = "") -> None:
        """Equal JSON, numbers within rounding."""
        if isinstance(one, dict) and isinstance(other, dict):
            self.assertEqual(list(one), list(other), at)
            for key in one:
                self.assert_close(one[key], other[key], places, f"{at}.{key}")
        elif isinstance(one, list) and isinstance(other, list):
            self.assertEqual(len(one), len(other), at)
            for i, (a, b) in enumerate(zip(one, other)):
                self.assert_close(a, b, places, f"{at}[{i}]")
        elif isinstance(one, float) or isinstance(other, float):
            self.assertAlmostEqual(one, other, places, at)
        else:
            self.assertEqual(one, other, at)
