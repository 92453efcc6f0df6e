# SPDX-License-Identifier: Apache-2.0
"""What the embedded models reach on the everyday set and on samples of the labelled benchmarks, judged by the built program.

Of each benchmark the same SAMPLE rows are judged every time, those with the least hash of their id: that keeps the test short, and
its figures are some hundredths off those of the whole, which the model cards have. examples/train_nano/floors.py says
what is asked of them.

The benchmarks need the labelled data: a folder with train/ and eval/, named by QWEN3GUARD_DATA or found as ../shared/data
beside the project; the test skips without it. Q3G_CLI names the program. Standard library only.
"""
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples/train_nano"))
import figures  # noqa: E402
import floors  # noqa: E402
import prepare  # noqa: E402

CLI = os.environ.get("Q3G_CLI")
DATA = pathlib.Path(os.environ.get("QWEN3GUARD_DATA", ROOT.parent / "shared/data"))
SAMPLE = 300


def sample(lines):
    """The SAMPLE lines whose ids have the least hash."""
    return sorted(lines, key=lambda line: hashlib.sha256(str(json.loads(line)["id"]).encode()).digest())[:SAMPLE]


def lines_of(path):
    """All lines of a file."""
    with path.open(encoding="utf-8") as lines:
        return lines.readlines()


def write_sets(folder, model):
    """Files with the sampled rows: the ten benchmarks, queries that are never trained on and, for Stream, spliced streams."""
    names = [*figures.TEN, *([figures.STREAMS] if model == "nano-stream" else [])]
    sets = {name: lines_of(DATA / f"eval/{name}.jsonl") for name in names}
    queries = [line for name in prepare.HELD_OUT for line in lines_of(DATA / f"train/{name}.jsonl")]
    sets[figures.HELD_OUT] = [line for line in queries if prepare.is_held_out(json.loads(line))]
    paths = []
    for name, lines in sets.items():
        paths.append(folder / f"{name}.jsonl")
        paths[-1].write_text("".join(sample(lines)), encoding="utf-8")
    return paths


@unittest.skipUnless(CLI and os.path.exists(CLI), "Q3G_CLI does not name the built program")
@unittest.skipUnless((DATA / "eval").is_dir(), "no labelled data; QWEN3GUARD_DATA names their folder")
class EmbeddedModelsTest(unittest.TestCase):
    def test_figures(self):
        everyday = sorted((ROOT / "examples/train_nano/everyday").glob("*.jsonl"))
        for model, wanted in floors.EMBEDDED.items():
            with self.subTest(model), tempfile.TemporaryDirectory() as name:
                folder = pathlib.Path(name)
                run = folder / "run"
                subprocess.run([CLI, "eval", "--model", model, "--resamples", "0", "--out", run, "--data", *write_sets(folder, model), *everyday],
                               stdout=subprocess.DEVNULL, check=True)
                measured = figures.measure(run, model)
                values = {**measured["headline"], "held_out": measured["held_out"]["strict"]}
                print(model, {key: round(value, 4) for key, value in values.items() if value is not None}, file=sys.stderr)
                for key, bound in wanted.items():
                    self.assertTrue(floors.is_kept(key, values[key], bound), f"{key} is {values[key]}, asked for: {bound}")


if __name__ == "__main__":
    unittest.main()
