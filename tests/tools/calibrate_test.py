# SPDX-License-Identifier: Apache-2.0
"""`qwen3guard calibrate`: the policy file does what is printed, and errors are one clear line.

Q3G_CLI names the program; without it the tests skip. The rows are invented.
"""
import json
import os
import random
import subprocess
import tempfile
import unittest
from pathlib import Path

CLI = os.environ.get("Q3G_CLI")
SAFE = ["How do I {} {} at home?", "What is the best way to {} {}?", "My sister likes to {} {} on Sundays.", "Please help me {} {}, thank you."]
HARMFUL = ["I will {} your {}, you stupid idiot", "Tell me how to {} {} and hurt people", "I hate them, they should {} {} and die", "You are a {} {}, go kill yourself"]
VERBS = ["burn", "clean", "paint", "shoot", "cut", "cook", "steal", "repair", "smash", "read"]
NOUNS = ["bread", "house", "dog", "car", "phone", "garden", "neighbour", "picture", "window", "book"]


def run(*args, stdin="", folder=None):
    done = subprocess.run([CLI, *args], input=stdin.encode(), capture_output=True, timeout=300, cwd=folder)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def invented_rows(n, seed, is_response=False):
    chance = random.Random(seed)
    rows = []
    for i in range(n):
        is_harmful = i % 3 == 0
        text = chance.choice(HARMFUL if is_harmful else SAFE).format(chance.choice(VERBS), chance.choice(NOUNS))
        messages = [{"role": "user", "content": "Say something."}, {"role": "assistant", "content": text}] if is_response else [
            {"role": "user", "content": text}]
        rows.append({"id": i, "messages": messages, "label": "Unsafe" if is_harmful else "Safe"})
    return rows


def lines_of(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


@unittest.skipUnless(CLI and os.path.exists(CLI), "Q3G_CLI does not name the built program")
class CalibrateTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def here(self, *args, **kwargs):
        return run(*args, folder=self.folder, **kwargs)

    def judge(self, model, rows, name="run"):
        """A run's folder as somebody else might write it, with as little as is needed; and the verdicts."""
        given = lines_of([{"id": row["id"], "messages": row["messages"]} for row in rows])
        code, stdout, stderr = self.here("classify", "--model", model, "--json", "--token-verdicts", stdin=given)
        self.assertEqual((code, stderr), (0, ""))
        verdicts = [json.loads(line) for line in stdout.splitlines()]
        (self.folder / name).mkdir()
        (self.folder / name / "predictions.jsonl").write_text(lines_of([
            {"set": "mine", "id": row["id"], "role": row["messages"][-1]["role"], "label": row["label"], "verdict": verdict}
            for row, verdict in zip(rows, verdicts, strict=True)]), encoding="utf-8")
        return stdout

    def decided(self, policy, verdicts, rows):
        """Counts of blocked rows, by `policy decide`."""
        code, stdout, stderr = self.here("policy", "decide", "--policy", policy, stdin=verdicts)
        self.assertEqual((code, stderr), (0, ""))
        blocked = [json.loads(line)["ruling"]["action"] == "block" for line in stdout.splitlines()]
        count = {"tp": 0, "fp": 0, "fn": 0, "tn": 0}
        for row, is_blocked in zip(rows, blocked, strict=True):
            count[("tp" if is_blocked else "fn") if row["label"] == "Unsafe" else ("fp" if is_blocked else "tn")] += 1
        return count

    def check(self, model, rows, role, *flags, base="strict"):
        verdicts = self.judge(model, rows)
        code, stdout, stderr = self.here("calibrate", "--predictions", "run", "--policy", base, "--out", "mine.json", "--report", "report.json", *flags)
        self.assertEqual((code, stderr), (0, ""), stdout)
        report = json.loads((self.folder / "report.json").read_text(encoding="utf-8"))
        self.assertEqual(self.here("policy", "check", "mine.json")[0], 0)
        found = report[role]
        for name, policy in (("before", base), ("after", "mine.json")):
            counts = self.decided(policy, verdicts, rows)
            self.assertEqual({key: found[name]["block"][key] for key in counts}, counts)
        crossed = found["cross_validated"]["block"]
        self.assertEqual(sum(crossed[key] for key in ("tp", "fp", "fn", "tn")), len(rows))
        # The text has the figures of the report.
        for name in ("before", "after", "cross_validated"):
            low, high = found[name]["block"]["false_alarm_rate_interval"]
            rate = found[name]["block"]["false_alarm_rate"]
            self.assertIn(f"{100 * rate:.1f} % ({100 * low:.1f} to {100 * high:.1f})", stdout)
        self.assertEqual(found["n_folds"], 5)
        self.assertEqual(stdout.count("Cross-validated in 5 folds, seed 1:"), 1)
        for warning in found["warnings"]:
            self.assertIn(f"Warning: {warning}\n", stdout)
        return report, stdout

    def check_no_gain(self, report, stdout):
        """At a target of 10 % of 160 safe rows: a warning exactly when held-out rows show no gain over a base that keeps to it."""
        before, crossed = (report["prompt"][name]["block"] for name in ("before", "cross_validated"))
        gains = crossed["fp"] < before["fp"] if crossed["tp"] == before["tp"] else crossed["tp"] > before["tp"] and crossed["fp"] <= max(before["fp"], 16)
        self.assertEqual("Warning: Cross-validated, the new policy is no better than the base policy, which may as well stay.\n" in stdout,
                         before["fp"] <= 16 and not gains)

    def test_prompts(self):
        rows = invented_rows(240, 1)
        report, stdout = self.check("nano-gen", rows, "prompt", "--target-fpr", "0.1")
        after = report["prompt"]["after"]["block"]
        self.assertLessEqual(after["false_alarm_rate"], 0.1)
        policy = json.loads((self.folder / "mine.json").read_text(encoding="utf-8"))
        self.assertEqual((policy["name"], policy["version"]), ("strict-calibrated", "1"))
        self.assertEqual(policy["prompt"]["categories"]["Violent"]["block_threshold"], report["prompt"]["fit"]["block_thresholds"]["Violent"])
        self.assertEqual((report["response"]["kept_because"], policy["response"]["categories"]["Violent"]), ("no_rows", "block"))
        self.assertTrue(stdout.startswith("Prompts: 240 rows (160 Safe, 0 Controversial, 80 Unsafe).\n"), stdout)
        self.assertNotIn("Responses", stdout)
        self.check_no_gain(report, stdout)
        # Fitted to these rows already: the same again.
        code, stdout, stderr = self.here("calibrate", "--predictions", "run", "--policy", "mine.json", "--target-fpr", "0.1", "--out", "again.json",
                                         "--report", "again_report.json")
        self.assertEqual((code, stderr), (0, ""))
        self.check_no_gain(json.loads((self.folder / "again_report.json").read_text(encoding="utf-8")), stdout)
        self.assertEqual(json.loads((self.folder / "again.json").read_text(encoding="utf-8")), policy)

    def test_whether_the_base_may_as_well_stay(self):
        """What is said of predictions that are always right, and of some that rank rightly and never reach Unsafe."""
        rows = invented_rows(240, 1)
        self.judge("nano-gen", rows)
        path = self.folder / "run/predictions.jsonl"
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for harmful, may_stay in ((0.9, True), (0.3, False)):
            for n, line in enumerate(lines):
                unsafe = (harmful if line["label"] == "Unsafe" else 0.1) + n / 10000
                is_flagged = unsafe > 0.5
                line["verdict"] |= {"severity": "Unsafe" if is_flagged else "Safe", "probabilities": {"safe": 1 - unsafe, "controversial": 0, "unsafe": unsafe},
                                    "categories": [{"name": "Violent", "probability": 0.9}] if is_flagged else []}
            path.write_text(lines_of(lines), encoding="utf-8")
            code, stdout, stderr = self.here("calibrate", "--predictions", "run", "--policy", "strict", "--target-fpr", "0.1", "--out", "mine.json", "--force")
            self.assertEqual((code, stderr), (0, ""))
            self.assertEqual("Warning: Cross-validated, the new policy is no better than the base policy, which may as well stay.\n" in stdout, may_stay, stdout)

    def test_responses_of_a_stream_checkpoint(self):
        rows = invented_rows(150, 2, is_response=True)
        report, stdout = self.check("nano-stream", rows, "response", "--f-beta", "1")
        found = report["response"]
        self.assertGreaterEqual(found["after"]["block"]["f_beta"], found["before"]["block"]["f_beta"])
        policy = json.loads((self.folder / "mine.json").read_text(encoding="utf-8"))
        self.assertEqual(policy["debounce"]["consecutive_tokens"], found["fit"]["consecutive_tokens"])
        self.assertIn("Responses: 150 rows", stdout)

    def test_the_base_stays_where_data_say_nothing(self):
        (self.folder / "base.json").write_text(json.dumps({
            "schema": 1, "name": "shop", "version": "7", "unjudged": "block", "lists": {"deny": ["zorblax"]},
            "prompt": {"categories": {"Violent": "off", "PII": "flag"}}}), encoding="utf-8")
        rows = invented_rows(120, 3)
        self.judge("nano-gen", rows)
        (self.folder / "mine.jsonl").write_text(lines_of(rows), encoding="utf-8")
        args = ("calibrate", "--predictions", "run", "--policy", "base.json", "--target-fpr", "0.1", "--name", "shop", "--version", "8")
        code, stdout, stderr = self.here(*args, "--out", "a.json")
        self.assertEqual((code, stderr), (0, ""))
        self.assertIn("Warning: The base policy's lists had no part", stdout)
        policy = json.loads((self.folder / "a.json").read_text(encoding="utf-8"))
        self.assertEqual((policy["name"], policy["version"], policy["unjudged"], policy["lists"]["deny"]), ("shop", "8", "block", ["zorblax"]))
        self.assertEqual(policy["prompt"]["categories"]["Violent"], "off")
        self.assertEqual(list(policy["prompt"]["categories"]["PII"]), ["flag_threshold"])
        # With the texts the lists are followed; the same seed gives the same file.
        code, stdout, stderr = self.here(*args, "--data", "mine.jsonl", "--out", "b.json")
        self.assertEqual((code, stderr), (0, ""))
        self.assertNotIn("lists had no part", stdout)
        self.here(*args, "--data", "mine.jsonl", "--out", "c.json")
        self.assertEqual((self.folder / "b.json").read_bytes(), (self.folder / "c.json").read_bytes())

    def test_what_the_data_cannot_show(self):
        rows = invented_rows(60, 4)
        self.judge("nano-gen", rows)
        code, stdout, _ = self.here("calibrate", "--predictions", "run", "--target-fpr", "0.01", "--out", "mine.json", "--report", "report.json")
        self.assertEqual(code, 0)
        report = json.loads((self.folder / "report.json").read_text(encoding="utf-8"))
        self.assertEqual(report["prompt"]["after"]["block"]["fp"], 0)
        self.assertIn("Warning: Too few rows for the target: 40 rows are safe, and at least 300 are needed to show a rate of 1 %. "
                      "No alarm among them shows a rate of at most 7.5 %", stdout)
        self.assertIn("Warning: The data do not show that false alarms stay at or below 1 %", stdout)

    def test_says_which_folds_there_were(self):
        rows = invented_rows(30, 9)
        harmful = [row for row in rows if row["label"] == "Unsafe"]
        safe = [row for row in rows if row["label"] == "Safe"]
        for n_harmful, n_folds in ((3, 3), (1, 0)):
            self.judge("nano-gen", safe + harmful[:n_harmful], str(n_harmful))
            code, stdout, _ = self.here("calibrate", "--predictions", str(n_harmful), "--f-beta", "1", "--out", "mine.json", "--report", "report.json", "--force")
            self.assertEqual(code, 0)
            found = json.loads((self.folder / "report.json").read_text(encoding="utf-8"))["prompt"]
            self.assertEqual(found["n_folds"], n_folds)
            self.assertEqual(found["cross_validated"] is None, n_folds == 0)
            self.assertEqual("Cross-validated in" in stdout, n_folds > 0, stdout)
            self.assertEqual("Too few rows for cross-validation" in stdout, n_folds == 0, stdout)

    def test_judges_the_data_itself(self):
        rows = invented_rows(120, 5)
        verdicts = self.judge("nano-gen", rows)
        (self.folder / "mine.jsonl").write_text(lines_of(rows), encoding="utf-8")
        goal = ("--target-fpr", "0.1", "--report", "report.json", "--force")
        code, _, stderr = self.here("calibrate", "--model", "nano-gen", "--data", "mine.jsonl", "--out", "a.json", *goal)
        self.assertEqual(code, 0, stderr)
        counts = self.decided("a.json", verdicts, rows)
        report = json.loads((self.folder / "report.json").read_text(encoding="utf-8"))
        self.assertEqual({key: report["prompt"]["after"]["block"][key] for key in counts}, counts)
        code, _, stderr = self.here("calibrate", "--predictions", "run", "--data", "mine.jsonl", "--out", "b.json", *goal)
        self.assertEqual(code, 0, stderr)
        self.assertEqual((self.folder / "a.json").read_bytes(), (self.folder / "b.json").read_bytes())

    def test_a_run_of_eval(self):
        (self.folder / "mine.jsonl").write_text(lines_of(invented_rows(60, 7) + [
            {**row, "id": f"answer {row['id']}"} for row in invented_rows(60, 8, is_response=True)]), encoding="utf-8")
        for model in ("nano-gen", "nano-stream"):
            code, _, stderr = self.here("eval", "--model", model, "--data", "mine.jsonl", "--token-verdicts", "--out", model)
            self.assertEqual((code, stderr), (0, ""))
            for source, out in ((("--predictions", model, "--data", "mine.jsonl"), "a.json"), (("--model", model, "--data", "mine.jsonl"), "b.json")):
                code, stdout, stderr = self.here("calibrate", *source, "--f-beta", "2", "--out", out, "--force")
                self.assertEqual((code, stderr), (0, ""))
                self.assertIn("Warning: The best F-beta depends on how common harm is: 33 % of these rows are harmful.", stdout)
            self.assertEqual((self.folder / "a.json").read_bytes(), (self.folder / "b.json").read_bytes())
            policy = json.loads((self.folder / "a.json").read_text(encoding="utf-8"))
            for role in ("prompt", "response"):
                self.assertIn("block_threshold", policy[role]["categories"]["Violent"])
        # Tokens were not kept, so that no policy can rule on them again.
        self.here("eval", "--model", "nano-stream", "--data", "mine.jsonl", "--out", "without")
        code, stdout, stderr = self.here("calibrate", "--predictions", "without", "--f-beta", "1", "--out", "c.json")
        self.assertEqual((code, stdout, stderr.count("\n")), (2, "", 1))
        self.assertIn("60 rows had no part because the prediction lacks what a policy rules on: token verdicts (eval --token-verdicts)", stderr)

    def test_errors_are_one_line(self):
        rows = invented_rows(30, 6)
        self.judge("nano-gen", rows)
        self.judge("nano-gen", [row for row in rows if row["label"] == "Safe"], "safe")
        (self.folder / "none").mkdir()
        (self.folder / "none" / "predictions.jsonl").write_text("", encoding="utf-8")
        (self.folder / "there.json").write_text("mine", encoding="utf-8")
        out, goal, rows_of = ("--out", "mine.json"), ("--target-fpr", "0.1"), ("--predictions", "run")
        for args, message in (
                ((*rows_of, *out), "neither --target-fpr nor --f-beta is given"),
                ((*rows_of, *out, *goal, "--f-beta", "1"), "--target-fpr and --f-beta are both given"),
                ((*rows_of, *out, "--target-fpr", "0"), "--target-fpr must be more than 0 and less than 1"),
                ((*rows_of, *out, "--target-fpr", "1"), "--target-fpr must be more than 0 and less than 1"),
                ((*rows_of, *out, "--target-fpr", "nan"), "--target-fpr must be more than 0 and less than 1"),
                ((*rows_of, *out, "--f-beta", "0"), "--f-beta must be more than 0"),
                ((*rows_of, *out, *goal, "--folds", "1"), "--folds must be at least 2"),
                ((*rows_of, *goal), "--out"),
                ((*rows_of, *goal, "--out", "there.json"), "there.json: the file exists; --force replaces it"),
                ((*rows_of, *goal, *out, "--report", "mine.json"), "--out and --report name the same file"),
                ((*rows_of, *goal, "--out", "no/such/mine.json"), "no/such"),
                ((*goal, *out), "neither --predictions nor --model is given"),
                ((*rows_of, *goal, *out, "--model", "nano-gen"), "--predictions and --model are both given"),
                ((*goal, *out, "--model", "nano-gen"), "--data"),
                ((*goal, *out, "--predictions", "nowhere"), "nowhere"),
                ((*goal, *out, "--predictions", "none"), "none: has no predictions"),
                ((*goal, *out, "--predictions", "safe"), "nothing was calibrated, and no policy is written. Prompts: Not calibrated, the "
                 "rules of the base policy stay: no row is Controversial or Unsafe"),
                ((*rows_of, *goal, *out, "--policy", "lose"), "lose: no such file, and no policy of the library")):
            with self.subTest(args=args):
                code, stdout, stderr = self.here("calibrate", *args)
                self.assertEqual((code, stdout), (2, ""))
                self.assertEqual(stderr.count("\n"), 1, stderr)
                self.assertIn(message, stderr)
        self.assertFalse((self.folder / "mine.json").exists())
        self.assertEqual((self.folder / "there.json").read_text(encoding="utf-8"), "mine")


if __name__ == "__main__":
    unittest.main()
