# SPDX-License-Identifier: Apache-2.0
"""A chat server that says what it is told to say: what stands behind `qwen3guard serve --upstream`. Standard library only."""
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class ScriptedUpstream:
    """Its answer to everything, whole or in pieces of a few letters, and the requests that reached it."""

    def __init__(self, answer: str) -> None:
        self.answer = answer
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                upstream._answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self) -> "ScriptedUpstream":
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        request = json.loads(handler.rfile.read(int(handler.headers["content-length"])))
        self.requests.append(request)
        self.keys.append(handler.headers.get("authorization"))
        common = {"id": "chatcmpl-scripted", "created": 17, "model": request["model"]}
        usage = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
        if request["model"] == "no-such-model":
            body = {"error": {"message": "no such model", "type": "invalid_request_error", "param": "model", "code": "model_not_found"}}
            return self._send(handler, 404, "application/json", json.dumps(body).encode())
        if not request.get("stream"):
            choice = {"index": 0, "message": {"role": "assistant", "content": self.answer}, "finish_reason": "stop"}
            body = {**common, "object": "chat.completion", "choices": [choice], "usage": usage}
            return self._send(handler, 200, "application/json", json.dumps(body).encode())
        deltas: list[tuple[dict[str, str], str | None]] = [({"role": "assistant", "content": ""}, None)]
        deltas += [({"content": self.answer[at:at + 3]}, None) for at in range(0, len(self.answer), 3)]
        deltas.append(({}, "stop"))
        chunks: list[dict[str, Any]] = [{"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]} for delta, reason in deltas]
        if request.get("stream_options", {}).get("include_usage"):
            chunks.append({"choices": [], "usage": usage})
        events = [json.dumps({**common, "object": "chat.completion.chunk", **chunk}) for chunk in chunks] + ["[DONE]"]
        self._send(handler, 200, "text/event-stream", "".join(f"data: {event}\n\n" for event in events).encode())

    @staticmethod
    def _send(handler: BaseHTTPRequestHandler, status: int, kind: str, body: bytes) -> None:
        handler.send_response(status)
        handler.send_header("content-type", kind)
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
