# SPDX-License-Identifier: Apache-2.0
"""examples/official/check.py, on small trained checkpoints and on tiny random ones.

Needs NumPy and the program (Q3G_CLI). What compares with transformers runs where the Python here has it, or the one that
Q3G_TORCH_PYTHON names, or examples/official/.venv.
"""
from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from tests import checkpoints

HERE = Path(__file__).resolve().parents[1]
CLI = os.environ.get("Q3G_CLI", "")
HAVE_CLI = bool(CLI) and os.path.exists(CLI)

try:
    import numpy as np
except ImportError:
    np = None

if np is not None:
    from official_kit import (
        compare_logits,
        compare_verdicts,
        conversations,
        evaluation,
        options,
        packing,
        page,
        program,
        published,
        reference,
        results,
        run,
        tolerances,
    )

    sys.path += [str(checkpoints.PROJECT / "tests/tools"), str(checkpoints.PROJECT / "benchmarks/peers")]
    import make_random_model
    import stream_oracle

NEEDS_CLI = unittest.skipUnless(HAVE_CLI, "Q3G_CLI does not name the built program")
NEEDS_NUMPY = unittest.skipUnless(np is not None, "NumPy is not installed (scripts/make_venv.sh)")


def torch_python() -> str | None:
    """A Python that has PyTorch and transformers."""
    if importlib.util.find_spec("torch") and importlib.util.find_spec("transformers"):
        return sys.executable
    for named in (os.environ.get("Q3G_TORCH_PYTHON", ""), str(HERE / ".venv/bin/python")):
        if named and os.path.exists(named):
            return named
    return None


TORCH_PYTHON = torch_python()


def setUpModule() -> None:
    if not TORCH_PYTHON:
        print(
            "skipped: official/AgainstTransformers, as torch and transformers are not installed (examples/official/setup_venv.sh)"
        )


@NEEDS_NUMPY
class Folders(unittest.TestCase):
    """A folder for each test, and ways to run the check in it."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.out = self.folder / "out"

    def main(self, *words: object) -> tuple[int, str]:
        """In this process: (exit code, standard error)."""
        error = io.StringIO()
        with contextlib.redirect_stderr(error):
            code = run.main([str(word) for word in (*words, "--out", self.out)])
        return code, error.getvalue()

    def process(self, python: str, *words: object) -> subprocess.CompletedProcess:
        return subprocess.run(
            [python, "-B", HERE / "check.py", *map(str, words), "--out", self.out], capture_output=True, text=True, timeout=600
        )

    def refused(self, *words: object) -> str:
        """The one line with which a run that cannot begin ends."""
        code, said = self.main(*words)
        self.assertEqual(code, 2, said)
        self.assertRegex(said, r"\Acheck\.py: [^\n]+\n\Z")
        return said

    def wrapper(self, script: str) -> Path:
        """A program that does `script`, then is qwen3guard."""
        path = self.folder / "program"
        path.write_text(f'#!/bin/sh\necho "$1" >> "{self.folder}/calls"\n{script}\nexec "{CLI}" "$@"\n', "utf-8")
        path.chmod(0o755)
        return path

    def calls(self) -> list[str]:
        """The commands that the wrapper was given since the last look."""
        path = self.folder / "calls"
        found = path.read_text("utf-8").split()
        path.unlink()
        return found

    def content(self) -> dict:
        return json.loads((self.out / "check.json").read_text("ascii"))

    def page(self) -> str:
        return (self.out / "report.md").read_text("utf-8")


class FolderErrors(Folders):
    def setUp(self) -> None:
        super().setUp()
        self.gen = checkpoints.copy_tiny("gen", self.folder / "gen")

    def test_no_folder(self) -> None:
        self.assertIn("no such folder", self.refused("--checkpoint", self.folder / "nowhere"))

    def test_no_checkpoint(self) -> None:
        self.assertIn("--stream-checkpoint", self.refused())

    def test_no_config(self) -> None:
        (self.gen / "config.json").unlink()
        self.assertIn("no config.json", self.refused("--checkpoint", self.gen))

    def test_config_is_not_json(self) -> None:
        (self.gen / "config.json").write_text("{", "ascii")
        self.assertIn("is not JSON", self.refused("--checkpoint", self.gen))

    def test_other_architecture(self) -> None:
        (self.gen / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}', "ascii")
        self.assertIn("LlamaForCausalLM", self.refused("--checkpoint", self.gen))

    def test_wrong_kind(self) -> None:
        self.assertIn("give it as --checkpoint", self.refused("--stream-checkpoint", self.gen))

    def test_no_weights(self) -> None:
        (self.gen / "model.safetensors").unlink()
        self.assertIn("has no weights", self.refused("--checkpoint", self.gen))

    def test_no_shard(self) -> None:
        names = checkpoints.shard(self.gen)
        (self.gen / names[1]).unlink()
        said = self.refused("--checkpoint", self.gen)
        self.assertIn("lacks 1 of the 2 shards", said)
        self.assertIn(names[1], said)

    def test_tensor_in_another_shard(self) -> None:
        names = checkpoints.shard(self.gen)
        shutil.copyfile(self.gen / names[0], self.gen / names[1])
        self.assertIn("lacks the tensor", self.refused("--checkpoint", self.gen))

    def test_cut_weights(self) -> None:
        path = self.gen / "model.safetensors"
        path.write_bytes(path.read_bytes()[:-10])
        self.assertIn("fetch it again", self.refused("--checkpoint", self.gen))

    def test_pointer_instead_of_weights(self) -> None:
        (self.gen / "model.safetensors").write_text("version https://git-lfs\noid sha256:0\nsize 1\n", "ascii")
        self.assertIn("Git LFS pointer", self.refused("--checkpoint", self.gen))

    def test_no_tensor(self) -> None:
        path = self.gen / "config.json"
        config = json.loads(path.read_text("utf-8"))
        config["num_hidden_layers"] += 1
        path.write_text(json.dumps(config), "utf-8")
        self.assertIn("model.layers.2.input_layernorm.weight first", self.refused("--checkpoint", self.gen))

    def test_no_tokenizer(self) -> None:
        (self.gen / "tokenizer.json").unlink()
        self.assertIn("no tokenizer", self.refused("--checkpoint", self.gen))

    def test_no_program(self) -> None:
        self.assertIn("not found", self.refused("--checkpoint", self.gen, "--program", self.folder / "none"))
        with mock.patch.object(program, "PROJECT", self.folder), mock.patch.dict(os.environ, {"PATH": str(self.folder)}):
            self.assertIn("name it with --program", self.refused("--checkpoint", self.gen))

    def test_no_data(self) -> None:
        self.assertIn("no *.jsonl files", self.refused("--checkpoint", self.gen, "--data", self.folder))

    def test_other_options(self) -> None:
        self.assertIn("--sample is 0", self.refused("--checkpoint", self.gen, "--sample", 0))
        self.assertIn("--threads is -1", self.refused("--checkpoint", self.gen, "--threads", -1))


@NEEDS_NUMPY
class Arithmetic(unittest.TestCase):
    def test_text_of_a_verdict(self) -> None:
        text = "Safety: Unsafe\nCategories: Violent, PII, Violent\nRefusal: No"
        found = compare_verdicts.parse_text(text, True)
        self.assertEqual(found, {"severity": "Unsafe", "categories": ["Violent", "PII"], "refusal": False})
        self.assertFalse(compare_verdicts.is_canonical(text, found, True))
        self.assertIsNone(compare_verdicts.parse_text("Safety: perhaps", False)["severity"])
        for text, of_response, expected in (
            ("Safety: Safe\nCategories: None", False, True),
            ("Safety: Safe\nCategories: None", True, False),
            ("Safety: Safe\nCategories: None\nRefusal: Yes", True, True),
            ("Safety: Unsafe\nCategories: None", False, False),
            ("Safety: Unsafe\nCategories: Jailbreak", False, True),
            ("Safety: Unsafe\nCategories: Jailbreak\nRefusal: No", True, False),
        ):
            self.assertEqual(
                compare_verdicts.is_canonical(text, compare_verdicts.parse_text(text, of_response), of_response), expected, text
            )

    def test_published_rule(self) -> None:
        for labels, expected in (
            ([0, 1, 0, 1, 1, 2], ("Unsafe", 4)),
            ([2, 2, 0, 1], ("Controversial", 1)),
            ([2, 2, 1, 1], ("Unsafe", 3)),
            ([1, 2, 1, 2], ("Safe", None)),
            ([1], ("Safe", None)),
        ):
            self.assertEqual(compare_verdicts.published_rule(np.array(labels), 0), expected)
        self.assertEqual(compare_verdicts.published_rule(np.array([1, 1, 0, 2, 2]), 1), ("Controversial", 4))

    def test_tolerance_grows_with_what_makes_errors(self) -> None:
        config = {
            "hidden_size": 1024,
            "intermediate_size": 3072,
            "num_attention_heads": 16,
            "head_dim": 128,
            "num_hidden_layers": 28,
            "rope_theta": 1e6,
        }
        base = tolerances.logit_tolerance(config, 400, 151936, 1.0)
        # docs/numerics.md expects 4e-5 of one side for this shape.
        self.assertTrue(4e-5 < base.expected < 1.5e-4, base)
        self.assertTrue(base.expected < base.mean < base.largest)
        for other in (
            tolerances.logit_tolerance({**config, "num_hidden_layers": 36}, 400, 151936, 1.0),
            tolerances.logit_tolerance(config, 4000, 151936, 1.0),
            tolerances.logit_tolerance(config, 400, 151936, 2.0),
        ):
            self.assertGreater(other.expected, base.expected)

    def test_another_best_entry_is_a_tie_only_within_the_tolerance(self) -> None:
        tolerance = tolerances.LogitTolerance(1e-5, 1e-4)
        for lead, n_other in ((1e-4, 0), (1e-2, 1)):
            figures = compare_logits.head_error(np.array([[lead, 0.0, -1.0]]), np.array([[0.0, lead, -1.0]]), tolerance)
            self.assertEqual((figures["n_other_top1"], figures["n_ties"]), (n_other, 1 - n_other))

    def test_conversations(self) -> None:
        rows = conversations.load(False)
        self.assertEqual(len({row["id"] for row in rows}), len(rows))
        self.assertGreaterEqual(len({row["lang"] for row in rows}), 10)
        quick = conversations.load(True)
        self.assertTrue({conversations.is_response(row) for row in quick} == {True, False} and len(quick) < len(rows) / 2)

    def test_sample_is_the_same_each_time(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "set.jsonl"
            path.write_bytes(b"".join(b'{"id": "%d"}\n' % i for i in range(50)))
            first = evaluation.sample(path, Path(folder) / "a", 7).read_bytes().splitlines()
            path.write_bytes(b"".join(b'{"id": "%d"}\n' % i for i in reversed(range(50))))
            second = evaluation.sample(path, Path(folder) / "b", 7).read_bytes().splitlines()
            self.assertEqual(len(first), 7)
            self.assertEqual(set(first), set(second))


@NEEDS_NUMPY
class Page(unittest.TestCase):
    """What did not run is never a pass."""

    def store(self, folder: str, **steps: results.StepResult) -> results.Store:
        store = results.Store(Path(folder))
        store.steps = {f"gen/{name}": step for name, step in steps.items()}
        return store

    def test_verdicts(self) -> None:
        good, bad, packed = results.StepResult({}), results.StepResult({}), results.StepResult({})
        good.judge("a", True, 1e-6, 1e-4)
        bad.judge("a", False, 1e-2, 1e-4)
        packed.judge("file", True, "read again", "equal")
        broken = results.StepResult({}, reason="it was killed")
        with tempfile.TemporaryDirectory() as folder:
            for expected, steps in (
                ("PASS", {"logits": good}),
                ("FAIL", {"logits": bad}),
                ("FAIL", {"logits": good, "verdicts": bad}),
                ("NOT COMPARED", {"packed": packed}),
                ("NOT COMPARED", {"logits": broken, "packed": packed}),
                ("NOT COMPARED", {}),
            ):
                self.assertEqual(page.verdict(self.store(folder, **steps))[0], expected)
            self.assertIn("1 not compared", page.verdict(self.store(folder, logits=good, verdicts=broken))[1])

    def test_finished_steps(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            store = results.Store(Path(folder))
            good = results.StepResult({"x": 1})
            good.judge("a", False, 1.0, 0.5)
            store.add("gen/logits", good)
            store.add("gen/verdicts", results.StepResult({"x": 1}, reason="no"))
            store = results.Store(Path(folder))
            self.assertFalse(store.finished("gen/logits", {"x": 2}))
            self.assertFalse(store.finished("gen/verdicts", {"x": 1}))
            self.assertFalse(store.finished("gen/speed", {"x": 1}))
            self.assertTrue(store.finished("gen/logits", {"x": 1}))
            self.assertEqual(store.steps["gen/logits"], good)
            (Path(folder) / "check.json").write_text("[", "ascii")
            self.assertFalse(results.Store(Path(folder)).finished("gen/logits", {"x": 1}))


@NEEDS_CLI
class AgainstAnOracle(Folders):
    """The logits' comparison without transformers: a NumPy oracle in float64 is the reference."""

    def compare(self, folder: Path, references: list[dict]) -> results.StepResult:
        result, cli = results.StepResult({}), program.Program(Path(CLI), 0)
        config = json.loads((folder / "config.json").read_text("utf-8"))
        compare_logits.compare_heads(
            result, config, compare_logits.STREAM_HEADS, references, lambda ids: cli.logits(folder, ids, last=False), ["a", "b"]
        )
        return result

    def test_one_weight_that_is_off_fails(self) -> None:
        folder = self.folder / "stream"
        make_random_model.make(dataclasses.replace(stream_oracle.SHAPE, vocab=300), "stream", folder, 5, False, None)
        oracle, references = stream_oracle.StreamOracle(folder), []
        for ids in (list(range(3, 40)), [7, 250, 9]):
            heads = {"ids": np.array(ids)}
            for prefix in ("", "query_"):
                inner = oracle.norm(
                    oracle.project(oracle.hidden(ids), f"{prefix}risk_level_category_pre"), f"{prefix}risk_level_category_layernorm"
                )
                heads |= {
                    f"{prefix}risk_level_logits": oracle.project(inner, f"{prefix}risk_level_head"),
                    f"{prefix}category_logits": oracle.project(inner, f"{prefix}category_head"),
                }
            references.append(heads)
        result = self.compare(folder, references)
        self.assertEqual({check.status for check in result.checks}, {results.PASS}, result.checks)
        self.assertEqual(len(result.checks), 16)
        checkpoints.perturb(folder, "model.layers.0.self_attn.q_norm.weight", 3, 1.1)
        result = self.compare(folder, references)
        failed = [check.name for check in result.checks if check.status == results.FAIL]
        self.assertIn("risk_level_logits: largest absolute error", failed)

    def test_other_shapes_and_numbers_fail(self) -> None:
        wanted = {"ids": np.arange(3), "logits": np.zeros((3, 4), np.float32)}
        config = {"hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 1, "head_dim": 8, "num_hidden_layers": 1}
        for ours in ([np.zeros((3, 5))], [np.full((3, 4), np.nan)], []):
            result = results.StepResult({})
            compare_logits.compare_heads(result, config, ["logits"], [wanted], lambda ids, ours=ours: ours, ["a"])
            self.assertEqual([check.status for check in result.checks], [results.FAIL])


@NEEDS_CLI
class WithoutTransformers(Folders):
    def setUp(self) -> None:
        super().setUp()
        self.gen = checkpoints.copy_tiny("gen", self.folder / "gen")
        patch = mock.patch.object(reference, "missing_packages", lambda: "torch not installed")
        patch.start()
        self.addCleanup(patch.stop)

    def test_is_no_pass(self) -> None:
        code, said = self.main("--checkpoint", self.gen, "--program", CLI, "--quick")
        self.assertEqual(code, 3, said)
        text = self.page()
        self.assertIn("**NOT COMPARED with transformers", text)
        self.assertIn("gen/logits: transformers: torch not installed", text)
        self.assertIn("int8 (group 64)", text)
        self.assertIn("Stream: no checkpoint was given", text)
        self.assertNotIn(str(self.folder), text)
        self.assertNotIn(str(self.folder), (self.out / "check.json").read_text("ascii"))
        steps = self.content()["steps"]
        self.assertEqual({name.removeprefix("gen/") for name in steps}, set(options.STEPS) - {"evaluation"})
        self.assertIsNone(steps["gen/packed"]["reason"])

    def test_done_is_done(self) -> None:
        words = ["--checkpoint", self.gen, "--quick", "--program", self.wrapper("")]
        self.main(*words)
        self.assertIn("quantize", self.calls())
        self.main(*words)
        self.assertEqual(set(self.calls()), {"--version", "info"})
        self.main(*words, "--again")
        self.assertIn("quantize", self.calls())
        self.main(*words, "--again", "speed")
        self.assertEqual(set(self.calls()), {"--version", "info", "bench"})
        (self.out / "packed/gen-int4.q3g").unlink()
        self.main(*words)
        self.assertIn("quantize", self.calls())
        path = self.gen / "generation_config.json"  # other files: another checkpoint
        path.write_text(path.read_text("utf-8") + "\n", "utf-8")
        self.main(*words)
        self.assertIn("quantize", self.calls())

    def test_failing_program_is_one_message(self) -> None:
        code, said = self.main(
            "--checkpoint", self.gen, "--quick", "--program", self.wrapper('[ "$1" = bench ] && { echo "no way" >&2; exit 2; }')
        )
        self.assertEqual(code, 3)
        self.assertIn("gen/speed: NOT COMPARED: qwen3guard bench failed (exit code 2): no way\n", said)
        self.assertIn("* gen/speed: qwen3guard bench failed (exit code 2): no way.", self.page())

    def test_too_little_memory(self) -> None:
        with mock.patch.object(run.machine, "memory_bytes", lambda: (1 << 20, 1 << 20)):
            code, said = self.main("--checkpoint", self.gen, "--quick", "--program", CLI)
        self.assertEqual(code, 3)
        self.assertIn("--ignore-memory", said)

    def test_killed_run_goes_on(self) -> None:
        flag = self.folder / "flag"
        flag.touch()
        words = [
            "--checkpoint",
            self.gen,
            "--quick",
            "--program",
            self.wrapper(f'[ "$1" = bench ] && [ -e "{flag}" ] && {{ kill -9 $PPID; exit 9; }}'),
        ]
        done = self.process(sys.executable, *words)
        self.assertEqual(done.returncode, -9)
        self.assertFalse((self.out / "report.md").exists())
        self.assertEqual(self.calls().count("quantize"), 2)
        flag.unlink()
        done = self.process(sys.executable, *words)
        self.assertIn("gen/packed: done before", done.stderr)
        calls = self.calls()
        self.assertEqual((calls.count("quantize"), calls.count("bench")), (0, 3))
        self.assertTrue((self.out / "report.md").exists())


# Answers `eval` and `eval compare` in the place of the program; a flag ends it in the middle.
OWN_EVAL = """
import json, os, sys
from pathlib import Path

words = sys.argv[2:]
if words[0] == "compare":
    print(json.dumps({"type": "comparison", "conclusion": "Take the first one."}))
    sys.exit()
out = Path(words[words.index("--out") + 1])
files = [Path(word) for word in words if word.endswith(".jsonl")]
done = out.joinpath("run.json")
if done.exists() and "--resume" not in words:
    sys.exit("resume?")
done.touch()
flag = Path(sys.argv[1])
if flag.exists():
    print("error: the disk is full", file=sys.stderr)
    sys.exit(2)
scores = {"f1": 0.75, "precision": 0.5, "recall": None, "false_alarm_rate": 0.125}
sets = {}
for file in files:
    best = {"mode": "strict", "f1": 0.75}
    rest = {name: None for name in ("auc", "refusal", "streaming", "speed")}
    n = len(file.read_text().splitlines())
    sets[file.stem] = {"n": n, "n_bad": 1, "n_not_judged": 0, "strict": scores, "loose": scores, "best": best, **rest}
mean = {"strict_f1": 0.75, "loose_f1": 0.75, "best_f1": 0.75, "auc": None, "n_sets": len(sets)}
out.joinpath("metrics.json").write_text(json.dumps({"sets": sets, "mean": mean}))
"""


@NEEDS_CLI
class Evaluation(Folders):
    def setUp(self) -> None:
        super().setUp()
        self.gen = checkpoints.copy_tiny("gen", self.folder / "gen")
        self.data = self.folder / "data"
        self.data.mkdir()
        for name, n in (("kind_words", 30), ("harsh_words", 5)):
            rows = [
                {"id": f"{name}-{i}", "messages": [{"role": "user", "content": f"{name} number {i}"}], "label": "Safe"}
                for i in range(n)
            ]
            rows[0]["label"] = "Unsafe"
            (self.data / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "ascii")
        quick = conversations.load(True)
        for module, name, stand_in in (
            (reference, "missing_packages", lambda: "torch not installed"),
            (conversations, "load", lambda is_quick: quick),
            (packing, "measure_speed", lambda *ignored: None),
        ):
            patch = mock.patch.object(module, name, stand_in)
            patch.start()
            self.addCleanup(patch.stop)

    def own_eval(self, flag: Path) -> Path:
        script = self.folder / "own_eval.py"
        script.write_text(OWN_EVAL, "ascii")
        return self.wrapper(f'[ "$1" = eval ] && {{ shift; exec "{sys.executable}" "{script}" "{flag}" "$@"; }}')

    def test_whole_and_sample(self) -> None:
        flag = self.folder / "flag"
        words = ["--checkpoint", self.gen, "--data", self.data, "--sample", 10, "--program", self.own_eval(flag)]
        flag.touch()
        code, said = self.main(*words)
        self.assertIn("gen/evaluation: NOT COMPARED: qwen3guard eval left no metrics.json: error: the disk is full\n", said)
        self.assertEqual(code, 3)
        flag.unlink()
        self.main(*words)  # which the stand-in answers only when it is told to resume
        found = self.content()["steps"]["gen/evaluation"]
        self.assertIsNone(found["reason"])
        self.assertEqual(
            {name: one["n"] for name, one in found["figures"]["whole"]["sets"].items()}, {"harsh_words": 5, "kind_words": 30}
        )
        sample = found["figures"]["sample"]["weights"]
        self.assertEqual(set(sample), {"float", "int8", "int4"})
        self.assertEqual({one["n"] for one in sample["int4"]["sets"].values()}, {5, 10})
        text = self.page()
        self.assertIn("2 rows were bad", text)
        self.assertIn("| kind_words | 30 | 75.0 | 50.0 | 75.0 | 50.0 | 75.0 (strict) | 12.5 | 12.5 |", text)
        self.assertEqual(text.count("float against int8: Take the first one."), 1)
        self.assertNotIn("number 1", text + (self.out / "check.json").read_text("ascii"))
        self.assertNotIn(str(self.folder), text + (self.out / "check.json").read_text("ascii"))

    def test_published_figures_stand_beside_those_of_the_same_shape(self) -> None:
        printed = published.figures("gen", {"hidden_size": 2560, "num_hidden_layers": 36})
        self.assertEqual(printed["openai_moderation"], {"strict": 68.3, "loose": 80.7})
        self.assertIn("refusal", printed["xstest_responses_refusal"])
        self.assertEqual(published.figures("gen", {"hidden_size": 256, "num_hidden_layers": 3}), {})
        stream = published.figures("stream", {"hidden_size": 1024, "num_hidden_layers": 28})
        self.assertNotEqual(
            stream["openai_moderation"],
            published.figures("gen", {"hidden_size": 1024, "num_hidden_layers": 28})["openai_moderation"],
        )

    def test_the_programs_own(self) -> None:
        _, said = self.main("--checkpoint", self.gen, "--data", self.data, "--sample", 10, "--program", CLI)
        found = self.content()["steps"]["gen/evaluation"]
        self.assertIsNone(found["reason"], said)
        self.assertEqual({check["status"] for check in found["checks"]}, {results.PASS}, said)
        self.assertEqual(set(found["figures"]["whole"]["sets"]), {"harsh_words", "kind_words"})


@NEEDS_CLI
@unittest.skipUnless(TORCH_PYTHON, "torch and transformers are not installed (examples/official/setup_venv.sh)")
class AgainstTransformers(Folders):
    def failed(self) -> list[str]:
        return [
            check["name"]
            for step in self.content()["steps"].values()
            for check in step["checks"]
            if check["status"] == results.FAIL
        ]

    def test_both_kinds_pass(self) -> None:
        gen, stream = checkpoints.copy_tiny("gen", self.folder / "gen"), checkpoints.copy_tiny("stream", self.folder / "stream")
        words = ["--checkpoint", gen, "--stream-checkpoint", stream, "--program", CLI]
        done = self.process(TORCH_PYTHON, *words)
        self.assertEqual((done.returncode, self.failed()), (0, []), done.stderr)
        self.assertIn("**PASS", self.page())
        checks = {name: {check["name"]: check for check in step["checks"]} for name, step in self.content()["steps"].items()}
        self.assertEqual({check["status"] for step in checks.values() for check in step.values()}, {results.PASS})
        for name in ("greedy verdict against transformers' greedy text", "severity (constrained) against transformers' logits"):
            self.assertIn(name, checks["gen/verdicts"])
        self.assertIn("severity and deciding token against the published rule on transformers' logits", checks["stream/verdicts"])

    def check_perturbed(self, kind: str, tensor: str) -> None:
        """transformers has the checkpoint, the program one with one weight that is off by a twentieth."""
        clean, other = (checkpoints.copy_tiny(kind, self.folder / name) for name in ("clean", "other"))
        checkpoints.perturb(other, tensor, 5, 1.05)
        script = f'for a do shift; [ "$a" = "{clean}" ] && a="{other}"; set -- "$@" "$a"; done'
        option = "--checkpoint" if kind == "gen" else "--stream-checkpoint"
        done = self.process(TORCH_PYTHON, option, clean, "--quick", "--program", self.wrapper(script))
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertTrue(any("largest absolute error" in name for name in self.failed()), self.failed())
        self.assertIn("**FAIL", self.page())

    def test_perturbed_weight_fails(self) -> None:
        self.check_perturbed("gen", "model.layers.1.input_layernorm.weight")

    def test_perturbed_head_fails(self) -> None:
        self.check_perturbed("stream", "risk_level_category_layernorm.weight")

    def test_own_code(self) -> None:
        stream = checkpoints.copy_tiny("stream", self.folder / "stream")
        path = stream / "config.json"
        path.write_text(
            json.dumps({**json.loads(path.read_text("utf-8")), "auto_map": {"AutoModel": "modeling_own.OwnModel"}}), "utf-8"
        )
        words = ["--stream-checkpoint", stream, "--quick", "--program", CLI, "--trust-remote-code"]
        (stream / "modeling_own.py").write_text(OWN_CODE, "utf-8")
        done = self.process(TORCH_PYTHON, *words)
        self.assertEqual((done.returncode, self.failed()), (0, []), done.stderr)
        self.assertIn("the checkpoint's own code", self.page())
        # Other code is another checkpoint: it is run again, and its errors are one line.
        (stream / "modeling_own.py").write_text(OWN_CODE.replace("return Logits(", 'raise ValueError("no\\nway")  # '), "utf-8")
        done = self.process(TORCH_PYTHON, *words)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("transformers failed (exit code 1): ValueError: no way", self.page())
        done = self.process(TORCH_PYTHON, *words[:-1])
        self.assertEqual((done.returncode, self.failed()), (0, []), done.stderr)

    def test_no_template(self) -> None:
        gen = checkpoints.copy_tiny("gen", self.folder / "gen")
        (gen / "tokenizer_config.json").unlink()
        done = self.process(TORCH_PYTHON, "--checkpoint", gen, "--quick", "--program", CLI)
        self.assertEqual(done.returncode, 3)
        self.assertIn("no chat template", self.page())


# Custom code in the place of a published checkpoint's: it has a class that gives the four heads' logits.
OWN_CODE = """
from dataclasses import dataclass

import torch
from transformers import Qwen3Model, Qwen3PreTrainedModel
from transformers.models.qwen3.modeling_qwen3 import Qwen3RMSNorm
from transformers.utils import ModelOutput


@dataclass
class Logits(ModelOutput):
    risk_level_logits: torch.Tensor = None
    category_logits: torch.Tensor = None
    query_risk_level_logits: torch.Tensor = None
    query_category_logits: torch.Tensor = None


class OwnModel(Qwen3PreTrainedModel):
    def __init__(self, config):
        super().__init__(config)
        self.model = Qwen3Model(config)
        inner = config.guard_inner_size
        for prefix, n_categories in (("", config.num_category), ("query_", config.num_query_category)):
            setattr(self, prefix + "risk_level_category_pre", torch.nn.Linear(config.hidden_size, inner, bias=False))
            setattr(self, prefix + "risk_level_category_layernorm", Qwen3RMSNorm(inner, eps=config.rms_norm_eps))
            setattr(self, prefix + "risk_level_head", torch.nn.Linear(inner, config.num_risk_level, bias=False))
            setattr(self, prefix + "category_head", torch.nn.Linear(inner, n_categories, bias=False))
        self.post_init()

    def forward(self, input_ids=None, attention_mask=None):
        hidden, found = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state, {}
        for prefix in ("", "query_"):
            x = getattr(self, prefix + "risk_level_category_layernorm")(getattr(self, prefix + "risk_level_category_pre")(hidden))
            found[prefix + "risk_level_logits"] = getattr(self, prefix + "risk_level_head")(x)
            found[prefix + "category_logits"] = getattr(self, prefix + "category_head")(x)
        return Logits(**found)
"""


if __name__ == "__main__":
    unittest.main()
