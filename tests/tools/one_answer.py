# SPDX-License-Identifier: Apache-2.0
"""A chat server that says one thing, whatever it is asked. Standard library only."""
import http.server
import json


class OneAnswer(http.server.BaseHTTPRequestHandler):
    """Subclasses say what."""

    ANSWER = ""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = json.dumps({"id": "chatcmpl-up", "object": "chat.completion", "created": 1, "model": "any",
                           "choices": [{"index": 0, "message": {"role": "assistant", "content": self.ANSWER}, "finish_reason": "stop"}],
                           "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""
