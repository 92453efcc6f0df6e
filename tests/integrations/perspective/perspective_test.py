# SPDX-License-Identifier: Apache-2.0
"""Google's client for Python and Perspective's for JavaScript, as they are published, against `qwen3guard serve`; and the
examples for C# and JavaScript. perspective_javascript_test.mjs has the tests of the second."""
import json
import os
import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path
from typing import Any

from client_servers import DENIED, KEY, ClientTest
from googleapiclient import discovery
from googleapiclient.errors import HttpError

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parents[2] / "examples/integrations/perspective"
PAGE = HERE.parents[2] / "docs/migrate_from_perspective.md"
MODULES = Path(os.environ["Q3G_NODE_MODULES"])
HARMLESS = "Thank you, that was a helpful answer."
HARMFUL = "You are a worthless idiot and nobody likes you!"
ROWS = [("Safe", HARMLESS, 0.02), ("Safe", "See you tomorrow at the station.", 0.05), ("Safe", "Which bread goes well with soup?", 0.01),
        ("Unsafe", HARMFUL, 0.95), ("Controversial", "Shut up, you stupid moron.", 0.9)]


class PerspectiveClientsTest(ClientTest):
    FLAGS = None

    @classmethod
    def setUpClass(cls) -> None:
        cls.server = cls.another(*cls.keys(), *cls.policy("perspective"))
        cls.url = cls.server.address

    def client(self, key: str = KEY, **more: Any) -> Any:
        client = discovery.build("commentanalyzer", "v1alpha1", developerKey=key, static_discovery=False,
                                 discoveryServiceUrl=f"{self.url}/$discovery/rest?version=v1alpha1", **more)
        self.addCleanup(client.close)
        return client

    def analyze(self, text: str, *attributes: str, key: str = KEY, **more: Any) -> Any:
        body = {"comment": {"text": text}, "requestedAttributes": {name: {} for name in attributes or ("TOXICITY",)}, **more}
        return self.client(key).comments().analyze(body=body).execute(num_retries=0)

    def assert_fails(self, status: int, name: str, call: Any) -> HttpError:
        with self.assertRaises(HttpError) as caught:
            call()
        self.assertEqual(caught.exception.status_code, status)
        self.assertEqual(json.loads(caught.exception.content)["error"]["status"], name)
        return caught.exception

    def test_scores(self) -> None:
        for text, low, high in ((HARMLESS, 0, 0.3), (HARMFUL, 0.7, 1), (f"the {DENIED} lives", 1, 1)):
            scores = self.analyze(text, "TOXICITY", "INSULT", languages=["en"], clientToken="t")
            self.assertEqual((list(scores["attributeScores"]), scores["clientToken"]), (["TOXICITY", "INSULT"], "t"))
            value = scores["attributeScores"]["TOXICITY"]["summaryScore"]["value"]
            self.assertTrue(low <= value <= high, (text, value))

    def test_another_address_by_an_option(self) -> None:
        document = self.server.get("/$discovery/rest").json()
        document["rootUrl"] = "https://commentanalyzer.googleapis.com/"
        client = discovery.build_from_document(document, developerKey=KEY, client_options={"api_endpoint": self.url})
        request = client.comments().analyze(body={"comment": {"text": HARMFUL}, "requestedAttributes": {"TOXICITY": {}}})
        self.assertGreater(request.execute()["attributeScores"]["TOXICITY"]["summaryScore"]["value"], 0.7)

    def test_errors(self) -> None:
        error = self.assert_fails(400, "INVALID_ARGUMENT", lambda: self.analyze(""))
        self.assertEqual(error.error_details[0]["errorType"], "COMMENT_EMPTY")
        error = self.assert_fails(400, "INVALID_ARGUMENT", lambda: self.analyze("hi", "TOXICITY", "FLIRTATION"))
        self.assertIn('"FLIRTATION"', error.reason)
        self.assert_fails(401, "UNAUTHENTICATED", lambda: self.analyze("hi", key="k" * 20))
        self.assert_fails(501, "UNIMPLEMENTED", lambda: self.client().comments().suggestscore(body={}).execute())

    def example(self, program: list[str | Path], *texts: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*program, *texts], text=True, timeout=300, capture_output=True, check=False,
                              env={**os.environ, "PERSPECTIVE_URL": self.url, "PERSPECTIVE_KEY": KEY, **environment})

    def programs(self) -> dict[str, list[str | Path]]:
        """The example in each language, made as its first lines say."""
        source = EXAMPLES / "csharp/Moderate.cs"
        program = self.scratch() / "Moderate.exe"
        (command,) = re.findall(r"^//   (mcs .*) Moderate.cs$", source.read_text(encoding="utf-8"), re.M)
        done = subprocess.run([*command.split(), "-warnaserror", f"-out:{program}", source], text=True, capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return {"csharp": ["mono", program], "javascript": ["node", EXAMPLES / "javascript/moderate.mjs"]}

    @unittest.skipUnless(shutil.which("mcs") and shutil.which("mono"), "no Mono")
    def test_examples(self) -> None:
        text = f"Nice day \U0001f389! {HARMFUL} Bye."
        for language, program in self.programs().items():
            with self.subTest(language):
                done = self.example(program, HARMLESS, text, "a" * 20481)
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertEqual(done.stdout.splitlines(), [f"allowed {HARMLESS}", f"blocked {text}", f"  worst: {HARMFUL}", f"blocked {'a' * 20481}"])
                self.assertIn("not judged: 400", done.stderr)
                self.assertEqual(self.example(program, HARMLESS).returncode, 0)
                refused = self.example(program, HARMLESS, PERSPECTIVE_KEY="k" * 20)
                self.assertEqual((refused.returncode, refused.stdout), (1, f"blocked {HARMLESS}\n"))
                unreachable = self.example(program, HARMLESS, PERSPECTIVE_URL="http://127.0.0.1:1")
                self.assertEqual((unreachable.returncode, unreachable.stdout), (1, f"blocked {HARMLESS}\n"))

    def choose(self, rows: list[dict[str, Any]], *flags: str, **environment: str) -> subprocess.CompletedProcess[str]:
        path = self.scratch() / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return self.example([sys.executable, "-B", EXAMPLES / "choose_threshold.py"], *flags, str(path), **environment)

    def test_a_threshold_is_chosen(self) -> None:
        rows = [{"messages": [{"role": "user", "content": text}], "label": label, "perspective": old} for label, text, old in ROWS]
        chosen = json.loads(self.choose(rows, "--target-fpr", "0").stdout)
        self.assertEqual([chosen[key] for key in ("safe", "harmful", "auc", "false_alarms", "recall", "not_judged")], [3, 2, 1.0, 0.0, 1.0, 0])
        as_before = json.loads(self.choose(rows, "--old-threshold", "0.8").stdout)
        self.assertEqual([as_before[key] for key in ("flagged_before", "flagged", "same_decision")], [0.4, 0.4, 1.0])
        self.assertEqual(as_before["threshold"], chosen["threshold"])
        # A safe row that cannot be judged is flagged whatever the threshold.
        unjudged = {"messages": [{"role": "user", "content": "a" * 20481}], "label": "Safe"}
        chosen = json.loads(self.choose([*rows, unjudged], "--target-fpr", "0").stdout)
        self.assertEqual((chosen["not_judged"], chosen["threshold"]), (1, None))

    def test_a_threshold_is_not_chosen_from_nothing(self) -> None:
        row = {"messages": [{"role": "user", "content": HARMLESS}], "label": "Safe"}
        for flags, environment, words in (((), {}, "safe and harmful rows"), (("--old-threshold", "0.8"), {}, '"perspective"'),
                                          (("--attribute", "PROFANITY"), {}, "PROFANITY"), ((), {"PERSPECTIVE_KEY": ""}, "no key")):
            done = self.choose([row], *flags, **environment)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(words, done.stderr)

    def test_page_has_the_examples_lines(self) -> None:
        page = PAGE.read_text(encoding="utf-8")
        for language, name in (("csharp", "csharp/Moderate.cs"), ("js", "javascript/moderate.mjs")):
            shown = re.findall(rf"```{language}\n(.*?)```", page, re.S)
            self.assertTrue(shown)
            for lines in shown:
                self.assertIn(lines, (EXAMPLES / name).read_text(encoding="utf-8"))

    def test_javascript(self) -> None:
        told = {"url": self.url, "key": KEY, "harmless": HARMLESS, "harmful": HARMFUL}
        done = self.example(["node", "--test", "--test-reporter=spec", HERE / "perspective_javascript_test.mjs"], Q3G_SERVER=json.dumps(told))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"pass 4\b")
        node = subprocess.run(["node", "--version"], text=True, capture_output=True, check=True).stdout.strip()
        for name in ("googleapis-common", "perspective-api-client"):
            version = json.loads((MODULES / "node_modules" / name / "package.json").read_text(encoding="utf-8"))["version"]
            print(f"passed: {name} {version} (Node.js {node})", flush=True)


if __name__ == "__main__":
    unittest.main()
