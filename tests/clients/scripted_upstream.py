# SPDX-License-Identifier: Apache-2.0
"""Chat servers that say what they are told to say: what stands behind `qwen3guard serve --upstream`, or a gateway. Standard
library only."""
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USAGE = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}


def delta(index: int, reason: str | None = None, **members: Any) -> dict[str, Any]:
    """A chunk of one choice."""
    return {"choices": [{"index": index, "delta": members, "finish_reason": reason}]}


class Refusal(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(status)
        self.status, self.body = status, body


class ChatUpstream:
    """A chat server on a free port, with the requests that reached it and their keys. It answers by what its kind says."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                upstream._reply(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def whole(self, request: dict[str, Any]) -> dict[str, Any]:
        """A whole answer, but for what all have. Raises Refusal."""
        raise NotImplementedError

    def chunks(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        """Those of a streamed answer, likewise."""
        raise NotImplementedError

    def _reply(self, handler: BaseHTTPRequestHandler) -> None:
        request = json.loads(handler.rfile.read(int(handler.headers["content-length"])))
        self.requests.append(request)
        self.keys.append(handler.headers.get("authorization"))
        status, kind = 200, "application/json"
        common = {"id": "chatcmpl-scripted", "created": 17, "model": request["model"]}
        try:
            if request.get("stream"):
                events = [json.dumps({**common, "object": "chat.completion.chunk", **chunk}) for chunk in self.chunks(request)]
                body, kind = "".join(f"data: {event}\n\n" for event in [*events, "[DONE]"]), "text/event-stream"
            else:
                body = json.dumps({**common, "object": "chat.completion", **self.whole(request)})
        except Refusal as refusal:
            status, body = refusal.status, json.dumps(refusal.body)
        data = body.encode()
        handler.send_response(status)
        handler.send_header("content-type", kind)
        handler.send_header("content-length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)


class ScriptedUpstream(ChatUpstream):
    """One answer to everything, whole or in pieces of a few letters."""

    def __init__(self, answer: str) -> None:
        self.answer = answer
        super().__init__()

    def _know(self, model: str) -> None:
        if model == "no-such-model":
            raise Refusal(404, {"error": {"message": "no such model", "type": "invalid_request_error", "param": "model",
                                          "code": "model_not_found"}})

    def whole(self, request: dict[str, Any]) -> dict[str, Any]:
        self._know(request["model"])
        return {"choices": [{"index": 0, "message": {"role": "assistant", "content": self.answer}, "finish_reason": "stop"}], "usage": USAGE}

    def chunks(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        self._know(request["model"])
        pieces = [self.answer[at:at + 3] for at in range(0, len(self.answer), 3)]
        out = [delta(0, role="assistant", content=""), *(delta(0, content=piece) for piece in pieces), delta(0, "stop")]
        return [*out, {"choices": [], "usage": USAGE}] if request.get("stream_options", {}).get("include_usage") else out
