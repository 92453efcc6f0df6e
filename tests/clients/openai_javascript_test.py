# SPDX-License-Identifier: Apache-2.0
"""OpenAI's client for JavaScript against `qwen3guard serve`: starts the servers that openai_javascript_test.mjs asks."""
import json
import os
import subprocess
import unittest
from pathlib import Path

from client_servers import BAD_ANSWER, DENIED, GOOD_ANSWER, HARMFUL, HARMLESS, KEY, ClientTest


class OpenAiJavaScriptTest(ClientTest):
    def test_all(self) -> None:
        urls = {"open": self.url, "keyed": self.with_key().address, "busy": self.too_busy().address,
                "good": self.in_front_of(GOOD_ANSWER)[0].address, "bad": self.in_front_of(BAD_ANSWER)[0].address}
        told = {"urls": urls, "key": KEY, "harmless": HARMLESS, "harmful": HARMFUL, "denied": DENIED, "goodAnswer": GOOD_ANSWER}
        done = subprocess.run(["node", "--test", "--test-reporter=spec", Path(__file__).with_suffix(".mjs")], text=True, timeout=300,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, "Q3G_SERVERS": json.dumps(told)})
        self.assertEqual(done.returncode, 0, done.stdout)


if __name__ == "__main__":
    unittest.main()
