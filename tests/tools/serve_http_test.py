# SPDX-License-Identifier: Apache-2.0
"""`qwen3guard serve` as an HTTP server: what is no request, or one too many, or too large, has an answer, and the next request
is read where it begins.

Q3G_CLI names the program; without it the tests skip. Standard library only.
"""
import json
import os
import random
import re
import socket
import ssl
import subprocess
import tempfile
import unittest
from pathlib import Path

from cli_test import CLI, run
from serve_program import Reply, ServeTest, Server, UnixConnection, Wire

BODY = b'{"input": "Hello"}'
LENGTH = b"content-length: %d\r\n" % len(BODY)
HOST = b"host: localhost\r\n"


def moderation(headers: bytes = LENGTH, body: bytes = BODY, version: bytes = b"1.1") -> bytes:
    return b"POST /v1/moderations HTTP/" + version + b"\r\n" + HOST + headers + b"\r\n" + body


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


class HttpTest(ServeTest):
    FLAGS = ("--model", "nano-gen", "--max-body-bytes", "65536", "--read-timeout-s", "30")

    def exchange(self, data: bytes) -> Reply:
        """A request of bytes, and its reply."""
        with self.server.wire() as wire:
            wire.send(data)
            return wire.reply()

    def assert_alive(self) -> None:
        self.assertEqual(self.server.get("/health").json(), {"status": "ok"})

    def assert_judged(self, reply: Reply) -> None:
        self.assertEqual(reply.status, 200, reply.body)
        self.assertEqual(len(reply.json()["results"]), 1)


class RequestTest(HttpTest):
    def test_health_and_readiness(self) -> None:
        self.assertEqual(self.server.get("/health").json(), {"status": "ok"})
        self.assertEqual(self.server.get("/ready").json(), {"status": "ready"})
        page = self.server.get("/")
        self.assertEqual(page.status, 200)
        self.assertIn("text/html", page.headers["content-type"])

    def test_a_path_that_is_not_there(self) -> None:
        for path in ("/nothing", "/v1", "/v1/moderations/", "//health", "/v1/stream/x/y", "/health/../metrics", "/%68ealth"):
            self.assert_refused(self.server.get(path), 404, path, code="not_found")
        self.assertEqual(self.server.get("/health?x=1").status, 200)

    def test_a_method_that_is_not_taken(self) -> None:
        for method, path, allowed in (("GET", "/v1/moderations", "POST"), ("PUT", "/v1/chat/completions", "POST"),
                                      ("POST", "/health", "GET"), ("DELETE", "/metrics", "GET"), ("PATCH", "/v1/stream/x", "")):
            reply = self.server.ask(method, path)
            self.assert_refused(reply, 405, path, code="method_not_allowed")
            self.assertIn(allowed, reply.headers["allow"])

    def test_absurd_methods(self) -> None:
        for method in (b"FROBNICATE", b"get", b"G" * 200, b"M-SEARCH"):
            reply = self.exchange(method + b" /health HTTP/1.1\r\n" + HOST + b"\r\n")
            self.assertEqual(reply.status, 405, method)
        for method in (b"G\xffT", b"", b"G(T", b"\x00"):
            reply = self.exchange(method + b" /health HTTP/1.1\r\n" + HOST + b"\r\n")
            self.assertEqual(reply.status, 400, method)
        self.assert_alive()

    def test_head_has_the_headers_and_no_body(self) -> None:
        with self.server.wire() as wire:
            wire.send(b"HEAD /health HTTP/1.1\r\n" + HOST + b"\r\n" + moderation())
            head = wire.reply(has_body=False)
            self.assertEqual((head.status, head.headers["content-length"]), (200, str(len(self.server.get("/health").body))))
            self.assert_judged(wire.reply())
        with self.server.wire() as wire:
            wire.send(b"HEAD /nothing HTTP/1.1\r\n" + HOST + b"\r\n" + moderation())
            self.assertEqual(wire.reply(has_body=False).status, 404)
            self.assert_judged(wire.reply())

    def test_http_1_0_and_who_closes(self) -> None:
        with self.server.wire() as wire:
            wire.send(moderation(version=b"1.0"))
            reply = wire.reply()
            self.assert_judged(reply)
            self.assertEqual(reply.headers["connection"], "close")
            self.assertEqual(wire.rest(), b"")
        with self.server.wire() as wire:
            wire.send(moderation(LENGTH + b"connection: keep-alive\r\n", version=b"1.0"))
            self.assert_judged(wire.reply())
            wire.send(moderation(LENGTH + b"connection: close\r\n"))
            self.assert_judged(wire.reply())
            self.assertEqual(wire.rest(), b"")
        with self.server.wire() as wire:  # a reply in pieces: HTTP/1.0 has no chunks, its end is the connection's
            body = b'{"stream": true, "messages": [{"role": "user", "content": "Hi"}]}'
            wire.send(b"POST /v1/chat/completions HTTP/1.0\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
            reply = wire.reply()
            self.assertNotIn("transfer-encoding", reply.headers)
            self.assertTrue(reply.body.endswith(b"data: [DONE]\n\n"))

    def test_one_connection_many_requests(self) -> None:
        with self.server.wire() as wire:
            for _ in range(20):
                wire.send(moderation())
                self.assert_judged(wire.reply())

    def test_pipelined_requests_are_answered_in_their_order(self) -> None:
        with self.server.wire() as wire:
            ids = [f"pipelined-{i}" for i in range(30)]
            wire.send(b"".join(moderation(LENGTH + f"x-request-id: {name}\r\n".encode()) if i % 3 else
                               f"GET /health HTTP/1.1\r\nhost: localhost\r\nx-request-id: {name}\r\n\r\n".encode()
                               for i, name in enumerate(ids)))
            replies = [wire.reply() for _ in ids]
        self.assertEqual([reply.headers["x-request-id"] for reply in replies], ids)
        self.assertEqual({reply.status for reply in replies}, {200})

    def test_a_request_may_come_in_any_pieces(self) -> None:
        seed = random.randrange(1 << 32)
        print(f"seed {seed}")
        rng = random.Random(seed)
        whole = moderation() + moderation(b"transfer-encoding: chunked\r\n", chunked(BODY[:5], BODY[5:]))
        for _ in range(5):
            with self.server.wire() as wire:
                wire.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                at = 0
                while at < len(whole):
                    n = rng.choice((1, 2, 3, 50))
                    wire.send(whole[at:at + n])
                    at += n
                self.assert_judged(wire.reply())
                self.assert_judged(wire.reply())

    def test_chunks(self) -> None:
        te = b"transfer-encoding: chunked\r\n"
        self.assert_judged(self.exchange(moderation(te, chunked(*(BODY[i:i + 1] for i in range(len(BODY)))))))
        self.assert_judged(self.exchange(moderation(te, b"%x;x=y\r\n%s\r\n0\r\nx-trailer: 1\r\n\r\n" % (len(BODY), BODY))))
        self.assertEqual(self.exchange(moderation(te, b"zz\r\n" + BODY)).status, 400)
        self.assertEqual(self.exchange(moderation(te, b"ffffffffffffffffff\r\n" + BODY)).status, 400)

    def test_continue(self) -> None:
        with self.server.wire() as wire:
            wire.send(moderation(LENGTH + b"expect: 100-continue\r\n", b""))
            self.assertEqual(wire.reply().status, 100)
            wire.send(BODY)
            self.assert_judged(wire.reply())
            wire.send(moderation())
            self.assert_judged(wire.reply())
        # A body that will be refused is not asked for.
        with self.server.wire() as wire:
            wire.send(moderation(b"content-length: 65537\r\nexpect: 100-continue\r\n", b""))
            self.assertEqual(wire.reply().status, 413)


class RefusalTest(HttpTest):
    def test_a_body_too_large(self) -> None:
        filler = b'{"input": "' + b"x" * 2000 + b'"}'
        for pad in (65536, 65537):
            body = filler.ljust(pad)
            for data in (moderation(b"content-length: %d\r\n" % len(body), body),
                         moderation(b"transfer-encoding: chunked\r\n", chunked(*(body[i:i + 7000] for i in range(0, pad, 7000))))):
                with self.server.wire() as wire:
                    wire.send(data)
                    reply = wire.reply()
                    if pad == 65536:
                        self.assert_judged(reply)
                    else:
                        self.assert_refused(reply, 413, "65536")
                        self.assertEqual(wire.rest(), b"")
        # The length alone is enough.
        self.assert_refused(self.exchange(moderation(b"content-length: 99999999999\r\n", b"")), 413)
        self.assertIn(self.exchange(moderation(b"content-length: 99999999999999999999999\r\n", b"")).status, (400, 413))
        self.assert_alive()

    def test_what_is_refused_unread_is_spelled_as_its_path_spells_it(self) -> None:
        for path, member in ((b"/v1alpha1/comments:analyze?key=x", "status"), (b"/contentsafety/text:analyze", "details"), (b"/v1/moderations", "param")):
            for rest in (b"content-length: 99999999\r\n\r\n", b"x-large: " + b"x" * 20000 + b"\r\n\r\n",
                         b"transfer-encoding: gzip\r\n\r\n"):
                with self.subTest((path, rest[:20])):
                    reply = self.exchange(b"POST " + path + b" HTTP/1.1\r\nhost: localhost\r\n" + rest)
                    self.assertIn(reply.status, (400, 413, 431))
                    self.assertIn(member, reply.json()["error"])

    def test_headers_too_large(self) -> None:
        self.assert_refused(self.exchange(moderation(LENGTH + b"x-large: " + b"x" * 20000 + b"\r\n")), 431)
        self.assert_refused(self.exchange(moderation(LENGTH + b"x: y\r\n" * 5000)), 431)
        self.assertIn(self.exchange(b"GET /" + b"x" * 20000 + b" HTTP/1.1\r\n" + HOST + b"\r\n").status, (414, 431))
        self.assert_judged(self.exchange(moderation(LENGTH + b"x-large: " + b"x" * 12000 + b"\r\n")))

    def test_what_is_no_http(self) -> None:
        for data in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200, b"hello\r\n\r\n", b"GET /health\r\n\r\n",
                     b"GET /health HTTP/2.0\r\n\r\n", b"GET /health HTTP/1.1 \r\n\r\n", b"GET  /health HTTP/1.1\r\n\r\n",
                     b"GET /health HTTP/1.1\r\nno colon\r\n\r\n", b"GET /health HTTP/1.1\r\n: x\r\n\r\n",
                     b"GET /health HTTP/1.1\r\nx y: z\r\n\r\n", b"GET /health HTTP/1.1\r\nx : z\r\n\r\n",
                     b"GET /health HTTP/1.1\r\nx: a\x00b\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                     b"GET /he\x00alth HTTP/1.1\r\n\r\n",
                     moderation(b"content-length: -1\r\n"), moderation(b"content-length: 1x\r\n"),
                     moderation(b"content-length: +18\r\n"), moderation(b"content-length: 18, 5\r\n"),
                     moderation(b"content-length: \r\n")):
            with self.subTest(data=data[:60]), self.server.wire() as wire:
                wire.send(data)
                reply = wire.reply()
                self.assert_refused(reply, 400)
                self.assertEqual(reply.headers["connection"], "close")
                self.assertEqual(wire.rest(), b"")
        self.assert_alive()

    def test_where_a_body_ends_is_never_a_question(self) -> None:
        """Two lengths that a proxy in front may read in another way (request smuggling)."""
        inner = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n"
        te, zero = b"transfer-encoding: chunked\r\n", b"0\r\n\r\n"
        for headers, body in ((b"content-length: %d\r\n" % (len(zero) + len(inner)) + te, zero + inner),
                              (te + b"content-length: 4\r\n", zero + inner),
                              (b"content-length: 18\r\ncontent-length: 5\r\n", BODY + inner),
                              (b"transfer-encoding: chunked, identity\r\n", zero + inner),
                              (b"transfer-encoding: xchunked\r\n", zero + inner),
                              (b"transfer-encoding: gzip, chunked\r\n", zero + inner),
                              (b"transfer-encoding : chunked\r\ncontent-length: 5\r\n", zero + inner)):
            with self.subTest(headers=headers), self.server.wire() as wire:
                wire.send(moderation(headers, body))
                reply = wire.reply()
                self.assertIn(reply.status, (400, 501))
                self.assertEqual((reply.headers["connection"], wire.rest()), ("close", b""))

    def test_nothing_and_halves(self) -> None:
        for data in (b"", b"\r\n", b"GET", b"GET /health HTTP/1.1\r\n", moderation()[:-3],
                     moderation(b"transfer-encoding: chunked\r\n", b"5\r\n{")):
            with self.server.wire() as wire:
                wire.send(data)
                wire.sock.shutdown(socket.SHUT_WR)
                wire.rest()  # closed, with an answer or none
        self.assert_alive()

    def test_a_request_that_does_not_come_is_not_waited_for(self) -> None:
        with Server("--model", "nano-gen", "--read-timeout-s", "0.2") as server:
            for data in (b"", b"GET /he", moderation()[:-3]):
                with server.wire() as wire:
                    wire.send(data)
                    wire.rest()
            self.assertEqual(server.get("/health").status, 200)

    def test_more_connections_than_may_be(self) -> None:
        with Server("--model", "nano-gen", "--max-connections", "2") as server:
            with server.wire() as one, server.wire() as two:
                for wire in (one, two):
                    wire.send(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
                    self.assertEqual(wire.reply().status, 200)
                with server.wire() as three:
                    reply = three.reply()
                    self.assert_refused(reply, 503)
                    self.assertIn("retry-after", reply.headers)
                one.send(moderation())
                self.assert_judged(one.reply())


class BodyTest(HttpTest):
    def judge(self, body: bytes, headers: dict[str, str] | None = None) -> Reply:
        return self.server.post("/v1/moderations", body, headers)

    def test_malformed_json_is_named_by_its_byte(self) -> None:
        for body, byte in ((b'{"input": "x",}', 14), (b'{"input" "x"}', 9), (b'{"input": nul}', 10), 
                           (b'{"input": "a\nb"}', 12), (b'{"input": "\\q"}', 11), (b'{"input": "x"} {}', 15),
                           (b'{"input": 01}', 11), (b"{'input': 1}", 1), (b'{"input": NaN}', 10), (b"\xef\xbb\xbf{}", 0)):
            with self.subTest(body=body):
                error = self.assert_refused(self.judge(body), 400, code="invalid_json")
                named = re.search(r"byte (\d+)", error["message"])
                self.assertIsNotNone(named, error)
                self.assertLessEqual(abs(int(named.group(1)) - byte), 1, error)
        for body in (b"", b"{", b'{"input": "x"', b'{"input": "x'):
            self.assert_refused(self.judge(body), 400, "ends", code="invalid_json")

    def test_a_key_twice(self) -> None:
        for body in (b'{"input": "a", "input": "b"}', b'{"input": "a", "inp\\u0075t": "b"}'):
            self.assert_refused(self.judge(body), 400, "input")
        body = b'{"messages": [{"role": "user", "content": "a", "content": "b"}]}'
        self.assert_refused(self.server.post("/v1/chat/completions", body), 400, "content")

    def test_not_utf8(self) -> None:
        for text, byte in ((b"caf\xe9", 14), (b"\xff", 11), (b"\xed\xa0\x80", 11), (b"\xc0\x80", 11), (b"\xf5\x80\x80\x80", 11)):
            error = self.assert_refused(self.judge(b'{"input": "' + text + b'"}'), 400, "UTF-8", code="invalid_utf8")
            self.assertIn(f"byte {byte}", error["message"])
        self.assert_refused(self.judge(rb'{"input": "\ud800"}'), 400, "surrogate", param="input")
        self.assert_judged(self.judge(rb'{"input": "\ud83d\ude00\u0000"}'))

    def test_deep_nesting(self) -> None:
        for body in (b"[" * 60000, b'{"a":' * 10000, b'{"input": ' + b"[" * 30000 + b"]" * 30000 + b"}",
                     b'{"input": "x", "more": ' + b"[" * 30000 + b"]" * 30000 + b"}"):
            self.assert_refused(self.judge(body), 400)
        self.assert_alive()

    def test_any_content_type_is_read_as_json(self) -> None:
        """As curl sends it (form-urlencoded), as programs do, and as nobody should."""
        for kind in ("application/x-www-form-urlencoded", "text/plain", "application/json; charset=utf-8", "multipart/form-data", ""):
            self.assert_judged(self.judge(BODY, {"content-type": kind}))

    def test_a_body_encoded_in_another_way_is_no_json(self) -> None:
        import gzip
        self.assertEqual(self.judge(gzip.compress(BODY), {"content-encoding": "gzip"}).status // 100, 4)

    def test_bytes_at_random_never_end_it(self) -> None:
        seed = random.randrange(1 << 32)
        print(f"seed {seed}")
        rng = random.Random(seed)
        for _ in range(60):
            body = bytearray(BODY)
            for _ in range(rng.randrange(1, 4)):
                at = rng.randrange(len(body))
                body[at:at + rng.randrange(3)] = rng.choice((b"", b'"', b"{", b"[", b"\\", b"\x00", b"\xf0", b",", b":", b"e"))
            reply = self.judge(bytes(body))
            if reply.status != 200:
                self.assert_refused(reply, 400)


class RequestIdTest(HttpTest):
    def test_it_is_echoed_or_made(self) -> None:
        self.assertEqual(self.server.get("/health", {"x-request-id": "a.B-c_1:2"}).headers["x-request-id"], "a.B-c_1:2")
        made = self.server.get("/health").headers["x-request-id"]
        self.assertRegex(made, r"^[A-Za-z0-9_-]{8,}$")
        self.assertNotEqual(made, self.server.get("/health").headers["x-request-id"])
        for wrong in ("x" * 129, "a b", "a;b", "<script>", "\u00e9", "a\tb", ""):
            given = self.server.get("/nothing", {"x-request-id": wrong.encode().decode("latin-1")}).headers["x-request-id"]
            self.assertRegex(given, r"^req-[0-9a-f]+$")

    def test_nothing_of_it_becomes_a_header(self) -> None:
        for value in (b"a\r\n set-cookie: x=1", b"a\rset-cookie: x=1", b"a\x0bset-cookie: x=1", b"a%0d%0aset-cookie: x=1"):
            with self.server.wire() as wire:
                wire.send(b"GET /health HTTP/1.1\r\nhost: localhost\r\nx-request-id: " + value + b"\r\nconnection: close\r\n\r\n")
                got = wire.rest()
            self.assertIn(got[:12], (b"HTTP/1.1 200", b"HTTP/1.1 400"))
            self.assertNotIn(b"set-cookie", got)

    def test_every_reply_has_one(self) -> None:
        for reply in (self.server.post("/v1/moderations", b"{"), self.server.get("/nothing"), self.server.ask("PUT", "/health"),
                      self.exchange(moderation(b"content-length: 99999999\r\n", b"")), self.exchange(b"hello\r\n\r\n")):
            self.assertIn("x-request-id", reply.headers, reply.status)

    def test_what_a_client_writes_is_quoted_in_errors(self) -> None:
        reply = self.exchange(b"GET /\"\\<\xc3\xa9\x7f HTTP/1.1\r\n" + HOST + b"\r\n")
        self.assertIn(reply.status, (400, 404))
        reply.json()


class HostTest(HttpTest):
    """A foreign site's page whose name was made to lead to this machine (DNS rebinding) tells that name."""

    LOCAL = ("localhost", "LocalHost:8080", "a.localhost", "127.0.0.1", "127.0.0.1:8080", "10.1.2.3:80", "[::1]", "[::1]:8080")
    FOREIGN = ("evil.example", "evil.example:8080", "localhost.evil.example", "evillocalhost", "127.0.0.1.evil.example", "1.evil", "x")

    def status(self, server: Server, host: str) -> int:
        return server.post("/v1/moderations", BODY, {"host": host}).status

    def test_without_keys_only_names_of_this_machine_are_answered(self) -> None:
        for host in self.LOCAL:
            self.assertEqual(self.status(self.server, host), 200, host)
        for host in self.FOREIGN:
            for method, path in (("GET", "/"), ("GET", "/health"), ("POST", "/v1/moderations"), ("GET", "/metrics"),
                                 ("OPTIONS", "/v1/moderations")):
                self.assert_refused(self.server.ask(method, path, headers={"host": host}), 403, code="untrusted_page")
        self.assertGreater(self.server.metric("qwen3guard_refused_total", reason="host"), 0)

    def test_pages_of_other_origins(self) -> None:
        """Browsers send such a request without asking first."""
        body = b'{"input": "hello"}'
        for origin, status in (("http://evil.example", 403), ("null", 403), (f"http://127.0.0.1:{self.server.port}", 200)):
            reply = self.server.ask("POST", "/v1/moderations", body, {"origin": origin, "content-type": "text/plain"})
            self.assertEqual(reply.status, status, origin)

    def test_names_that_it_was_told(self) -> None:
        with Server("--model", "nano-gen", "--allowed-host", "guard.example", "--allowed-host", "other.example") as server:
            for host in ("guard.example", "Guard.Example:443", "other.example", *self.LOCAL):
                self.assertEqual(self.status(server, host), 200, host)
            for host in ("guard.example.evil", "xguard.example", *self.FOREIGN):
                self.assertEqual(self.status(server, host), 403, host)

    def test_with_keys_any_name_will_do(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            keys = Path(folder, "keys")
            keys.write_text("one one-key-0123456789\n", encoding="utf-8")
            with Server("--model", "nano-gen", "--keys", str(keys)) as server:
                key = {"authorization": "Bearer one-key-0123456789"}
                for host in (*self.LOCAL, *self.FOREIGN):
                    self.assertEqual(server.post("/v1/moderations", BODY, {"host": host, **key}).status, 200, host)


class CorsTest(HttpTest):
    def preflight(self, server: Server) -> Reply:
        return server.ask("OPTIONS", "/v1/moderations", headers={
            "origin": "https://example.com", "access-control-request-method": "POST",
            "access-control-request-headers": "authorization, content-type"})

    def test_off_by_default(self) -> None:
        for reply in (self.server.get("/health", {"origin": "https://example.com"}), self.preflight(self.server)):
            self.assertFalse([name for name in reply.headers if name.startswith("access-control-")])
        self.assertEqual(self.preflight(self.server).status, 403)

    def test_on(self) -> None:
        for origin in ("https://example.com", "*"):
            with Server("--model", "nano-gen", "--cors-origin", origin) as server:
                reply = self.preflight(server)
                self.assertEqual(reply.status, 204)
                self.assertIn("POST", reply.headers["access-control-allow-methods"])
                self.assertIn("authorization", reply.headers["access-control-allow-headers"])
                for other in (reply, server.post("/v1/moderations", BODY), server.post("/v1/moderations", b"{"),
                              server.get("/nothing")):
                    self.assertEqual(other.headers["access-control-allow-origin"], origin)
                    self.assertNotIn("access-control-allow-credentials", other.headers)


class ListenerTest(ServeTest):
    def test_tls(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            key, certificate = f"{folder}/key.pem", f"{folder}/certificate.pem"
            try:
                subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                                "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=localhost", "-addext",
                                "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True, timeout=60)
            except FileNotFoundError:
                self.skipTest("no openssl program")
            tls = ssl.create_default_context(cafile=certificate)
            with Server("--model", "nano-gen", "--tls-cert", certificate, "--tls-key", key, tls=tls) as server:
                self.assertTrue(server.address.startswith("https://127.0.0.1:"))
                for _ in range(3):
                    self.assertEqual(server.post("/v1/moderations", BODY).status, 200)
                with server.wire() as plain:  # a client that speaks no TLS is let go
                    plain.send(b"GET /health HTTP/1.1\r\n\r\n")
                    plain.rest()
                for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                    only = ssl.create_default_context(cafile=certificate)
                    only.minimum_version = only.maximum_version = version
                    server.tls = only
                    self.assertEqual(server.get("/health").status, 200)
                with self.assertRaises(ssl.SSLError):
                    server.tls = ssl.create_default_context()
                    server.get("/health")
                server.tls = tls
                with Wire(tls.wrap_socket(socket.create_connection(("127.0.0.1", server.port)),
                                          server_hostname="localhost")) as wire:
                    wire.send(moderation() * 3)
                    self.assertEqual([wire.reply().status for _ in range(3)], [200] * 3)
                self.assertEqual(server.stop(), 0)
            self.assert_error(run("serve", "--port", "0", "--tls-cert", certificate), "--tls-key")
            self.assert_error(run("serve", "--port", "0", "--tls-cert", certificate, "--tls-key", certificate), "certificate")
            self.assert_error(run("serve", "--port", "0", "--tls-cert", f"{folder}/none", "--tls-key", key), "none")

    def test_a_socket_that_is_a_file(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/guard.sock"
            with Server("--model", "nano-gen", where=("--unix-socket", path)) as server:
                self.assertEqual(server.address, f"unix:{path}")
                self.assertEqual(server.post("/v1/moderations", BODY).status, 200)
                self.assert_error(run("serve", "--model", "nano-gen", "--unix-socket", path), "answers")
                self.assertEqual(server.get("/health").status, 200)
                self.assertEqual(server.stop(), 0)
            self.assertFalse(os.path.exists(path))
            # What a process left behind that was killed is no obstacle; another file is.
            with Server("--model", "nano-gen", where=("--unix-socket", path)) as server:
                server.process.kill()
                server.process.wait()
                self.assertTrue(os.path.exists(path))
            with Server("--model", "nano-gen", where=("--unix-socket", path)) as server:
                self.assertEqual(server.get("/health").status, 200)
                server.stop()
            Path(path).write_text("mine", encoding="utf-8")
            self.assert_error(run("serve", "--model", "nano-gen", "--unix-socket", path), "socket")
            self.assertEqual(Path(path).read_text(encoding="utf-8"), "mine")
            self.assert_error(run("serve", "--model", "nano-gen", "--unix-socket", f"{folder}/none/guard.sock"), "none/guard.sock")
            self.assert_error(run("serve", "--model", "nano-gen", "--unix-socket", f"{folder}/{'x' * 200}"), "xxx")

    def test_a_port_in_use(self) -> None:
        with Server("--model", "nano-gen") as server:
            self.assert_error(run("serve", "--model", "nano-gen", "--port", str(server.port)), str(server.port), "in use")
            self.assertEqual(server.get("/health").status, 200)

    def test_ip_version_6(self) -> None:
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            self.skipTest("no IPv6 here")
        with Server("--model", "nano-gen", "--host", "::1") as server:
            self.assertTrue(server.address.startswith("http://[::1]:"))
            with Wire(socket.create_connection(("::1", server.port))) as wire:
                wire.send(moderation())
                self.assertEqual(wire.reply().status, 200)

    def test_wrong_options_are_one_error(self) -> None:
        for flags, *words in ((("--port", "65536"), "65536"), (("--port", "x"), "--port"), (("--port", "-1"), "--port"),
                              (("--host", "no.such.host.invalid", "--port", "0"), "no.such.host.invalid"),
                              (("--model", "nano-none"), "nano-none"), (("--model", "./none"), "none"), (("--model", "=nano-gen"), "NAME"),
                              (("--model", "nano-gen", "--model", "nano-gen"), "nano-gen"),
                              (("--policy", "none.json"), "none.json"), (("--policy", "chats=strict"), "chats", "moderations"),
                              (("--max-body-bytes", "0"), "--max-body-bytes"), (("--session-timeout-s", "0"), "--session-timeout-s"),
                              (("--audit-log", "/none/audit.log"), "/none/audit.log"), (("--keys", "/none/keys"), "/none/keys"),
                              (("--frobnicate",), "frobnicate"), (("extra",), "extra")):
            with self.subTest(flags=flags):
                given = flags if "--port" in flags else ("--port", "0", *flags)
                self.assert_error(run("serve", *given), *words)


if __name__ == "__main__":
    unittest.main()
