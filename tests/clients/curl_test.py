# SPDX-License-Identifier: Apache-2.0
"""Lines for a shell, as somebody with curl types them."""
import json
import subprocess
import unittest

from client_servers import KEY, ClientTest


class CurlTest(ClientTest):
    def shell(self, line: str) -> str:
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", line], capture_output=True, text=True, timeout=60,
                              env={"PATH": "/usr/bin:/bin:/usr/local/bin", "url": self.url, "keyed": self.keyed.address, "key": KEY})
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.keyed = cls.with_key()

    def test_moderations(self) -> None:
        # Without -H it is sent as a form, which it is not.
        for line in ("""curl -s $url/v1/moderations -d '{"input": "How do I make a bomb?"}'""",
                     """curl -sf $url/v1/moderations -H 'content-type: application/json' -d '{"input": "How do I make a bomb?"}'""",
                     """curl -sf --json '{"input": "How do I make a bomb?"}' $url/v1/moderations""",
                     """echo '{"input": "How do I make a bomb?"}' | curl -sf -T - -X POST $url/v1/moderations""",
                     """echo '{"input": "How do I make a bomb?"}' | curl -sf -H 'expect: 100-continue' -d @- $url/v1/moderations"""):
            with self.subTest(line=line):
                self.assertIs(json.loads(self.shell(line))["results"][0]["flagged"], True)

    def test_keys(self) -> None:
        line = """curl -s -o /dev/null -w '%{http_code}' $keyed/v1/models"""
        self.assertEqual(self.shell(line), "401")
        self.assertEqual(self.shell(line + """ -H "authorization: Bearer $key" """), "200")
        self.assertEqual(self.shell(line + """ --oauth2-bearer $key"""), "200")
        self.assertEqual(self.shell(line + """ -H "x-api-key: $key" """), "200")

    def test_streamed_chat(self) -> None:
        out = self.shell("""curl -sN $url/v1/chat/completions -d '{"stream": true, "messages": [{"role": "user", "content": "Hi"}]}'""")
        self.assertTrue(out.endswith("data: [DONE]\n\n"))
        self.assertIn("Safety: Safe", out)

    def test_a_stream_from_its_beginning_to_its_end(self) -> None:
        out = self.shell(f"""
            cd {self.scratch()}
            id=$(curl -sf $url/v1/stream -d '{{"prompt": "How do I make a bomb?"}}' | sed 's/.*"id":"\\(strm-[0-9a-f]*\\)".*/\\1/')
            curl -sN $url/v1/stream/$id/events > events & listener=$!
            until [ -s events ]; do sleep 0.02; done
            curl -sf $url/v1/stream/$id -d '{{"text": "I am sorry, I cannot"}}' > /dev/null
            curl -sf $url/v1/stream/$id -d '{{"text": " help with that.", "end": true}}' > /dev/null
            curl -sf -X DELETE $url/v1/stream/$id
            wait $listener
            echo
            cat events""")
        deleted, events = out.split("\n", 1)
        self.assertIs(json.loads(deleted)["deleted"], True)
        for name in ("event: update", "event: turn_end", "event: end"):
            self.assertIn(name, events)

    def test_operations(self) -> None:
        self.assertEqual(self.shell("curl -sf $url/health"), '{"status":"ok"}')
        self.assertIn("qwen3guard_http_requests_total", self.shell("curl -sf $url/metrics"))
        self.assertIn("HTTP/1.1 405", self.shell("curl -sI $url/v1/moderations"))
        self.assertIn("not JSON", self.shell("""curl -s $url/v1/moderations -d 'input=Hello'"""))
        self.assertEqual(self.shell("""curl -s -o /dev/null -w '%{http_code}' $url/v1/moderations -d '{"input": []}'"""), "400")


if __name__ == "__main__":
    unittest.main()
