# SPDX-License-Identifier: Apache-2.0
"""That every line of JSON which the program prints is what output.schema.json says, and that the schema is no looser.

Q3G_CLI names the program; without it, or without the package jsonschema, the tests skip.
"""
import copy
import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

try:
    import jsonschema
except ImportError:
    jsonschema = None

CLI = os.environ.get("Q3G_CLI")
SCHEMA = Path(__file__).resolve().parents[2] / "src" / "cli" / "output.schema.json"


def run(*args, stdin=""):
    done = subprocess.run([CLI, *args], input=stdin.encode(), capture_output=True, timeout=300)
    return done.returncode, [json.loads(line) for line in done.stdout.decode().splitlines()]


@unittest.skipUnless(CLI and os.path.exists(CLI), "Q3G_CLI does not name the built program")
@unittest.skipUnless(jsonschema, "no jsonschema package")
class OutputSchemaTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
        jsonschema.Draft202012Validator.check_schema(schema)
        cls.validator = jsonschema.Draft202012Validator(schema)
        cls.types = {name for name, form in schema["$defs"].items() if "schema" in form.get("properties", {})}

    def check(self, rows, *types):
        """All rows are as the schema says and of these types; not one is when a member is missing or unknown."""
        self.assertTrue(rows)
        for row in rows:
            self.validator.validate(row)
            self.assertEqual(list(row)[:2], ["schema", "type"])
            self.assertEqual(row["schema"], 1)
            self.assertIn(row["type"], types)
            self.assertIn(row["type"], self.types)
        row = rows[0]
        for spoiled in ({**row, "schema": 2}, {**row, "unknown": 1}, {k: v for k, v in row.items() if k != "type"}):
            self.assertFalse(self.validator.is_valid(spoiled), spoiled)
        self.seen = getattr(self, "seen", set()) | {row["type"] for row in rows}

    def calibrated(self, folder):
        """A role that is calibrated with cross-validation, and one that is not."""
        texts = [f"I will burn your {noun} down, idiot" for noun in ("house", "car", "shed")] + [f"Where do I buy a {noun}?" for noun in ("hat", "pen", "cake")]
        rows = [{"id": i, "messages": [{"role": "user", "content": text}], "label": "Unsafe" if i < 3 else "Safe"} for i, text in enumerate(texts)]
        data = os.path.join(folder, "mine.jsonl")
        Path(data).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return run("calibrate", "--model", "nano-gen", "--data", data, "--target-fpr", "0.1", "--out", os.path.join(folder, "mine.json"), "--json")[1]

    def compared(self, folder):
        """Two runs that differ in one row, with everything that a comparison may have."""
        for run_name, said in (("A", "Unsafe"), ("B", "Safe")):
            os.mkdir(os.path.join(folder, run_name))
            rows = [{"set": "mine", "id": i, "lang": "en", "role": "user", "label": label, "categories": ["PII"] if i else [], "refusal": False, "ms": 1,
                     "verdict": {"severity": said if i else "Safe", "probabilities": {"safe": 0.5, "controversial": 0, "unsafe": 0.5}}}
                    for i, label in enumerate(("Safe", "Unsafe", "Unsafe"))]
            Path(folder, run_name, "predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[:3 if said == "Safe" else 2]), encoding="utf-8")
        data = Path(folder, "mine.jsonl")
        data.write_text(json.dumps({"id": 1, "label": "Unsafe", "messages": [{"role": "user", "content": "Hi"}]}), encoding="utf-8")
        code, rows = run("eval", "compare", os.path.join(folder, "A"), os.path.join(folder, "B"), "--json", "--data", str(data), "--fail-above", "0")
        self.assertEqual(code, 1)
        return rows

    def evaluated(self, folder, model):
        """A row that is judged whole, one with a passage, and one that does not fit."""
        texts = ("I will burn your house down, idiot", "No. " + "You are an idiot. " * 9, "word " * 20000)
        rows = [{"id": i, "lang": "en", "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": text}], "label": "Unsafe",
                 "categories": ["Violent"], "refusal": i == 1, "unsafe_span_chars": [4, 20]} for i, text in enumerate(texts)]
        safe = {"messages": [{"role": "user", "content": "Where do I buy a hat?"}], "label": "Safe"}
        data = os.path.join(folder, f"{model}.jsonl")
        Path(data).write_text("".join(json.dumps(row) + "\n" for row in (*rows, safe, {"id": 9})), encoding="utf-8")
        out = os.path.join(folder, f"run-{model}")
        code, rows = run("eval", "--model", model, "--data", data, "--out", out, "--safe-set", model, "--resamples", "20", "--json")
        self.assertEqual(code, 2)
        self.assertEqual(rows, [json.loads(Path(out, "metrics.json").read_text(encoding="utf-8"))])
        return rows

    def check_run_folder(self, folder, model):
        described = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        self.check([described], "run")
        predictions = [json.loads(line) for line in (folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]
        self.check(predictions, "prediction")
        judged, _, error, prompt = predictions
        self.assertEqual([row["verdict"]["type"] for row in predictions], ["verdict", "verdict", "error", "verdict"])
        # What always stands is required, and the rest stands where it is said to.
        self.assertEqual(set(error) & set(prompt), set(self.validator.schema["$defs"]["prediction"]["required"]))
        of_kind = {"guard_predict"} if model == "nano-gen" else {"pred_risk_levels", "pred_risk_prob", "pred_categories", "input_ids"}
        span = {"unsafe_start_index", "unsafe_end_index"}
        self.assertEqual(set(prompt) - set(error), of_kind)
        self.assertEqual(set(error) - set(prompt), span)
        self.assertEqual(set(judged) - set(prompt), span | ({"split_idx_eval"} if model == "nano-stream" else set()))
        for row in (described, judged):
            for member in row:
                if member not in ("guard_predict", "split_idx_eval"):
                    self.assertFalse(self.validator.is_valid({key: value for key, value in row.items() if key != member}), member)
        for member, value in (("label", "safe"), ("scores", {"strict": 1}), ("verdict", {}), ("line", 0), ("refusal", "no"), ("role", "system")):
            self.assertFalse(self.validator.is_valid({**judged, member: value}), member)
        self.assertFalse(self.validator.is_valid({**error, "scores": judged["scores"]}), "what was not judged has no scores")

    def test_every_command(self):
        good = json.dumps({"id": 1, "messages": [{"role": "user", "content": "I will burn your house down, idiot"}]})
        for model in ("nano-gen", "nano-stream"):
            code, rows = run("classify", "--model", model, "--json", stdin=f"{good}\nnot json\n{good}")
            self.assertEqual(code, 2)
            self.check(rows, "verdict", "error")
            self.assertEqual([row["type"] for row in rows], ["verdict", "error", "verdict"])
            _, rows = run("classify", "--model", model, "--json", "--prompt", "Hi", "--response", "No, I will not.")
            self.check(rows, "verdict")
            code, rows = run("stream", "--model", model, "--json", "--prompt", "Hi", "--response", "Hello there. " * 20)
            self.assertEqual(code, 0)
            self.check(rows, "token", "decision")
            self.check(run("info", "--model", model, "--json")[1], "info")
            self.check(run("logits", "--model", model, "--ids", "1,2")[1], "logits")
        code, rows = run("tokenize", "--model", "nano-gen", stdin='"Hello"\n7')
        self.assertEqual(code, 2)
        self.check(rows, "ids", "error")
        self.check(run("tokenize", "--model", "nano-gen", "--decode", stdin="[1, 2]")[1], "text")
        self.check(run("bench", "--model", "nano-stream", "--quick", "--json")[1], "bench")
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "nano.q3g")
            self.check(run("quantize", "--model", "nano-gen", "--out", file, "--json")[1], "packed")
            self.check(run("verify", "--model", file, "--json")[1], "verified")
            ranks = os.path.join(folder, "nano.tiktoken")
            self.check(run("tokenize", "--model", "nano-gen", "--export-tiktoken", ranks)[1], "tiktoken")
            self.check(self.calibrated(folder), "calibration")
            self.check(self.compared(folder), "comparison")
            for model in ("nano-gen", "nano-stream"):
                (metrics,) = self.evaluated(folder, model)
                self.check([metrics], "metrics")
                self.assertEqual(metrics["sets"][model]["streaming"] is None, model == "nano-gen")
                self.assertEqual(metrics["sets"][model]["refusal"] is None, model == "nano-stream")
                with self.assertRaises(jsonschema.ValidationError):
                    self.validator.validate({**metrics, "sets": {"a": {**metrics["sets"][model], "unknown": 1}}})
                self.check_run_folder(Path(folder, f"run-{model}"), model)
        self.assertEqual(self.seen, self.types)

    def test_a_long_text_names_the_window_that_was_the_worst(self):
        text = "The bread rises in the warm oven. " * 1200  # the nano models have 8,192 tokens of context
        line = json.dumps({"messages": [{"role": "user", "content": text}]})
        for model in ("nano-gen", "nano-stream"):
            code, rows = run("classify", "--model", model, "--json", stdin=line)
            self.assertEqual((code, rows[0]["error"]["code"]), (2, "context_full"))
            _, rows = run("classify", "--model", model, "--json", "--long-text", "windows", stdin=line)
            self.check(rows, "verdict")
            window = rows[0]["window"]
            self.assertLess(window["index"], window["n_windows"])
            self.assertLess(window["bytes"][0], window["bytes"][1])
            done = subprocess.run([CLI, "classify", "--model", model, "--long-text", "windows"], input=line.encode(),
                                  capture_output=True, check=True)
            self.assertIn(f"the worst of {window['n_windows']} windows", done.stdout.decode())

    def test_what_was_not_judged_is_null(self):
        _, rows = run("stream", "--model", "nano-gen", "--json", "--prompt", "Hi", "--response", "word " * 40)
        tokens = [row for row in rows if row["type"] == "token" and row["role"] == "assistant"]
        unjudged = [row for row in tokens if row["source"] == "none"]
        self.assertTrue(unjudged)
        for row in unjudged:
            self.assertIsNone(row["severity"])
            self.assertIsNone(row["probabilities"])
            self.assertIsNone(row["category"])
        for row in tokens:
            self.assertFalse(row["source"] == "carried" and row["severity"] == "Safe")
        # Nothing said: the decision is there, and it is not Safe.
        for model in ("nano-gen", "nano-stream"):
            _, rows = run("stream", "--model", model, "--json", "--prompt", "Hi", "--response", "")
            self.assertEqual((rows[-1]["type"], rows[-1]["role"]), ("decision", "assistant"))
            self.assertIsNone(rows[-1]["severity"])
            self.assertFalse(rows[-1]["complete"])

    def test_each_turn_ends_with_a_decision_that_the_text_form_agrees_with(self):
        for model in ("nano-gen", "nano-stream"):
            for response in ("You are an ugly idiot and somebody should burn your kitchen down with you inside.", "Hello."):
                args = ("stream", "--model", model, "--prompt", "What do you think?", "--response", response)
                _, rows = run(*args, "--json")
                decisions = [row for row in rows if row["type"] == "decision"]
                self.assertEqual([d["role"] for d in decisions], ["user", "assistant"])
                self.assertIs(rows[-1], decisions[-1])
                self.assertTrue(all(d["complete"] and d["unjudged"] is None for d in decisions))
                last = decisions[-1]
                self.assertEqual(last["token"] is None, last["severity"] == "Safe")
                if last["token"]:
                    self.assertTrue(last["token"]["settled"])
                text = subprocess.run([CLI, *args], capture_output=True, check=True).stdout.decode()
                self.assertIn(f"decision: {last['severity']}", text)

    def test_a_verdict_of_nothing_is_none_of_the_schemas(self):
        """A Safe without probabilities, and an action that allows what was not judged, do not pass unseen."""
        _, (row,) = run("classify", "--model", "nano-gen", "--json", "--prompt", "Hi")
        for member, value in (("severity", "safe"), ("severity", 0), ("ruling", "block"), ("probabilities", {}), ("tokens", None)):
            spoiled = copy.deepcopy(row)
            spoiled[member] = value
            self.assertFalse(self.validator.is_valid(spoiled), member)
        unjudged = {**row, "severity": None, "probabilities": None}
        for action, is_valid in (("allow", False), ("pass", False), ("none", True), ("block", True)):
            unjudged["ruling"] = {**row["ruling"], "action": action}
            self.assertEqual(self.validator.is_valid(unjudged), is_valid, action)


if __name__ == "__main__":
    unittest.main()
