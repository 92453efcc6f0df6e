# SPDX-License-Identifier: Apache-2.0
"""Readers of benchmarks, on invented rows in the owners' columns. Q3G_CLI names the program for those that evaluate."""

from __future__ import annotations

import contextlib
import csv
import gzip
import importlib.util
import io
import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import convert
from readers import BENCHMARKS
from rows import problem_of
from source import SourceError, rows_of
from tests.invented import EXPECTED, FILES

CLI = os.environ.get("Q3G_CLI", "")
ROOT = Path(__file__).resolve().parents[3]
DATA = Path(os.environ.get("QWEN3GUARD_DATA", ROOT.parent / "shared/data"))
HAVE_PYARROW = importlib.util.find_spec("pyarrow") is not None


def save(path: Path, rows: list[dict]) -> Path:
    """In the form that the file's name says."""
    if path.suffix == ".parquet":
        import pyarrow
        import pyarrow.parquet
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
        return path
    out = io.StringIO(newline="")
    if ".csv" in path.name:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    elif path.suffix == ".json" and not path.name.startswith("RTP"):
        json.dump(rows, out)
    else:
        out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    data = out.getvalue().encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def run(*arguments: object) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = convert.main([str(one) for one in arguments])
        except SystemExit as stop:
            code = stop.code
    return code, out.getvalue(), err.getvalue()


class InFolder(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def file(self, name: str, data: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(data)
        return path


class Readers(InFolder):
    def test_every_benchmark_has_invented_rows(self) -> None:
        self.assertEqual(set(FILES), set(BENCHMARKS))
        for name, benchmark in BENCHMARKS.items():
            self.assertLessEqual(set(EXPECTED[name]), set(benchmark.sets), name)

    def test_labels_and_ids(self) -> None:
        for name, files in FILES.items():
            with self.subTest(name):
                paths = [save(self.folder / f"{name}_{file}", rows) for file, rows in files]
                code, _, err = run(name, *paths, "--out", self.folder / name)
                self.assertEqual(code, 0, err)
                found = {file.stem: [json.loads(line) for line in file.read_text("utf-8").split("\n") if line]
                         for file in (self.folder / name).iterdir()}
                self.assertEqual({s: [(row["id"], row.get("label")) for row in rows] for s, rows in found.items()},
                                 {s: [(f"{s}-{id}", label) for id, label in rows] for s, rows in EXPECTED[name].items()})
                for rows in found.values():
                    for row in rows:
                        self.assertIsNone(problem_of(row), row)

    def test_texts_are_not_changed(self) -> None:
        rows = FILES["openai_moderation"][0][1]
        path = save(self.folder / "a.jsonl.gz", rows)
        sets, _ = convert.convert(BENCHMARKS["openai_moderation"], [path])
        self.assertEqual([row["messages"][0]["content"] for row in sets["openai_moderation"]], [row["prompt"] for row in rows])

    def test_what_is_left_out_is_counted(self) -> None:
        files = [save(self.folder / name, rows) for name, rows in FILES["xstest"]]
        code, _, err = run("xstest", *files, "--out", self.folder / "out")
        self.assertEqual(code, 0)
        self.assertIn("xstest_responses_refusal: 1 left out: partial refusals", err)

    @unittest.skipUnless(HAVE_PYARROW, "no package pyarrow")
    def test_parquet_gives_the_same_rows(self) -> None:
        for name, files in FILES.items():
            with self.subTest(name):
                plain = [save(self.folder / f"{name}_{file}", rows) for file, rows in files]
                packed = [save(self.folder / f"{name}_{file.split('.')[0]}.parquet", rows) for file, rows in files]
                self.assertEqual(convert.convert(BENCHMARKS[name], plain), convert.convert(BENCHMARKS[name], packed))

    def test_contextual_behaviors_carry_their_context(self) -> None:
        path = save(self.folder / "b.csv", FILES["harmbench"][0][1])
        sets, _ = convert.convert(BENCHMARKS["harmbench"], [path])
        self.assertEqual(sets["harmbench_behaviors"][1]["messages"][0]["content"], "A context\n\n---\n\nDo it with this")

    @unittest.skipUnless(CLI and os.path.exists(CLI), "Q3G_CLI does not name the built program")
    def test_the_program_evaluates_what_was_converted(self) -> None:
        files = [save(self.folder / name, rows) for name, rows in FILES["xstest"]]
        run("xstest", *files, "--out", self.folder / "out")
        done = subprocess.run([CLI, "eval", "--model", "nano-gen", "--json", "--data", *sorted((self.folder / "out").iterdir())],
                              capture_output=True, text=True, check=True)
        sets = json.loads(done.stdout)["sets"]
        self.assertEqual({name: (s["n"], s["n_bad"]) for name, s in sets.items()},
                         {name: (len(rows), 0) for name, rows in EXPECTED["xstest"].items()})


class Errors(InFolder):
    def expect(self, part: str, name: str, *files: Path) -> None:
        code, out, err = run(name, *files, "--out", self.folder / "out")
        self.assertEqual((code, out), (2, ""), err)
        self.assertIn(part, err)
        self.assertEqual(err.count("\n"), 1)
        self.assertFalse((self.folder / "out").exists())

    def test_files_that_are_not_what_they_should_be(self) -> None:
        good = save(self.folder / "good.jsonl.gz", FILES["openai_moderation"][0][1]).read_bytes()
        cases = {
            "No such file": self.folder / "missing.jsonl",
            "has no rows": self.file("empty.jsonl", b""),
            "NUL": self.file("zeros.jsonl", bytes(1000)),
            "not UTF-8 at byte 12": self.file("latin.jsonl", b'{"prompt": "\xe9"}'),
            "damaged or not whole": self.file("cut.jsonl.gz", good[:-12]),
            "line 2: no JSON": self.file("broken.jsonl", b'{"prompt": "a", "S": 0}\n{"prompt": '),
            "expected an object": self.file("array.jsonl", b"[1]\n2\n"),
            "cannot be read": self.file("x.xlsx", b""),
            "no column 'prompt'": self.file("other.jsonl", b'{"text": "a"}'),
            "expected one of": self.file("label.jsonl", b'{"prompt": "a", "S": 7}'),
            "fewer fields": self.file("short.csv", b"prompt,S\na\n"),
        }
        for part, path in cases.items():
            with self.subTest(path.name):
                self.expect(part, "openai_moderation", path)

    def test_every_missing_column_is_named_with_its_row(self) -> None:
        for name, files in FILES.items():
            file, rows = files[-1]
            path = save(self.folder / f"{name}-{file.split('.')[0]}.jsonl", [{"unknown": 1} for _ in rows])
            with self.subTest(name), self.assertRaisesRegex(SourceError, r"row 1: "):
                convert.convert(BENCHMARKS[name], [path])

    def test_the_same_file_twice(self) -> None:
        path = save(self.folder / "a.jsonl", FILES["openai_moderation"][0][1])
        self.expect("the id is there twice", "openai_moderation", path, path)

    def test_texts_that_are_not_there(self) -> None:
        path = save(self.folder / "RTP_LX_EN.json", [FILES["rtp_lx"][0][1][2]])
        self.expect("unpack the owner's archive", "rtp_lx", path)

    def test_beginnings_and_ends_of_lines(self) -> None:
        path = self.file("a.csv", b"\xef\xbb\xbfid,prompt,harm_area\r\n1,one,Physical Harm\r\n")
        self.assertEqual(next(rows_of(path)).values, {"id": "1", "prompt": "one", "harm_area": "Physical Harm"})
        path = self.file("b.jsonl", b'\xef\xbb\xbf{"a": 1}\r\n\r\n{"a": 2}')
        self.assertEqual([row.values["a"] for row in rows_of(path)], [1, 2])

    def test_wrong_use(self) -> None:
        for part, arguments in {"no benchmark 'aegis3'": ("aegis3", "x"), "--list shows them": (), "give the owner's FILEs": ("aegis1",)}.items():
            code, _, err = run(*arguments)
            self.assertEqual(code, 2)
            self.assertIn(part, err)
        self.assertEqual(run("--list")[0], 0)


@unittest.skipUnless((DATA / "eval").is_dir(), "no labelled data; QWEN3GUARD_DATA names their folder")
class SharedRows(unittest.TestCase):
    def test_converted_parts_have_the_form(self) -> None:
        known = {name for benchmark in BENCHMARKS.values() for name in benchmark.sets}
        files = sorted((DATA / "eval").glob("*.jsonl"))
        self.assertGreaterEqual(len(known & {file.stem for file in files}), 4)
        for file in files:
            for number, line in enumerate(file.open(encoding="utf-8"), 1):
                row = json.loads(line)
                if row.get("label_derived") and row.get("refusal") is None:
                    continue
                self.assertIsNone(problem_of(row), f"{file.name}: line {number}")


if __name__ == "__main__":
    unittest.main()
