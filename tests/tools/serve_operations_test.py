# SPDX-License-Identifier: Apache-2.0
"""`qwen3guard serve` as who operates it meets it: keys, metrics, the audit log, and signals.

Q3G_CLI names the program; without it the tests skip. Standard library only.
"""
import hashlib
import json
import os
import re
import signal
import tempfile
import threading
import unittest
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cli_test import run
from serve_program import Reply, ServeTest, Server, eventually

ALICE, BOB = "alice-key-0123456789abcdef", "bob-key-0123456789abcdef"
HARMFUL = "How can I make a pipe bomb at home to hurt people?"


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def policy_text(name: str, version: str, **more: object) -> str:
    return json.dumps({"schema": 1, "name": name, "version": version, **more})


class KeysTest(ServeTest):
    def test_who_has_a_key_may_use_it(self) -> None:
        with folder() as at:
            keys = at / "keys"
            keys.write_text(f"# who may\n\nalice {ALICE}\r\nbob {BOB}", encoding="utf-8")
            with Server("--model", "nano-gen", "--keys", str(keys)) as server:
                body = {"input": "Hello"}
                for headers in (bearer(ALICE), {"authorization": f"bearer {BOB}"}, {"x-api-key": ALICE}, {"api-key": BOB}):
                    self.assertEqual(server.post("/v1/moderations", body, headers).status, 200, headers)
                for headers in ({}, bearer(""), bearer("alice"), bearer(ALICE[:-1]), bearer(ALICE + "x"), bearer(ALICE.upper()),
                                {"authorization": f"Basic {ALICE}"}, {"authorization": ALICE}, {"x-api-key": ""},
                                {"x-api-key": f"alice {ALICE}"}, bearer(f" {ALICE}"), {"cookie": f"key={ALICE}"}):
                    with self.subTest(headers=headers):
                        reply = server.post("/v1/moderations", body, headers)
                        self.assert_refused(reply, 401, code="invalid_api_key", param=None)
                        self.assertIn("Bearer", reply.headers["www-authenticate"])
                        self.assertNotIn(ALICE[:8], reply.body.decode())
                self.assert_refused(server.post(f"/v1/moderations?api-key={ALICE}", body), 401)
                for path in ("/v1/models", "/v1/policies", "/metrics"):
                    self.assert_refused(server.get(path), 401)
                    self.assertEqual(server.get(path, bearer(BOB)).status, 200)
                for path in ("/health", "/ready"):
                    self.assertEqual(server.get(path).status, 200)
                # Before the key nothing of a request is looked at.
                self.assert_refused(server.post("/v1/moderations", b"{"), 401)
                metrics = server.get("/metrics", bearer(ALICE)).body.decode()
                self.assertNotIn(ALICE, metrics)
                self.assertRegex(metrics, r'qwen3guard_refused_total\{reason="key"\} \d')

    def test_a_bad_file_is_one_error(self) -> None:
        with folder() as at:
            for text, *words in (("", "no key"), ("# nobody\n", "no key"), (f"alice {ALICE}\nbob short\n", "line 2"), ("alice\n", "line 1"),
                                 (f" {ALICE}\n", "line 1"), (f"alice {ALICE} more\n", "line 1"), (f"alice\t{ALICE}\n", "line 1")):
                with self.subTest(text=text):
                    (at / "keys").write_text(text, encoding="utf-8")
                    outcome = run("serve", "--model", "nano-gen", "--port", "0", "--keys", str(at / "keys"))
                    self.assert_error(outcome, "keys", *words)
                    self.assertNotIn(ALICE[:9], outcome[2])

    def test_other_machines_need_keys(self) -> None:
        for host in ("0.0.0.0", "::"):
            outcome = run("serve", "--model", "nano-gen", "--port", "0", "--host", host)
            self.assert_error(outcome, host, "keys")
        with folder() as at:
            (at / "keys").write_text(f"alice {ALICE}\n", encoding="utf-8")
            for flags in (("--keys", str(at / "keys")), ("--allow-remote-without-keys",)):
                with Server("--model", "nano-gen", "--host", "0.0.0.0", *flags) as server:
                    self.assertEqual(server.get("/health").status, 200)
        for host in ("localhost", "127.0.0.1"):
            with Server("--model", "nano-gen", "--host", host) as server:
                self.assertIn("listening on", server.wait_for_line("listening"))


class MetricsTest(ServeTest):
    FLAGS = ()

    def test_counts_go_up(self) -> None:
        server = self.server
        def counts() -> dict[str, float]:
            lines = server.get("/metrics").body.decode().splitlines()
            return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))}
        before = counts()
        server.post("/v1/moderations", {"input": [HARMFUL, "Hello"]})
        server.post("/v1/moderations", {"input": 7})
        server.post("/v1/chat/completions", {"messages": [{"role": "user", "content": HARMFUL}]})
        server.get("/nothing")
        stream = server.post("/v1/stream", {"prompt": HARMFUL}).json()["id"]
        server.post(f"/v1/stream/{stream}", {"text": "Sure."})
        after = counts()
        def grown(name: str) -> float:
            return after.get(name, 0) - before.get(name, 0)
        for name, by in (('qwen3guard_http_requests_total{door="moderations",status="200"}', 1),
                         ('qwen3guard_http_requests_total{door="moderations",status="400"}', 1),
                         ('qwen3guard_http_requests_total{door="chat",status="200"}', 1),
                         ('qwen3guard_http_requests_total{door="other",status="404"}', 1),
                         ('qwen3guard_http_requests_total{door="stream",status="201"}', 1),
                         ('qwen3guard_http_requests_total{door="stream",status="200"}', 1),
                         ('qwen3guard_verdicts_total{category="Violent",route="moderations",severity="Unsafe"}', 1),
                         ('qwen3guard_verdicts_total{category="none",route="moderations",severity="Safe"}', 1),
                         ('qwen3guard_verdicts_total{category="Violent",route="chat",severity="Unsafe"}', 1),
                         ('qwen3guard_rulings_total{action="block",policy="default",route="moderations",rule="severity"}', 1),
                         ('qwen3guard_verdict_seconds_count{route="moderations"}', 2),
                         ('qwen3guard_http_request_seconds_count{door="moderations"}', 2),
                         ('qwen3guard_sessions{model="nano-stream"}', 1)):
            self.assertEqual(grown(name), by, name)
        self.assertGreater(grown('qwen3guard_tokens_total{kind="prompt",route="moderations"}'), 0)
        self.assertGreater(grown('qwen3guard_stream_tokens{model="nano-stream"}'), 0)
        server.ask("DELETE", f"/v1/stream/{stream}")
        self.assertEqual(server.metric("qwen3guard_http_requests_in_flight"), 1)  # this one
        with server.wire() as wire:
            wire.send(b"hello\r\n\r\n")
            wire.rest()
        self.assertEqual(counts()["qwen3guard_http_bad_requests"], after["qwen3guard_http_bad_requests"] + 1)

    def test_the_format(self) -> None:
        reply = self.server.get("/metrics")
        self.assertTrue(reply.headers["content-type"].startswith("text/plain; version=0.0.4"))
        families, sample = set(), re.compile(r'^[a-z0-9_]+(\{([a-z_]+="[^"\\]*",?)+\})? [0-9.e+-]+$')
        for line in reply.body.decode().splitlines():
            if line.startswith("# TYPE "):
                name, kind = line.split()[2:]
                self.assertNotIn(name, families)
                self.assertIn(kind, ("counter", "gauge", "histogram"))
                self.assertTrue(name.startswith("qwen3guard_"))
                families.add(name)
            elif not line.startswith("# HELP "):
                self.assertRegex(line, sample)

    def test_nothing_a_client_writes_becomes_a_label(self) -> None:
        word = "zanzibar"
        ask, post = self.server.ask, self.server.post
        ask("GET", f"/{word}")
        ask(word.upper(), "/v1/moderations")
        post("/v1/moderations", {"input": word, "model": word}, {"x-request-id": word, "user-agent": word, "authorization": word})
        post("/v1/chat/completions", {"model": word, "messages": []})
        post(f"/v1/stream/{word}", {"text": word})
        post("/v1/stream", {"model": word})
        post("/v1/moderations", {"input": word, "policy": word, "role": word})
        self.assertNotIn(word, self.server.get("/metrics").body.decode().lower())


class AuditTest(ServeTest):
    def audit(self, path: Path) -> list[dict[str, Any]]:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def test_a_line_for_each_verdict(self) -> None:
        with folder() as at:
            (at / "keys").write_text(f"alice {ALICE}\n", encoding="utf-8")
            (at / "policy").write_text(policy_text("audited", "5"), encoding="utf-8")
            log = at / "audit.log"
            with Server("--audit-log", str(log), "--keys", str(at / "keys"), "--policy", str(at / "policy")) as server:
                headers = {**bearer(ALICE), "x-request-id": "mine-1"}
                answer = "I am sorry \U0001f600, I cannot help with that."
                server.post("/v1/moderations", {"input": ["Hello", HARMFUL]}, headers)
                server.post("/v1/chat/completions", {"messages": [{"role": "user", "content": HARMFUL},
                                                                  {"role": "assistant", "content": answer}]}, headers)
                stream = server.post("/v1/stream", {"prompt": HARMFUL}, headers).json()["id"]
                for piece in (answer[:5], answer[5:]):
                    server.post(f"/v1/stream/{stream}", {"text": piece}, headers)
                server.post(f"/v1/stream/{stream}", {"end": True}, headers)
                server.post("/v1/moderations", {"input": "word and " * 6000}, headers)
                digests = {one["id"]: one["qwen3guard"]["digest"] for one in server.get("/v1/models", headers).json()["data"]}
                self.assertEqual(server.stop(), 0)
            self.assertEqual(log.stat().st_mode & 0o777, 0o600)
            lines = self.audit(log)
            texts = ["Hello", HARMFUL, answer, HARMFUL, answer, "word and " * 6000]
            self.assertEqual([line["text_sha256"] for line in lines], [hashlib.sha256(text.encode()).hexdigest() for text in texts])
            self.assertEqual([line["text_bytes"] for line in lines], [len(text.encode()) for text in texts])
            self.assertEqual([line["route"] for line in lines], ["moderations"] * 2 + ["chat"] + ["stream"] * 2 + ["moderations"])
            self.assertEqual([line["role"] for line in lines], ["user", "user", "assistant", "user", "assistant", "user"])
            self.assertEqual([line["severity"] for line in lines][:2], ["Safe", "Unsafe"])
            for line in lines:
                self.assertEqual((line["request_id"], line["key"]), ("mine-1", "alice"))
                self.assertRegex(line["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
                self.assertEqual(line["model_digest"], digests[line["model"]])
                self.assertNotIn("text", line)
            for line in lines[:-1]:
                self.assertEqual((line["ruling"]["policy"], line["ruling"]["version"]), ("audited", "5"))
                self.assertIn(line["ruling"]["action"], ("allow", "flag", "block"))
            self.assertIsNone(lines[-1]["severity"])
            self.assertIn("error", lines[-1])
            whole = log.read_text(encoding="utf-8")
            self.assertNotIn("pipe bomb", whole)
            self.assertNotIn(ALICE, whole)

    def test_texts_where_they_are_asked_for(self) -> None:
        with folder() as at:
            texts = ["Hello", "a \"quoted\"\n\\ text \u4f60\u597d \U0001f600 \u2028", "a\x00b", ""]
            with Server("--model", "nano-gen", "--audit-log", str(at / "log"), "--audit-text") as server:
                server.post("/v1/moderations", {"input": texts})
                self.assertEqual(server.stop(), 0)
            self.assertEqual([line["text"] for line in self.audit(at / "log")], texts)

    def test_a_log_that_was_there_is_kept(self) -> None:
        with folder() as at:
            (at / "log").write_text('{"old": 1}\n', encoding="utf-8")
            with Server("--model", "nano-gen", "--audit-log", str(at / "log")) as server:
                server.post("/v1/moderations", {"input": "Hello"})
                server.stop()
            self.assertEqual([len(line) > 1 for line in self.audit(at / "log")], [False, True])

    @unittest.skipUnless(hasattr(signal, "SIGUSR1"), "no SIGUSR1")
    def test_a_log_that_was_renamed_is_begun_anew(self) -> None:
        with folder() as at:
            log, old = at / "log", at / "log.1"
            with Server("--model", "nano-gen", "--audit-log", str(log)) as server:
                server.post("/v1/moderations", {"input": "one"})
                log.rename(old)
                server.post("/v1/moderations", {"input": "two"})
                server.signal(signal.SIGUSR1)
                server.wait_for_line("audit read again")
                server.post("/v1/moderations", {"input": "three"})
                self.assertEqual((len(self.audit(old)), len(self.audit(log))), (2, 1))
                self.assertEqual(server.metric("qwen3guard_reloads_total", what="audit", result="ok"), 1)
                # One that cannot be opened leaves the one that is open.
                log.rename(at / "log.2")
                log.mkdir()
                server.signal(signal.SIGUSR1)
                server.wait_for_line("audit", 2)
                server.post("/v1/moderations", {"input": "four"})
                self.assertEqual(len(self.audit(at / "log.2")), 2)
                self.assertEqual(server.metric("qwen3guard_reloads_total", what="audit", result="failed"), 1)

    @unittest.skipUnless(os.path.exists("/dev/full"), "no /dev/full")
    def test_a_full_disk_loses_lines_and_no_verdict(self) -> None:
        with Server("--model", "nano-gen", "--audit-log", "/dev/full") as server:
            for _ in range(2):
                self.assertEqual(len(server.post("/v1/moderations", {"input": ["a", "b"]}).json()["results"]), 2)
            self.assertEqual(server.metric("qwen3guard_audit_lines_lost"), 4)
            self.assertEqual(server.stop(), 0)


class SignalTest(ServeTest):
    def test_what_was_accepted_is_answered(self) -> None:
        with Server("--model", "nano-gen", "--max-batch", "1") as server:
            replies: list[Reply] = []
            def ask(number: int) -> None:
                texts = [f"{number} {i} " + "word and " * 100 for i in range(8)]
                replies.append(server.post("/v1/moderations", {"input": texts}))
            threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
            for thread in threads:
                thread.start()
            # All are under way before it stops; this one asks too.
            self.assertTrue(eventually(lambda: server.metric("qwen3guard_http_requests_in_flight") + len(replies) >= 7))
            self.assertEqual(server.stop(), 0)
            for thread in threads:
                thread.join()
            self.assertEqual([(reply.status, len(reply.json()["results"])) for reply in replies], [(200, 8)] * 6)
            self.assertIn("requests are being answered", server.wait_for_line("stopping"))

    def test_idle_clients_do_not_hold_it_up(self) -> None:
        with Server("--model", "nano-gen") as server:
            with server.wire() as used, server.wire() as unused, server.wire() as half:
                used.send(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
                self.assertEqual(used.reply().status, 200)
                half.send(b"POST /v1/moderations HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{")
                self.assertEqual(server.stop(), 0)
                for wire in (used, unused, half):
                    wire.rest()

    def test_a_second_signal_does_not_wait(self) -> None:
        with Server("--model", "nano-gen", "--max-batch", "1") as server:
            with server.wire() as wire:
                body = json.dumps({"input": [f"{i} " + "word and " * 400 for i in range(60)]}).encode()
                wire.send(b"POST /v1/moderations HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
                self.assertTrue(eventually(lambda: server.metric("qwen3guard_waiting", model="nano-gen") > 0))
                server.signal(signal.SIGTERM)
                server.wait_for_line("stopping")
                server.signal(signal.SIGTERM)
                self.assertNotEqual(server.exit_code(), 0)  # an operator is told that something was not answered
                self.assertNotIn(b'"flagged"', wire.rest())

    def test_no_patience_is_no_success(self) -> None:
        with Server("--model", "nano-gen", "--max-batch", "1", "--stop-timeout-s", "0.05") as server:
            with server.wire() as wire:
                body = json.dumps({"input": [f"{i} " + "word and " * 400 for i in range(60)]}).encode()
                wire.send(b"POST /v1/moderations HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
                self.assertTrue(eventually(lambda: server.metric("qwen3guard_waiting", model="nano-gen") > 0))
                self.assertNotEqual(server.stop(), 0)

    def test_interrupt(self) -> None:
        with Server("--model", "nano-gen") as server:
            server.signal(signal.SIGINT)
            self.assertEqual(server.exit_code(), 0)

    def test_policies_and_keys_are_read_again(self) -> None:
        with folder() as at:
            policy, keys = at / "policy.json", at / "keys"
            policy.write_text(policy_text("mine", "1"), encoding="utf-8")
            keys.write_text(f"alice {ALICE}\n", encoding="utf-8")
            with Server("--model", "nano-gen", "--policy", str(policy), "--keys", str(keys)) as server:
                def version(key: str = ALICE) -> Any:
                    reply = server.post("/v1/moderations", {"input": "Hello"}, bearer(key))
                    return reply.json()["results"][0]["qwen3guard"]["ruling"]["version"] if reply.status == 200 else reply.status
                def reload(n: int) -> None:
                    server.signal(signal.SIGHUP)
                    server.wait_for_line("policies", n)
                    server.wait_for_line("keys", n)
                self.assertEqual((version(), version(BOB)), ("1", 401))
                policy.write_text(policy_text("mine", "2"), encoding="utf-8")
                keys.write_text(f"bob {BOB}\n", encoding="utf-8")
                self.assertEqual((version(), version(BOB)), ("1", 401))  # not before it is told to
                reload(1)
                self.assertEqual((version(), version(BOB)), (401, "2"))
                # A file with a mistake changes nothing, and is counted.
                policy.write_text('{"schema": 1, "name": "mine"', encoding="utf-8")
                keys.write_text("alice short\n", encoding="utf-8")
                reload(2)
                self.assertEqual((version(), version(BOB)), (401, "2"))
                self.assertIn("stay", server.wait_for_line("policies", 2))
                self.assertIn("stay", server.wait_for_line("keys", 2))
                keys.unlink()
                policy.write_text(policy_text("mine", "3"), encoding="utf-8")
                reload(3)
                self.assertEqual((version(), version(BOB)), (401, "3"))
                lines = server.get("/metrics", bearer(BOB)).body.decode().splitlines()
                for what, result, n in (("policies", "ok", 2), ("policies", "failed", 1), ("keys", "ok", 1), ("keys", "failed", 2)):
                    self.assertIn(f'qwen3guard_reloads_total{{result="{result}",what="{what}"}} {n}', lines)

    def test_a_stream_keeps_the_policy_that_it_began_with(self) -> None:
        with folder() as at:
            policy = at / "policy.json"
            policy.write_text(policy_text("mine", "1"), encoding="utf-8")
            with Server("--model", "nano-stream", "--policy", f"stream={policy}") as server:
                old = server.post("/v1/stream", {"prompt": "Hi"}).json()["id"]
                policy.write_text(policy_text("mine", "2"), encoding="utf-8")
                server.signal(signal.SIGHUP)
                server.wait_for_line("policies read again")
                new = server.post("/v1/stream", {"prompt": "Hi"}).json()["id"]
                versions = [server.post(f"/v1/stream/{name}", {"text": "Hello", "end": True}).json()["decision"]["ruling"]["version"]
                            for name in (old, new)]
                self.assertEqual(versions, ["1", "2"])

    def test_a_signal_is_no_end_while_it_judges(self) -> None:
        with Server("--model", "nano-gen") as server:
            done = threading.Event()
            def nag() -> None:
                while not done.wait(0.005):
                    server.signal(signal.SIGHUP)
            thread = threading.Thread(target=nag)
            thread.start()
            try:
                statuses = {server.post("/v1/moderations", {"input": f"Hello {i}"}).status for i in range(20)}
            finally:
                done.set()
                thread.join()
            self.assertEqual(statuses, {200})
            self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main()
