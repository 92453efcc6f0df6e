# SPDX-License-Identifier: Apache-2.0
"""docs/server.md and pages like it: their commands are run as they stand, and what comes back is what the page shows.

In a page's outputs "..." stands for what is left out: a member "...": "..." for any others, a string that ends in it for
any with that beginning, an element "..." for any elements. Numbers may differ by a little. Q3G_CLI names the program.
"""
import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import threading
import unittest

from one_answer import OneAnswer

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLI = os.environ.get("Q3G_CLI", "")
BLOCK = re.compile(r"```sh\n(.*?)```(?:\n```json\n(.*?)```)?", re.S)
PATIENCE_S = 60.0


def differs(shown: object, real: object, place: str = "") -> str:
    """Where the real value is not what the page shows; "" when it is."""
    if isinstance(shown, dict) and isinstance(real, dict):
        for key, value in shown.items():
            if key == "...":
                continue
            if key not in real:
                return f"{place}.{key} is missing"
            if found := differs(value, real[key], f"{place}.{key}"):
                return found
        more = real.keys() - shown.keys() - {"created", "latency_ms"}
        return f"{place} has {sorted(more)}, too" if more and "..." not in shown else ""
    if isinstance(shown, list) and isinstance(real, list):
        if shown and shown[-1] == "...":
            shown, real = shown[:-1], real[:len(shown) - 1]
        if len(shown) != len(real):
            return f"{place} has {len(real)} elements, not {len(shown)}"
        return next((found for i, pair in enumerate(zip(shown, real)) if (found := differs(*pair, f"{place}[{i}]"))), "")
    if isinstance(shown, str) and shown.endswith("...") and isinstance(real, str):
        return "" if real.startswith(shown[:-3]) else f"{place} is {real!r}"
    if isinstance(shown, float) and isinstance(real, (int, float)):
        return "" if abs(shown - real) <= 0.05 else f"{place} is {real}"
    return "" if shown == real and type(shown) is type(real) else f"{place} is {real!r}, not {shown!r}"


def values(text: str) -> list[object]:
    """The JSON values of a text, one behind another."""
    found, decoder = [], json.JSONDecoder()
    while text := text.strip():
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:]
    return found


class Insulting(OneAnswer):
    """The chat server of the page, which has no manners."""

    ANSWER = "You are a worthless idiot and nobody likes you. Somebody should burn you."


@unittest.skipUnless(CLI and shutil.which("curl"), "Q3G_CLI or curl is missing")
@unittest.skipIf(CLI and subprocess.run([CLI, "serve", "--help"], capture_output=True, check=False).returncode, "this build has no serve")
class ServerDocsTest(unittest.TestCase):
    def setUp(self) -> None:
        upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Insulting)
        threading.Thread(target=upstream.serve_forever, daemon=True).start()
        self.addCleanup(upstream.server_close)
        self.addCleanup(upstream.shutdown)
        # Ports of the page -> those of this run.
        self.ports = {"9000": str(upstream.server_address[1])}

    def start(self, line: str) -> None:
        """`qwen3guard serve ... &`"""
        page_port = re.search(r"--port (\d+)", line).group(1)
        line = self.here(line.removesuffix("&").replace(f"--port {page_port}", "--port 0"))
        server = subprocess.Popen(["bash", "-c", f"exec {line.replace('qwen3guard', CLI, 1)}"], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        self.addCleanup(server.stderr.close)
        self.addCleanup(server.wait, PATIENCE_S)
        self.addCleanup(server.terminate)
        said = server.stderr.readline()
        address = re.fullmatch(r"qwen3guard: listening on http://127\.0\.0\.1:(\d+)\n", said)
        self.assertTrue(address, said)
        self.ports[page_port] = address.group(1)

    def here(self, text: str) -> str:
        return re.sub(r"127\.0\.0\.1:(\d+)", lambda match: f"127.0.0.1:{self.ports.get(match.group(1), match.group(1))}", text)

    def check_page(self, page: str) -> int:
        """Runs a page from its beginning; how many outputs were compared."""
        n_compared = 0
        for commands, output in BLOCK.findall((ROOT / "docs" / page).read_text(encoding="utf-8")):
            if commands.startswith("qwen3guard serve"):
                self.start(commands.strip())
                continue
            with self.subTest(commands):
                done = subprocess.run(["bash", "-euc", self.here(commands)], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S,
                                      env={**os.environ, "PATH": f"{os.path.dirname(CLI)}:{os.environ['PATH']}"}, check=False)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertTrue(output, "no output is shown")
                shown, real = values(output), values(done.stdout)
                self.assertEqual(len(shown), len(real), done.stdout)
                for pair in zip(shown, real):
                    self.assertEqual(differs(*pair), "", done.stdout)
                n_compared += 1
        return n_compared

    def test_server(self) -> None:
        self.assertGreaterEqual(self.check_page("server.md"), 8)

    def test_migrate_from_azure(self) -> None:
        self.assertEqual(self.check_page("migrate_from_azure.md"), 1)

    def test_migrate_from_perspective(self) -> None:
        (ROOT / "build").mkdir(exist_ok=True)
        self.assertEqual(self.check_page("migrate_from_perspective.md"), 5)


if __name__ == "__main__":
    unittest.main()
