# SPDX-License-Identifier: Apache-2.0
"""`qwen3guard eval` from end to end: what it writes, what it refuses, and that no row is lost or there twice when it is
killed, interrupted or out of space.

Q3G_CLI names the program; without it the tests skip. Standard library only. Texts are invented.
"""
import json
import os
import random
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

try:
    import fcntl
    import resource
except ImportError:  # Windows
    fcntl = resource = None

CLI = os.environ.get("Q3G_CLI")
SEED = 20261127
WORDS = ("the bread rises warm oven you idiot burn house down kill steal password garden green tea quietly evening "
         "weapon build hello friend river moon 漢字 Wörter über").split()


def run(*args, timeout=120, **kwargs):
    """Returns (exit code, stdout, stderr)."""
    done = subprocess.run([CLI, *map(str, args)], capture_output=True, timeout=timeout, **kwargs)
    return done.returncode, done.stdout.decode(), done.stderr.decode(errors="replace")


def row(number, rng, is_response=False, **more):
    text = " ".join(rng.choice(WORDS) for _ in range(rng.randint(3, 20)))
    messages = [{"role": "user", "content": "Tell me." if is_response else text}]
    if is_response:
        messages.append({"role": "assistant", "content": text})
    return {"id": f"row {number} 漢", "messages": messages, "label": rng.choice(["Safe", "Controversial", "Unsafe"]), **more}


def without_times(predictions):
    """The lines of a predictions file, but for the fields that say how long something took."""
    out = []
    for line in predictions.splitlines():
        prediction = json.loads(line)
        prediction.pop("ms")
        prediction["verdict"].pop("latency_ms", None)
        prediction["verdict"].get("tokens", {}).pop("cached", None)
        out.append(prediction)
    return out


@unittest.skipUnless(CLI and os.path.exists(CLI), "Q3G_CLI does not name the built program")
class EvalTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.out = self.folder / "out"

    def write(self, name, lines):
        """A data file: rows, or bytes as they are."""
        path = self.folder / name
        data = [line if isinstance(line, bytes) else json.dumps(line, ensure_ascii=False).encode() for line in lines]
        path.write_bytes(b"".join(line + b"\n" for line in data))
        return path

    def eval(self, *data, model="nano-stream", more=(), resume=False, **kwargs):
        flags = ["--resume"] if resume else []
        return run("eval", "--model", model, "--out", self.out, "--resamples", 0, *flags, *more, "--data", *data, **kwargs)

    def predictions(self, out=None):
        return [json.loads(line) for line in ((out or self.out) / "predictions.jsonl").read_text("utf-8").splitlines()]

    def metrics(self, out=None):
        return json.loads(((out or self.out) / "metrics.json").read_text("utf-8"))

    def assert_refused(self, outcome, *words):
        code, _, stderr = outcome
        self.assertEqual(code, 2, stderr)
        for word in words:
            self.assertIn(word, stderr)


class ResumeTest(EvalTest):
    def setUp(self):
        super().setUp()
        rng = random.Random(SEED)
        self.data = [self.write("prompts.jsonl", [row(i, rng) for i in range(90)]),
                     self.write("responses.jsonl", [row(i, rng, is_response=True) for i in range(150)])]
        self.more = ("--batch", 16, "--threads", 1)

    def whole_run(self):
        """The predictions of one run, and its metrics without the speed."""
        out = self.folder / "whole"
        code, _, stderr = run("eval", "--model", "nano-stream", "--out", out, "--resamples", 0, *self.more, "--data", *self.data)
        self.assertEqual(code, 0, stderr)
        return without_times((out / "predictions.jsonl").read_text("utf-8")), self.without_speed(out)

    def without_speed(self, out):
        metrics = self.metrics(out)
        for one in metrics["sets"].values():
            one.pop("speed")
        return metrics

    def assert_same_as(self, whole):
        self.assertEqual(without_times((self.out / "predictions.jsonl").read_text("utf-8")), whole[0])
        self.assertEqual(self.without_speed(self.out), whole[1])
        self.assertEqual(sorted(path.name for path in self.out.iterdir()), ["metrics.json", "predictions.jsonl", "run.json"])

    def test_killed_at_random_moments(self):
        begin = time.monotonic()
        whole = self.whole_run()
        took = time.monotonic() - begin
        rng = random.Random(SEED)
        n_killed = 0
        for attempt in range(40):
            args = [CLI, "eval", "--model", "nano-stream", "--out", self.out, "--resamples", "0", "--resume",
                    *map(str, self.more), "--data", *self.data]
            process = subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            try:
                _, stderr = process.communicate(timeout=rng.uniform(0, took / 2) if attempt < 8 else 120)
                self.assertEqual(process.returncode, 0, stderr)
                break
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                n_killed += 1
        print(f"seed {SEED}: killed {n_killed} times", end=" ")
        self.assertGreater(n_killed, 0)
        self.assert_same_as(whole)

    def test_any_beginning_of_a_run_is_gone_on_with(self):
        """Each state in which a death can leave the folder: before the first line, in a line, behind one."""
        whole = self.whole_run()
        begun = self.folder / "whole"
        text = (begun / "predictions.jsonl").read_bytes()
        first_line = text.index(b"\n") + 1
        states = {"no predictions": None, "nothing": b"", "half a line": text[:first_line // 2], "one line": text[:first_line],
                  "torn": text[:len(text) // 2], "zeros": text[:len(text) // 3] + b"\0" * 300,
                  "a line of zeros": text[:first_line] + b"\0" * 40 + b"\n", "no newline": text[:-1], "all": text,
                  "half a character": text[:text.index("漢".encode()) + 1]}
        for name, state in states.items():
            with self.subTest(name):
                self.out = self.folder / name
                self.out.mkdir()
                (self.out / "run.json").write_bytes((begun / "run.json").read_bytes())
                if state is not None:
                    (self.out / "predictions.jsonl").write_bytes(state)
                code, _, stderr = self.eval(*self.data, more=self.more, resume=True)
                self.assertEqual(code, 0, stderr)
                is_torn = state and not state.endswith(b"\n") or name == "a line of zeros"
                self.assertEqual("was not complete" in stderr, bool(is_torn), stderr)
                self.assert_same_as(whole)
        # It died between making the file of predictions and saying what they are of.
        self.out = self.folder / "unbegun"
        self.out.mkdir()
        (self.out / "predictions.jsonl").touch()
        self.assertEqual(self.eval(*self.data, more=self.more, resume=True)[0], 0)
        self.assert_same_as(whole)

    def test_predictions_that_do_not_belong_there_are_left_alone(self):
        self.assertEqual(self.eval(*self.data, more=self.more)[0], 0)
        path = self.out / "predictions.jsonl"
        lines = path.read_bytes().splitlines(keepends=True)
        for name, spoiled in (("swapped", [lines[1], lines[0], *lines[2:]]), ("twice", [lines[0], *lines]),
                              ("broken inside", [lines[0], b"{\n", *lines[2:]]), ("too many", [*lines, lines[-1]])):
            with self.subTest(name):
                path.write_bytes(b"".join(spoiled))
                self.assert_refused(self.eval(*self.data, more=self.more, resume=True), "predictions.jsonl: line ")
                self.assertEqual(path.read_bytes(), b"".join(spoiled))
        path.write_bytes(b"".join(lines))
        (self.out / "run.json").unlink()
        self.assert_refused(self.eval(*self.data, more=self.more, resume=True), "without run.json")

    def test_a_run_is_gone_on_with_only_as_it_was_begun(self):
        self.assert_refused(run("eval", "--model", "nano-stream", "--data", self.data[0], "--resume"), "--out")
        self.assertEqual(self.eval(self.data[0], more=self.more)[0], 0)
        text = (self.out / "predictions.jsonl").read_bytes()
        self.assert_refused(self.eval(self.data[0]), "--resume")
        policy = self.folder / "other.json"
        policy.write_text('{"schema":1,"name":"other","version":"7","mode":"loose"}')
        for words, model, data, more in (
                (["another model", "nano-stream"], "nano-gen", self.data[:1], ()),
                (["another policy", "default"], "nano-stream", self.data[:1], ("--policy", policy)),
                (["another policy"], "nano-stream", self.data[:1], ("--mode", "loose")),
                (["limit null (now 9)"], "nano-stream", self.data[:1], ("--limit", 9)),
                (['thinking "none" (now "judge")'], "nano-stream", self.data[:1], ("--thinking", "judge")),
                (['long_text "policy" (now "windows")'], "nano-stream", self.data[:1], ("--long-text", "windows")),
                (["token_verdicts false (now true)"], "nano-stream", self.data[:1], ("--token-verdicts",)),
                (["other data"], "nano-stream", self.data, ()), (["other data"], "nano-stream", self.data[1:], ())):
            with self.subTest(words):
                self.assert_refused(self.eval(*data, model=model, more=more, resume=True), str(self.out), *words)
        with self.data[0].open("a") as out:
            out.write("\n")
        self.assert_refused(self.eval(self.data[0], resume=True), "other data")
        self.assertEqual((self.out / "predictions.jsonl").read_bytes(), text)

    @unittest.skipUnless(fcntl, "locks are held as POSIX has them")
    def test_one_process_at_a_time(self):
        self.assertEqual(self.eval(*self.data, more=self.more)[0], 0)
        with (self.out / "predictions.jsonl").open("rb+") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            self.assert_refused(self.eval(*self.data, more=self.more, resume=True), "another process is writing it")
        self.assertEqual(self.eval(*self.data, more=self.more, resume=True)[0], 0)

    @unittest.skipUnless(resource, "signals are POSIX's")
    def test_ctrl_c_keeps_what_was_judged_and_says_how_to_go_on(self):
        whole = self.whole_run()
        args = [CLI, "eval", "--model", "nano-stream", "--out", self.out, "--resamples", "0", "--threads", "1", "--batch", "16",
                "--data", *self.data]
        process = subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        path = self.out / "predictions.jsonl"
        while process.poll() is None and not (path.exists() and path.stat().st_size > 0):
            time.sleep(0.001)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, stderr)
        self.assertIn(b"--resume", stderr)
        n_kept = len(self.predictions())
        self.assertIn(f"{n_kept} of 240 rows".encode(), stderr)
        self.assertFalse((self.out / "metrics.json").exists())
        self.assert_refused(run("eval", "score", self.out), f"{n_kept} of 240")
        code, _, stderr = self.eval(*self.data, more=self.more, resume=True)
        self.assertEqual(code, 0, stderr)
        self.assert_same_as(whole)

    @unittest.skipUnless(resource, "no limit for the size of a file")
    def test_a_full_disk_loses_nothing(self):
        whole = self.whole_run()
        n_bytes = (self.folder / "whole" / "predictions.jsonl").stat().st_size

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writing fails instead
            resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes // 2, n_bytes // 2))

        self.assert_refused(self.eval(*self.data, more=self.more, preexec_fn=limit), "predictions.jsonl: cannot write")
        text = (self.out / "predictions.jsonl").read_bytes()
        self.assertTrue(text.endswith(b"\n"))
        self.assertEqual(without_times(text.decode()), whole[0][:text.count(b"\n")])
        code, _, stderr = self.eval(*self.data, more=self.more, resume=True)
        self.assertEqual((code, stderr), (0, ""))
        self.assert_same_as(whole)


class DataTest(EvalTest):
    def test_bad_rows_are_named_by_line_and_counted(self):
        rng = random.Random(SEED)
        good = row(1, rng)
        user = {"role": "user", "content": "Hello"}

        def spoiled(**members):
            return {key: value for key, value in {**good, "id": rng.random(), **members}.items() if value is not ...}

        bad = [(b"{not json", "JSON"), (b'"text"', "an object"), (b'{"id": "\xff\xfe"}', ""),
               (spoiled(messages=...), "messages"), (spoiled(messages=[]), "messages"), (spoiled(messages="Hi"), "messages"),
               (spoiled(messages=[user, {"role": "assistant", "content": " \n"}]), "empty"),
               (spoiled(messages=[user, {"role": "system", "content": "Hi"}]), "system"),
               (spoiled(messages=[{"role": "pilot", "content": "Hi"}]), "role"),
               (spoiled(label=...), "no label"), (spoiled(label=None), "no label"), (spoiled(label="Dangerous"), "Dangerous"),
               (spoiled(label=3), "label"), (spoiled(label_derived=True), "derived"),
               (spoiled(categories=["Rudeness"]), "Rudeness"), (spoiled(categories="PII"), "categories"),
               (spoiled(refusal="no"), "refusal"), (spoiled(refusal=True), "refusal"),
               (spoiled(unsafe_span_chars=[0, 2]), "unsafe_span_chars"),
               (spoiled(messages=[user, {**user, "role": "assistant"}], unsafe_span_chars=[0, 6]), "unsafe_span_chars"),
               (spoiled(messages=[user, {**user, "role": "assistant"}], unsafe_span_chars=[3, 3]), "unsafe_span_chars"),
               (spoiled(messages=[user, {**user, "role": "assistant"}], unsafe_span_chars=[4, 2]), "unsafe_span_chars"),
               (spoiled(messages=[user, {**user, "role": "assistant"}], unsafe_span_tokens=[-1, 2]), "unsafe_span_tokens"),
               (spoiled(weak="yes"), "weak"), (spoiled(lang=5), "lang"), (good, "duplicate id"),
               (b'{"id": 1, "id": 2, "messages": [{"role": "user", "content": "Hi"}], "label": "Safe"}', "twice")]
        lines = [good]
        for line, _ in bad:
            lines += [line, b""]
        lines.append({**good, "id": "last"})
        code, stdout, stderr = self.eval(self.write("set.jsonl", lines))
        self.assertEqual(code, 0, stderr)
        one = self.metrics()["sets"]["set"]
        self.assertEqual((one["n"], one["n_bad"]), (2, len(bad)))
        self.assertEqual([found["line"] for found in one["bad_rows"]], [2 + 2 * i for i in range(len(bad))])
        for found, (line, word) in zip(one["bad_rows"], bad):
            self.assertIn(word, found["reason"], line)
        self.assertIn("set.jsonl: line 2: ", stderr)
        self.assertIn(f"{len(bad)} bad and 2 good rows", stderr)
        self.assertIn(f"{len(bad)} bad rows left out", stdout)
        self.assertEqual([p["line"] for p in self.predictions()], [1, len(lines)])
        # They are known without the data.
        self.assertEqual(run("eval", "score", self.out)[0], 0)
        self.assertEqual(self.metrics()["sets"]["set"]["bad_rows"], one["bad_rows"])

    def test_files_that_are_none(self):
        rng = random.Random(SEED)
        path = self.write("set.jsonl", [row(1, rng)])
        (self.folder / "other").mkdir()
        twin = self.write("other/set.jsonl", [row(1, rng)])
        empty = self.write("empty.jsonl", [])
        bad = self.write("bad.jsonl", [b"{"])
        for words, data in ((["missing.jsonl"], [path, self.folder / "missing.jsonl"]), (["other"], [self.folder / "other"]),
                            (["set.jsonl", "rename"], [path, twin]), (["no row"], [empty]), (["no row", "line 1"], [bad]),
                            (["UTF-16"], [self.write("wide.jsonl", ["{}".encode("utf-16")])])):
            with self.subTest(words):
                self.assert_refused(self.eval(*data), *words)
                self.assertFalse(self.out.exists())
        self.assert_refused(self.eval(path, more=("--safe-set", "sett")), "sett", "no file of --data")
        self.assertFalse(self.out.exists())
        self.assert_refused(run("eval", "--data", path), "--model")
        # Beside others an empty file is a set of no rows.
        self.assertEqual(self.eval(path, empty)[0], 0)
        one = self.metrics()["sets"]["empty"]
        self.assertEqual((one["n"], one["strict"]["f1"], one["best"], one["auc"]), (0, None, None, None))

    def test_a_byte_order_mark_crlf_and_missing_ids(self):
        rng = random.Random(SEED)
        rows = [row(i, rng) for i in range(5)]
        for one in rows[2:]:
            one.pop("id")
        plain = self.write("plain.jsonl", rows)
        windows = self.folder / "windows.jsonl"
        windows.write_bytes(b"\xef\xbb\xbf" + plain.read_bytes().replace(b"\n", b"\r\n").rstrip(b"\r\n"))
        code, _, stderr = self.eval(plain, windows)
        self.assertEqual((code, stderr), (0, ""))
        said = self.predictions()
        self.assertEqual([one["id"] for one in said[:5]], ["row 0 漢", "row 1 漢", "line 3", "line 4", "line 5"])
        for a, b in zip(said[:5], said[5:]):
            self.assertEqual((a["id"], a["verdict"]["severity"]), (b["id"], b["verdict"]["severity"]))
            self.assertAlmostEqual(a["scores"]["strict"], b["scores"]["strict"], places=5)

    def test_limit_is_of_good_rows(self):
        rng = random.Random(SEED)
        path = self.write("set.jsonl", [b"{", row(1, rng), b"{", row(2, rng), b"{", row(3, rng)])
        self.assertEqual(self.eval(path, more=("--limit", 2))[0], 0)
        one = self.metrics()["sets"]["set"]
        self.assertEqual((one["n"], one["n_bad"]), (2, 2))


class VerdictTest(EvalTest):
    def test_what_classify_says_is_what_the_predictions_have(self):
        rng = random.Random(SEED)
        path = self.write("set.jsonl", [row(i, rng, is_response=i % 2 == 1) for i in range(20)])
        for model in ("nano-gen", "nano-stream"):
            self.out = self.folder / model
            self.assertEqual(self.eval(path, model=model)[0], 0)
            lines = [{key: line[key] for key in ("id", "messages")} for line in map(json.loads, path.open(encoding="utf-8"))]
            stdin = "".join(json.dumps(line) + "\n" for line in lines).encode()
            _, stdout, _ = run("classify", "--model", model, "--json", input=stdin)
            for prediction, line in zip(self.predictions(), stdout.splitlines(), strict=True):
                verdict = json.loads(line)
                for member in ("id", "role", "severity", "ruling", "position"):
                    self.assertEqual(prediction["verdict"][member], verdict[member])
                for name, value in verdict["probabilities"].items():
                    self.assertAlmostEqual(prediction["verdict"]["probabilities"][name], value, places=4)
                if model == "nano-gen" or prediction["role"] == "user":
                    p = prediction["verdict"]["probabilities"]
                    self.assertAlmostEqual(prediction["scores"]["loose"], p["unsafe"], places=6)
                    self.assertAlmostEqual(prediction["scores"]["strict"], p["unsafe"] + p["controversial"], places=6)
                self.assertEqual("guard_predict" in prediction, model == "nano-gen")
                self.assertEqual("pred_risk_levels" in prediction, model == "nano-stream")

    def test_rows_that_do_not_fit_are_errors_or_judged_in_windows(self):
        rng = random.Random(SEED)
        long = row("long", rng, label="Unsafe")
        long["messages"][0]["content"] = "The bread rises in the warm oven. " * 1200
        path = self.write("set.jsonl", [row(1, rng, label="Safe"), long])
        code, _, stderr = self.eval(path)
        self.assertEqual(code, 2)
        self.assertIn("1 of 2 rows were not judged", stderr)
        prediction = self.predictions()[1]
        self.assertEqual((prediction["verdict"]["type"], prediction["verdict"]["error"]["code"]), ("error", "context_full"))
        self.assertIsNone(prediction["scores"])
        one = self.metrics()["sets"]["set"]
        self.assertEqual((one["n_not_judged"], one["predicted"]["not_judged"], one["strict"]["fn"]), (1, 1, 1))
        self.out = self.folder / "windows"
        self.assertEqual(self.eval(path, more=("--long-text", "windows"))[0], 0)
        prediction = self.predictions()[1]
        self.assertGreater(prediction["verdict"]["window"]["n_windows"], 1)
        self.assertIsNotNone(prediction["scores"])
        self.assertEqual(self.metrics()["sets"]["set"]["n_not_judged"], 0)

    def test_what_a_deny_list_decides_counts_as_unsafe(self):
        policy = self.folder / "policy.json"
        policy.write_text('{"schema":1,"name":"listed","version":"3","lists":{"deny":["purple elephant"]}}')
        content = [{"role": "user", "content": "A purple elephant walks by."}]
        path = self.write("set.jsonl", [{"id": 1, "messages": content, "label": "Unsafe"},
                                        {"id": 2, "messages": content, "label": "Safe"},
                                        {"id": 3, "messages": [{"role": "user", "content": "Hello"}], "label": "Safe"}])
        for model in ("nano-gen", "nano-stream"):
            self.out = self.folder / model
            self.assertEqual(self.eval(path, model=model, more=("--policy", policy))[0], 0)
            said = self.predictions()
            self.assertEqual([one["verdict"]["ruling"]["rule"] for one in said[:2]], ["deny_list"] * 2)
            self.assertEqual([one["scores"] for one in said[:2]], [None] * 2)
            metrics = self.metrics()
            self.assertEqual(metrics["policy"], {"name": "listed", "version": "3"})
            one = metrics["sets"]["set"]
            self.assertEqual((one["n_by_list"], one["n_not_judged"], one["predicted"]["Unsafe"]), (2, 0, 2))
            for mode in ("strict", "loose"):
                self.assertEqual([one[mode][key] for key in ("tp", "fp", "fn", "tn")], [1, 1, 0, 1])
            self.assertEqual(one["actions"]["block"]["tp"], 1)
            self.assertIsNone(one["auc"])

    def test_a_marked_passage_is_the_tokens_whose_bytes_it_shares(self):
        texts = ["Grüße, 漢字 und Wörter über alles, 😀 du Idiot 😀😀 stirb!", "e\u0301e\u0301 naïve 日本語のテキスト kill them", "kill"]
        rng = random.Random(SEED)
        rows, tokens = [], []
        for number, text in enumerate(texts):
            _, stdout, _ = run("stream", "--model", "nano-stream", "--json", "--prompt", "Tell me.", "--response", text)
            found = [json.loads(line) for line in stdout.splitlines()]
            found = [one for one in found if one["type"] == "token" and one["role"] == "assistant"]
            for part in range(8):
                begin = rng.randrange(len(text))
                end = rng.randint(begin + 1, len(text))
                rows.append({"id": f"{number} {part}", "label": "Unsafe", "unsafe_span_chars": [begin, end],
                             "messages": [{"role": "user", "content": "Tell me."}, {"role": "assistant", "content": text}]})
                # By bytes: each character's tokens are those that have a byte of it.
                first, last = len(text[:begin].encode()), len(text[:end].encode())
                inside = [one["index"] for one in found if one["byte_begin"] < last and one["byte_end"] > first]
                tokens.append((inside[0], inside[-1], found[0]["index"], {"Safe": 0, "Unsafe": 1, "Controversial": 2}, found))
        given = {"id": "given", "label": "Unsafe", "unsafe_span_tokens": [61, 80], "messages": rows[0]["messages"]}
        path = self.write("set.jsonl", [*rows, given])
        self.assertEqual(self.eval(path)[0], 0)
        said = self.predictions()
        for prediction, (first, last, begin, levels, found) in zip(said, tokens):
            where = (SEED, prediction["id"])
            self.assertEqual((prediction["unsafe_start_index"], prediction["unsafe_end_index"]), (first, last), where)
            self.assertEqual(prediction["split_idx_eval"], begin, where)
            n = len(found)
            self.assertEqual(prediction["pred_risk_levels"][:n], [levels[one["severity"]] for one in found], where)
            self.assertEqual(prediction["input_ids"][:n], [one["id"] for one in found], where)
            for name in ("pred_risk_prob", "pred_categories", "input_ids"):
                self.assertEqual(len(prediction[name]), len(prediction["pred_risk_levels"]), where)
        self.assertEqual((said[-1]["unsafe_start_index"], said[-1]["unsafe_end_index"]), (61, 80))
        self.assertEqual(self.metrics()["sets"]["set"]["streaming"]["n"], len(rows) + 1)
        # A Gen checkpoint has no tokens to find it in.
        self.out = self.folder / "gen"
        self.assertEqual(self.eval(path, model="nano-gen")[0], 0)
        self.assertEqual((self.predictions()[0]["unsafe_start_index"], self.metrics()["sets"]["set"]["streaming"]), (None, None))

    def test_the_table_and_the_json_are_of_the_same_numbers(self):
        rng = random.Random(SEED)
        data = [self.write(f"{name}.jsonl", [row(i, rng) for i in range(30)]) for name in ("a", "b")]
        code, stdout, stderr = self.eval(*data, more=("--safe-set", "a", "--target-fpr", 0.2, "--json"))
        self.assertEqual((code, stderr), (0, ""))
        self.assertEqual(json.loads(stdout), self.metrics())
        code, stdout, _ = run("eval", "score", self.out, "--safe-set", "a", "--target-fpr", "0.2", "--resamples", 0)
        self.assertEqual(code, 0)
        table = [line.split() for line in stdout.splitlines()]
        for name, one in self.metrics()["sets"].items():
            cells = next(line for line in table if line[:1] == [name])
            self.assertEqual(cells[1:4], ["30", f"{one['strict']['f1']:.3f}", f"{one['strict']['precision']:.3f}"])
        self.assertIn("mean of 2", stdout)


if __name__ == "__main__":
    unittest.main()
