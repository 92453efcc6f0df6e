# SPDX-License-Identifier: Apache-2.0
"""LiteLLM's proxy as a process of a test's own, and a chat server behind it whose every chunk is the test's."""
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

KEY = "sk-a-key-of-the-gateway-0123456789abcdef"
PATIENCE_S = 120.0


class ChunkedUpstream:
    """A chat server that sends the chunks, or the whole answer, that it was given last."""

    def __init__(self) -> None:
        self.chunks: list[dict[str, Any]] = []
        self.whole: dict[str, Any] = {}
        self.n_requests = 0
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["content-length"])))
                upstream.n_requests += 1
                common = {"id": "chatcmpl-scripted", "created": 17, "model": "scripted"}
                body, kind = json.dumps({**common, "object": "chat.completion", **upstream.whole}), "application/json"
                if request.get("stream"):
                    events = [json.dumps({**common, "object": "chat.completion.chunk", **chunk}) for chunk in upstream.chunks]
                    body, kind = "".join(f"data: {event}\n\n" for event in events + ["[DONE]"]), "text/event-stream"
                data = body.encode()
                self.send_response(200)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def say(self, *choices: str, piece: int = 3, ends_apart: bool = True, **more: Any) -> None:
        """The choices' texts, whole and in pieces in turn. more: members of the message, and of a chunk of its own."""
        self.whole = {"choices": [{"index": i, "message": {"role": "assistant", "content": text, **more}, "finish_reason": "stop"}
                                  for i, text in enumerate(choices)],
                      "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}}
        self.chunks = [delta(i, role="assistant", content="") for i in range(len(choices))]
        if more:
            self.chunks.append(delta(0, **more))
        for at in range(0, max(map(len, choices)), piece):
            self.chunks += [delta(i, content=text[at:at + piece]) for i, text in enumerate(choices) if at < len(text)]
        if ends_apart:
            self.chunks += [delta(i, "stop") for i in range(len(choices))]
        else:
            self.chunks[-1]["choices"][0]["finish_reason"] = "stop"


def delta(index: int, reason: str | None = None, **members: Any) -> dict[str, Any]:
    """A chunk of one choice."""
    return {"choices": [{"index": index, "delta": members, "finish_reason": reason}]}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class LitellmProxy:
    """The gateway with a configuration file. It does not outlive close()."""

    def __init__(self, config: Path, environment: dict[str, str]) -> None:
        self.port = free_port()
        self.log = tempfile.TemporaryFile("w+", encoding="utf-8")
        # Keys of this machine are none of its business, and it is to ask nobody on the network.
        own = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        self.process = subprocess.Popen(
            [os.path.join(os.path.dirname(sys.executable), "litellm"), "--config", os.fspath(config), "--host", "127.0.0.1", "--port",
             str(self.port), "--telemetry", "False"],
            env={**own, "LITELLM_MASTER_KEY": KEY, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "DISABLE_ADMIN_UI": "True", **environment},
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT)
        end = time.monotonic() + PATIENCE_S
        while not self._is_up():
            if self.process.poll() is not None or time.monotonic() > end:
                self.close()
                raise AssertionError(f"the gateway did not start: {self.words()}")
            time.sleep(0.1)

    def _is_up(self) -> bool:
        try:
            return self.ask("/health/liveliness", None)[0] == 200
        except OSError:
            return False

    def words(self) -> str:
        self.log.seek(0)
        return self.log.read()[-4000:]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()

    def ask(self, path: str, body: object, headers: dict[str, str] | None = None) -> tuple[int, str]:
        """The status, and all bytes of the reply."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            data = None if body is None else json.dumps(body).encode()
            connection.request("GET" if body is None else "POST", path, data,
                               {"content-type": "application/json", "authorization": f"Bearer {KEY}", **(headers or {})})
            reply = connection.getresponse()
            return reply.status, reply.read().decode()
        finally:
            connection.close()

    def chat(self, content: Any, stream: bool = False, **more: Any) -> "Seen":
        return Seen(*self.ask("/v1/chat/completions", {"model": "chat", "messages": [{"role": "user", "content": content}],
                                                       "stream": stream, **more}))


class Seen:
    """What reached a client."""

    def __init__(self, status: int, raw: str) -> None:
        self.status, self.raw = status, raw
        events = [line.removeprefix("data: ") for line in raw.split("\n") if line.startswith("data: ")]
        self.is_done = "[DONE]" in events
        self.parts: list[dict[str, Any]] = [json.loads(event) for event in events if event != "[DONE]"] or [json.loads(raw)]
        self.texts: dict[int, str] = {}
        self.reasons: dict[int, str] = {}
        for part in self.parts:
            for choice in part.get("choices", []):
                said = choice.get("delta") or choice.get("message") or {}
                self.texts[choice["index"]] = self.texts.get(choice["index"], "") + (said.get("content") or choice.get("text") or "")
                if choice.get("finish_reason"):
                    self.reasons[choice["index"]] = choice["finish_reason"]

    @property
    def text(self) -> str:
        return self.texts.get(0, "")

    @property
    def error(self) -> str | None:
        """What an error says; nothing when there is none."""
        found = [part["error"]["message"] for part in self.parts if "error" in part]
        return found[0] if found else None
