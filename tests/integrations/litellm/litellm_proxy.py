# SPDX-License-Identifier: Apache-2.0
"""LiteLLM's proxy as a process of a test's own, and a chat server behind it whose every chunk is the test's."""
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from scripted_upstream import USAGE, ChatUpstream, delta

KEY = "sk-a-key-of-the-gateway-0123456789abcdef"
PATIENCE_S = 120.0


class ChunkedUpstream(ChatUpstream):
    """Sends the chunks, or the whole answer, that it was given last."""

    def __init__(self) -> None:
        self.next_chunks: list[dict[str, Any]] = []
        self.next_whole: dict[str, Any] = {}
        super().__init__()

    def whole(self, request: dict[str, Any]) -> dict[str, Any]:
        return self.next_whole

    def chunks(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        return self.next_chunks

    def say(self, *choices: str, piece: int = 3, ends_apart: bool = True, **more: Any) -> None:
        """The choices' texts, whole and in pieces in turn. more: members of the message, and of a chunk of its own."""
        self.next_whole = {"choices": [{"index": i, "message": {"role": "assistant", "content": text, **more}, "finish_reason": "stop"}
                                  for i, text in enumerate(choices)],
                      "usage": USAGE}
        self.next_chunks = [delta(i, role="assistant", content="") for i in range(len(choices))]
        if more:
            self.next_chunks.append(delta(0, **more))
        for at in range(0, max(map(len, choices)), piece):
            self.next_chunks += [delta(i, content=text[at:at + piece]) for i, text in enumerate(choices) if at < len(text)]
        if ends_apart:
            self.next_chunks += [delta(i, "stop") for i in range(len(choices))]
        else:
            self.next_chunks[-1]["choices"][0]["finish_reason"] = "stop"


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
