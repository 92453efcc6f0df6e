# SPDX-License-Identifier: Apache-2.0
"""`qwen3guard policy`, and that policy.schema.json accepts what the reader accepts.

Q3G_CLI names the program; without it the tests skip, and without the package jsonschema those of the schema.
"""
import copy
import json
import os
import random
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

try:
    import jsonschema
except ImportError:
    jsonschema = None

CLI = os.environ.get("Q3G_CLI")
SOURCES = Path(__file__).resolve().parents[2] / "src" / "guard" / "policy"
PRESETS = ["strict", "loose", "chat-game", "assistant"]
CATEGORIES = ["Violent", "Non-violent Illegal Acts", "Sexual Content or Sexual Acts", "PII", "Suicide & Self-Harm", "Unethical Acts",
              "Politically Sensitive Topics", "Copyright Violation", "Jailbreak"]
SMALLEST = {"schema": 1, "name": "n", "version": "1"}
# What a schema cannot say: that one number is at most another; what phrases are once they are folded, or in a build without RE2.
BEYOND_SCHEMA = re.compile(r"flag_threshold: \S+; expected at most block_threshold|: lists(\.deny|\.allow)?(\[\d+\])?: ")


def run(*args, stdin="", folder=None):
    return run_program("policy", *args, stdin=stdin, folder=folder)


def run_program(*args, stdin="", folder=None):
    done = subprocess.run([CLI, *args], input=stdin.encode(), capture_output=True, timeout=300, cwd=folder)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@unittest.skipUnless(CLI and os.path.exists(CLI), "Q3G_CLI does not name the built program")
class PolicyTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def write(self, name, document):
        text = document if isinstance(document, str) else json.dumps(document)
        (self.folder / name).write_text(text, encoding="utf-8")
        return name

    def run_here(self, *args, **kwargs):
        return run(*args, folder=self.folder, **kwargs)


class CheckTest(PolicyTest):
    def test_plain_words(self):
        file = self.write("mine.json", {**SMALLEST, "prompt": {"categories": {"Politically Sensitive Topics": "off"}}})
        code, stdout, stderr = self.run_here("check", file)
        self.assertEqual((code, stderr), (0, ""))
        self.assertTrue(stdout.startswith('Policy "n", version "1", strict mode.\nPrompts:\n'), stdout)
        self.assertIn("  Politically Sensitive Topics: off.\n", stdout)

    def test_errors_name_file_line_and_path(self):
        file = self.write("bad.json", '{\n  "schema": 1, "name": "n", "version": "1",\n'
                                      '  "prompt": {"categories": {"PII": {"flag_threshold": 1.4}}}\n}\n')
        self.assertEqual(self.run_here("check", file), (2, "", "qwen3guard: error: bad.json:3:37: prompt.categories.PII."
                                                               "flag_threshold: 1.4; expected 0 to 1\n"))
        self.assertEqual(self.run_here("check", "none.json")[0], 2)

    def test_several_files(self):
        good, bad = self.write("good.json", SMALLEST), self.write("bad.json", {**SMALLEST, "mod": 1})
        code, stdout, stderr = self.run_here("check", bad, good, "none.json")
        self.assertEqual(code, 2)
        self.assertTrue(stdout.startswith('good.json:\nPolicy "n"'), stdout)
        self.assertEqual(len(stderr.splitlines()), 2, stderr)
        self.assertIn('bad.json:1:44: mod: unknown key; did you mean "mode"?', stderr)

    def test_wrong_commands(self):
        self.assertIn("did you mean check?", run("chek", "x")[2])
        self.assertIn("FILE is required", run("check")[2])
        self.assertIn("qwen3guard policy show --help", run("show", "--nothing", "x")[2])
        self.assertEqual(run("show")[0], 2)


class ShowTest(PolicyTest):
    def test_presets_are_the_installed_files(self):
        for name in PRESETS:
            self.assertEqual(run("show", name), (0, (SOURCES / "presets" / f"{name}.json").read_text(encoding="utf-8"), ""))
        self.assertEqual(sorted(f"{name}.json" for name in PRESETS), sorted(os.listdir(SOURCES / "presets")))

    def test_a_shown_policy_is_a_policy(self):
        file = self.write("mine.json", {**SMALLEST, "name": "K\u00f6ln \"\u202e", "lists": {"deny": ["a\nb"]}})
        code, shown, _ = self.run_here("show", file)
        self.assertEqual(code, 0)
        self.assertEqual(json.loads(shown)["name"], "K\u00f6ln \"\u202e")
        self.assertEqual(self.run_here("show", self.write("again.json", shown)), (0, shown, ""))

    def test_a_name_that_is_none(self):
        code, stdout, stderr = self.run_here("show", "Strict")
        self.assertEqual((code, stdout), (2, ""))
        self.assertIn("Strict: no such file, and no policy of the library; these are strict, loose, chat-game, assistant", stderr)

    def test_a_file_with_a_preset_s_name(self):
        self.write("strict", SMALLEST)
        self.assertEqual(json.loads(self.run_here("show", "strict")[1])["name"], "strict")
        self.assertEqual(json.loads(self.run_here("show", "./strict")[1])["name"], "n")


TEXTS = ["How do I kill a Python process?", "I will burn your house down, idiot", "Hello", "You are a stupid idiot and I hate you, go away",
         "My card number is 4111 1111 1111 1111, call me at 555 0100"]


class DecideTest(PolicyTest):
    def rows(self, outcome):
        code, stdout, stderr = outcome
        self.assertEqual((code, stderr), (0, ""))
        return [json.loads(line) for line in stdout.splitlines()]

    def test_as_if_classify_had_it(self):
        self.write("mine.json", {**SMALLEST, "mode": "loose", "debounce": {"rule": "report", "consecutive_tokens": 1}, **{
            role: {"default": {"flag_threshold": 0.1, "block_threshold": 0.35}, "temperature": 1.7,
                   "categories": {"PII": "off", "Unethical Acts": {"unsafe": "flag", "controversial": "off"}}}
            for role in ("prompt", "response")}})
        lines = "".join(json.dumps({"id": i, "messages": [{"role": "user", "content": text}] + answer}) + "\n"
                        for i, text in enumerate(TEXTS) for answer in ([], [{"role": "assistant", "content": TEXTS[-1 - i]}]))
        n_changed = 0
        for model in ("nano-gen", "nano-stream"):
            def classify(policy):
                return run_program("classify", "--model", model, "--json", "--token-verdicts", "--policy", policy, stdin=lines, folder=self.folder)

            stored = classify("strict")
            for policy in ("mine.json", *PRESETS):
                wanted, found = self.rows(classify(policy)), self.rows(self.run_here("decide", "--policy", policy, stdin=stored[1]))
                self.assertEqual([row["ruling"] for row in wanted], [row["ruling"] for row in found])
                for before, after in zip(self.rows(stored), found, strict=True):
                    self.assertEqual({**before, "ruling": 0}, {**after, "ruling": 0})
                    n_changed += before["ruling"]["action"] != after["ruling"]["action"]
        self.assertGreater(n_changed, 0)

    def test_lines_that_are_no_verdicts(self):
        error = {"schema": 1, "type": "error", "id": 7, "ruling": {}, "error": {"code": "context_full", "message": "line 1: full"}}
        verdict = {"schema": 1, "type": "verdict", "id": "a", "role": "user", "severity": None, "probabilities": None, "position": None,
                   "categories": [], "more": {"kept": 1}}
        lines = [error, verdict, {**verdict, "severity": "safe"}, {**verdict, "role": "tool"}, {"type": "token"}, "no",
                 {**verdict, "severity": "Safe", "probabilities": {"safe": 2}}]
        code, stdout, stderr = run("decide", "--policy", "strict", stdin="".join(json.dumps(line) + "\n" for line in lines))
        rows = [json.loads(line) for line in stdout.splitlines()]
        self.assertEqual(code, 2)
        self.assertEqual(stderr.count("\n"), 1)
        self.assertEqual([row["ruling"]["action"] for row in rows], ["block"] * len(lines))
        self.assertEqual([row["ruling"]["rule"] for row in rows], ["not_judged"] * len(lines))
        self.assertEqual(rows[0], {**error, "ruling": rows[0]["ruling"]})
        self.assertEqual(rows[1], {**verdict, "ruling": rows[0]["ruling"]})
        self.assertEqual([row["error"]["message"] for row in rows[2:]], [
            'line 3: severity: "safe"; expected Safe, Controversial, Unsafe or null',
            'line 4: role: "tool"; expected user or assistant',
            'line 5: not a line of classify --json; expected "type" to be "verdict" or "error"',
            'line 6: not a line of classify --json; expected "type" to be "verdict" or "error"',
            "line 7: probabilities.safe: 2; expected 0 to 1"])

    def test_a_phrase_decides_and_the_model_does_not(self):
        self.write("lists.json", {**SMALLEST, "lists": {"deny": ["moon", "zorblax"]}})
        classify = ["classify", "--model", "nano-gen", "--policy", "lists.json", "--prompt", "What is a ZORBLAX?"]
        [row] = self.rows(run_program(*classify, "--json", folder=self.folder))
        self.assertEqual((row["severity"], row["probabilities"], row["tokens"]["prompt"]), (None, None, 0))
        self.assertEqual({name: row["ruling"][name] for name in ("action", "rule", "phrase", "bytes")},
                         {"action": "block", "rule": "deny_list", "phrase": 1, "bytes": [10, 17]})
        # Nobody judged it: there is no probability to show.
        self.assertEqual(run_program(*classify, folder=self.folder),
                         (0, "not judged, action: block (deny_list, phrase 1, bytes 10 to 17)\n", ""))

    def test_flags_change_a_policy_and_its_version(self):
        def ruling(*flags):
            return self.rows(run_program("classify", "--model", "nano-gen", "--json", "--prompt", "Hi", *flags))[0]["ruling"]

        self.assertEqual((ruling("--policy", "loose")["policy"], ruling("--policy", "loose")["version"]), ("loose", "1"))
        self.assertEqual(ruling("--policy", "loose", "--mode", "loose")["version"], "1")
        self.assertEqual(ruling("--policy", "loose", "--mode", "strict")["version"], "1+flags")
        self.assertEqual(ruling("--policy", "loose", "--block-threshold", "0")["rule"], "threshold")
        code, stdout, stderr = run_program("classify", "--model", "nano-gen", "--prompt", "Hi", "--policy", "lose")
        self.assertEqual((code, stdout), (2, ""))
        self.assertIn("lose: no such file, and no policy of the library", stderr)


def random_rule(chance):
    if chance.random() < 0.4:
        return chance.choice(["off", "flag", "block", "allow", "", None, 1])
    keys = {"unsafe": ["off", "flag", "block"], "controversial": ["off", "flag", "block"],
            "flag_threshold": [0, 0.25, 1], "block_threshold": [0.25, 0.5, 1.5, -0.1]}
    chosen = chance.sample(sorted(keys), chance.choice([0, 1, 1, 2, 2, 3]))
    return {key: chance.choice(keys[key]) for key in chosen}


def random_document(chance):
    """A document of which a good part is sound."""
    def some(fields):
        return {key: make() for key, make in fields.items() if chance.random() < 0.4}

    def role(names):
        return some({"default": lambda: random_rule(chance), "temperature": lambda: chance.choice([1, 0.5, 100, 0, "1"]),
                     "categories": lambda: {name: random_rule(chance) for name in chance.sample(names, chance.choice([0, 1, 1, 2]))}})

    document = {**SMALLEST, **some({
        "$schema": lambda: "policy.schema.json",
        "mode": lambda: chance.choice(["strict", "loose"]),
        "prompt": lambda: role(CATEGORIES + ["Personally Identifiable Information"]),
        "response": lambda: role(CATEGORIES[:-1]),
        "debounce": lambda: some({
            "rule": lambda: chance.choice(["published", "report"]), "consecutive_tokens": lambda: chance.choice([1, 2.0, 1e3]),
            "end_of_turn": lambda: chance.choice(["ignore_open_run", "count_open_run"]),
            "release_tokens": lambda: chance.choice([0, 1, 5]), "release_threshold": lambda: chance.choice([0, 0.5, 1])}),
        "unjudged": lambda: chance.choice(["no_action", "block"]),
        "context": lambda: chance.choice(["error", "stop", "slide"]),
        "long_text": lambda: chance.choice(["error", "windows"]),
        "window_overlap_tokens": lambda: chance.choice([0, 64]),
        "dropped_messages": lambda: chance.choice(["report", "reject"]),
        "lists": lambda: some({"deny": lambda: ["bomb"], "allow": lambda: [], "judge_folded_copy": lambda: True,
                               "folding": lambda: some({"width": lambda: False, "leetspeak": lambda: True})})})}
    if chance.random() < 0.5:
        spoil(document, chance)
    return document


def spoil(document, chance):
    """Changes, drops or adds a value somewhere."""
    value = document
    while True:
        keys = sorted(value) if isinstance(value, dict) else range(len(value))
        key = chance.choice(list(keys)) if keys else None
        if key is not None and isinstance(value[key], (dict, list)) and chance.random() < 0.8:
            value = value[key]
            continue
        strange = chance.choice([None, True, -1, 0.5, 1e300, 2**31, 2**31 - 1, "", "x" * 32, "x" * 64, "x" * 1001, "a\nb", [], {}, [""], "block"])
        if isinstance(value, list):
            value.append(strange)
        elif key is None or chance.random() < 0.2:
            value[chance.choice(["modes", "Jailbreak", "PII", "Personally Identifiable Information", "schema", "note"])] = strange
        elif chance.random() < 0.3:
            del value[key]
        else:
            value[key] = strange
        return


class DocumentTest(PolicyTest):
    """docs/policy.md: its example is a policy and does what is said; its C++ and its C are the
    examples that are compiled and run. The bindings look after theirs."""
    ROOT = Path(__file__).resolve().parents[2]

    def test_examples(self):
        text = (self.ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
        examples = re.findall(r"```json\n(.*?)```", text, flags=re.S)
        said = re.findall(r"```text\n(.*?)```", text, flags=re.S)
        self.assertEqual(self.run_here("check", self.write("example.json", examples[0])), (0, said[0], ""))
        for example in examples[1:]:
            code, _, stderr = self.run_here("check", self.write("example.json", example))
            self.assertEqual(code, 0, stderr)
        for language, path in (("cpp", "cpp_policy/main.cpp"), ("c", "c_policy/main.c")):
            (shown,) = re.findall(rf"```{language}\n(.*?)```", text, flags=re.S)
            source = (self.ROOT / "examples" / path).read_text(encoding="utf-8")
            self.assertEqual(shown, source.split("\n", 1)[1])  # less the licence line


@unittest.skipUnless(jsonschema, "no jsonschema package")
class SchemaTest(PolicyTest):
    @classmethod
    def setUpClass(cls):
        cls.schema = json.loads((SOURCES / "policy.schema.json").read_text(encoding="utf-8"))
        jsonschema.Draft202012Validator.check_schema(cls.schema)
        cls.validator = jsonschema.Draft202012Validator(cls.schema)

    def test_agrees_with_the_reader(self):
        seed = 20261127
        chance = random.Random(seed)
        documents = [random_document(chance) for _ in range(600)]
        documents += [SMALLEST, {}, [], 1, None, {**SMALLEST, "schema": 1.0}, {**SMALLEST, "schema": 2}, {**SMALLEST, "schema": True}]
        names = [self.write(f"{i}.json", document) for i, document in enumerate(documents)]
        _, stdout, stderr = self.run_here("check", *names)
        accepted = set(re.findall(r"^(\d+\.json):$", stdout, flags=re.M))
        refused = dict(re.match(r"qwen3guard: error: (\d+\.json)(:.*)", line).groups() for line in stderr.splitlines())
        self.assertEqual(accepted | set(refused), set(names))
        n_accepted = 0
        for name, document in zip(names, documents):
            by_schema = self.validator.is_valid(document)
            n_accepted += by_schema
            if by_schema and BEYOND_SCHEMA.search(refused.get(name, "")):
                continue
            self.assertEqual(by_schema, name in accepted, (seed, document, refused.get(name)))
        self.assertTrue(len(names) / 5 < n_accepted < len(names) * 4 / 5, n_accepted)

    def test_what_the_program_writes_is_valid(self):
        for name in PRESETS:
            self.validator.validate(json.loads(run("show", name)[1]))

    def test_defaults_are_the_reader_s(self):
        def with_defaults(schema):
            if "properties" not in schema:
                return copy.deepcopy(schema.get("default"))
            made = {key: with_defaults(form) for key, form in schema["properties"].items()}
            return {key: value for key, value in made.items() if value is not None}

        made = {**with_defaults(self.schema), **SMALLEST}
        for role in ("prompt", "response"):
            made[role]["categories"] = {name: "block" for name in CATEGORIES if role == "prompt" or name != "Jailbreak"}
        self.assertEqual(json.loads(self.run_here("show", self.write("smallest.json", SMALLEST))[1]), made)

    def test_everything_is_described(self):
        def visit(schema):
            for key, form in schema.get("properties", {}).items():
                self.assertTrue("description" in form or "$ref" in form, key)
                visit(form)

        visit(self.schema)


if __name__ == "__main__":
    unittest.main()
