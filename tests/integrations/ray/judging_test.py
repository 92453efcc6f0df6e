# SPDX-License-Identifier: Apache-2.0
"""examples/ray without Ray: rows, shards, deaths and going on, against the program."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import sys
import tempfile
import tracemalloc
import unittest
import warnings
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow
import pyarrow.parquet
from ray_rows import CLI, ROOT, by_program, command, comparable, hostile_lines, plain_rows, user

sys.path.insert(0, str(ROOT / "examples/ray"))

import judge  # noqa: E402
import qwen3guard  # noqa: E402
from guard_ray.attempts import read_past, stop_attempts  # noqa: E402
from guard_ray.input_files import cut  # noqa: E402
from guard_ray.judge_rows import GuardOptions, RowJudge  # noqa: E402
from guard_ray.judge_shard import MAX_DEATHS_OUTSIDE, judge_shard  # noqa: E402
from guard_ray.output_folder import OutputFolder  # noqa: E402
from guard_ray.output_rows import read_line  # noqa: E402
from guard_ray.problems import RunError  # noqa: E402
from guard_ray.ray_worker import ShardWorker  # noqa: E402
from guard_ray.row_reader import read_rows  # noqa: E402
from guard_ray.run_end import end_run  # noqa: E402
from guard_ray.run_plan import Asked, open_run  # noqa: E402
from guard_ray.shards import Shard  # noqa: E402

GUARD = GuardOptions(qwen3guard.Policy().to_json())


class JudgingTest(unittest.TestCase):
    folder: Path
    model: Path
    judge: RowJudge

    @classmethod
    def setUpClass(cls) -> None:
        cls._temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls._temporary.cleanup)
        cls.folder = Path(cls._temporary.name)
        cls.model = cls.folder / "nano.q3g"
        qwen3guard.quantize("nano-gen", cls.model, embedded=True)
        cls.judge = RowJudge(str(cls.model), GUARD)

    def write(self, data: bytes, name: str = "rows.jsonl") -> Path:
        path = Path(tempfile.mkdtemp(dir=self.folder)) / name
        path.write_bytes(data)
        return path

    def asked(self, *files: Path, **changes: Any) -> Asked:
        asked = Asked([str(file) for file in files], str(self.model), "int8", GUARD, 10, 4)
        return dataclasses.replace(asked, **changes)

    def open(self, *files: Path) -> tuple[OutputFolder, list[Shard]]:
        out = OutputFolder(tempfile.mkdtemp(dir=self.folder))
        out.make()
        return out, open_run(self.asked(*files), out).shards

    def run_all(self, out: OutputFolder, shards: list[Shard], judge: RowJudge | None = None) -> list[dict[str, Any]]:
        for shard in shards:
            self.assertIsNone(judge_shard(shard, out, lambda: judge or self.judge, 4))
        end_run(out, shards)
        return self.rows(out, shards)

    def rows(self, out: OutputFolder, shards: list[Shard]) -> list[dict[str, Any]]:
        return [read_line(line) for shard in shards for line in Path(out.part(shard)).read_bytes().splitlines()]


class AgainstProgramTest(JudgingTest):
    def test_hostile_lines_are_judged_as_by_the_program(self) -> None:
        for data in (b"\n".join(hostile_lines()), b"\xef\xbb\xbf" + b"\r\n".join(hostile_lines()) + b"\r\n", b"\n\n"):
            path = self.write(data)
            out, shards = self.open(path)
            rows = self.run_all(out, shards)
            for found, expected in zip([comparable(row) for row in rows], by_program(self.model, data, "--batch", "4"), strict=True):
                self.assertEqual(found, expected)
            lines = [i for i, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1) if line.strip(b" \t\r")]
            self.assertEqual([row["row"] for row in rows], lines)
            for row in rows:
                self.assertEqual(row["severity"] is None, row["type"] == "error")

    def test_rows_are_of_the_program_s_schema(self) -> None:
        schema = json.loads((ROOT / "src/cli/output.schema.json").read_text())
        validator = jsonschema.Draft202012Validator(schema)
        out, shards = self.open(self.write(b"\n".join(hostile_lines())))
        for row in self.run_all(out, shards):
            row = {key: value for key, value in row.items() if key not in ("file", "row")}
            if row["type"] == "verdict":
                row["latency_ms"] = 0.0
            else:
                del row["severity"]
            validator.validate(row)

    def test_prompt_and_response_are_a_conversation(self) -> None:
        pairs = [{"prompt": "Hello"}, {"prompt": "Hello", "response": "You idiot."}, {"prompt": "Hello", "response": None}]
        same = [user("Hello"), [*user("Hello"), {"role": "assistant", "content": "You idiot."}], user("Hello")]
        bad = [{"prompt": 1}, {"response": "a"}, {"prompt": None}, {"prompt": "a", "response": 1}]
        out, shards = self.open(self.write(b"\n".join(json.dumps(row).encode() for row in [*pairs, *bad])))
        rows = self.run_all(out, shards)
        expected = by_program(self.model, b"\n".join(json.dumps({"messages": messages}).encode() for messages in same))
        self.assertEqual([comparable(row) for row in rows[:3]], expected)
        self.assertEqual([row["error"]["code"] for row in rows[3:]], ["invalid_argument"] * 4)

    def test_parquet_says_what_json_lines_say(self) -> None:
        given = plain_rows(50)
        given[7]["messages"][0]["content"] = None
        table = pyarrow.Table.from_pylist(given)
        path = self.write(b"", "rows.parquet")
        pyarrow.parquet.write_table(table, path, row_group_size=23)
        jsonl = self.write(b"\n".join(json.dumps(row).encode() for row in given))
        out, shards = self.open(path, jsonl)
        for shard in shards:
            judge_shard(shard, out, lambda: self.judge, 4)
        end_run(out, shards)
        tables = [pyarrow.parquet.read_table(out.part(shard)) for shard in shards if shard.kind == "parquet"]
        columns = pyarrow.concat_tables(tables).to_pylist()
        lines = self.rows(out, [shard for shard in shards if shard.kind == "jsonl"])
        self.assertEqual([row["row"] for row in columns], list(range(1, 51)))
        for column, line in zip(columns, lines, strict=True):
            line["id"] = json.dumps(line["id"])
            self.assertEqual({name: value for name, value in without_nulls(column).items() if name != "file" and name != "error"},
                             {name: value for name, value in without_nulls(line, True).items() if name != "file" and name != "error"})
        self.assertEqual(columns[7]["error"]["code"], "invalid_argument")
        self.assertIsNone(columns[7]["severity"])


def without_nulls(value: Any, is_narrow: bool = False) -> Any:
    """A row without the members that say nothing. is_narrow: numbers as a float of 32 bits has them."""
    if isinstance(value, dict):
        return {key: without_nulls(item, is_narrow) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item, is_narrow) for item in value]
    return float(pyarrow.scalar(value, pyarrow.float32()).as_py()) if is_narrow and isinstance(value, float) else value


class DeathTest(JudgingTest):
    """A worker that dies, by what it leaves behind."""

    def setUp(self) -> None:
        warnings.simplefilter("ignore", ResourceWarning)  # the dead close nothing

    def dying(self, out: OutputFolder, shard: Shard, bad: set[int], judge: RowJudge | None = None) -> int:
        """Judges as a worker that dies with some rows, again and again until the shard is finished. The number of deaths."""
        deaths = 0
        while out.done(shard) is None:
            try:
                problem = judge_shard(shard, out, lambda: Mortal(judge or self.judge, bad), 4)
                self.assertIsNone(problem)
            except Death:
                deaths += 1
        return deaths

    def test_only_the_row_that_kills_is_set_aside(self) -> None:
        out, shards = self.open(self.write(b"\n".join(json.dumps(row).encode() for row in plain_rows(30))))
        clean, same_shards = self.open(Path(shards[0].file))
        expected = self.run_all(clean, same_shards)
        deaths = [self.dying(out, shard, {13, 14, 26}) for shard in shards]
        self.assertEqual(deaths, [0, 3, 2])  # a batch with both of its rows, and each by itself; a batch, and its row
        summary = end_run(out, shards)
        self.assertEqual((summary.set_aside, summary.worker_deaths, summary.errors), (3, 5, {"worker_died": 3}))
        for row, other in zip(self.rows(out, shards), expected, strict=True):
            if row["row"] in (13, 14, 26):
                self.assertEqual((row["severity"], row["error"]["code"], row["ruling"]["action"], row["id"]), (None, "worker_died", "none", other["id"]))
            else:
                self.assertEqual(row, other)
        aside = [json.loads(line) for line in Path(out.set_aside).read_text().splitlines()]
        self.assertEqual([row["row"] for row in aside], [13, 14, 26])
        self.assertEqual(os.listdir(out.attempts), [])

    def test_a_row_that_kills_once_is_judged(self) -> None:
        out, shards = self.open(self.write(b"\n".join(json.dumps(row).encode() for row in plain_rows(8))))
        Mortal.only_once = True
        self.addCleanup(setattr, Mortal, "only_once", False)
        self.assertEqual(self.dying(out, shards[0], {3}), 1)
        self.assertEqual(end_run(out, shards).set_aside, 0)

    def test_what_was_judged_is_not_judged_again(self) -> None:
        out, shards = self.open(self.write(b"\n".join(json.dumps(row).encode() for row in plain_rows(10))))
        Mortal.judged = []
        self.dying(out, shards[0], {9})
        self.assertEqual(Mortal.judged, [1, 2, 3, 4, 5, 6, 7, 8, 10])

    def test_a_half_written_line_is_judged_again(self) -> None:
        out, shards = self.open(self.write(b"\n".join(json.dumps(row).encode() for row in plain_rows(10))))
        with self.assertRaises(Death):
            judge_shard(shards[0], out, lambda: Mortal(self.judge, {6}), 4)
        path = Path(out.attempts) / os.listdir(out.attempts)[0]
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(lines[:4]) + lines[4][:20])
        past = read_past(out.attempts, shards[0].name)
        self.assertEqual((len(past.lines), dict(past.deaths)), (2, {3: 1, 4: 1}))
        self.assertEqual([row["row"] for row in self.run_all(out, shards)], list(range(1, 11)))

    def test_a_shard_that_kills_before_its_rows_is_given_up(self) -> None:
        out, shards = self.open(self.write(b"\n".join(json.dumps(row).encode() for row in plain_rows(3))))

        def die() -> RowJudge:
            raise Death

        for _ in range(MAX_DEATHS_OUTSIDE):
            with self.assertRaises(Death):
                judge_shard(shards[0], out, die, 4)
        self.assertIn("3 workers died", str(judge_shard(shards[0], out, die, 4)))
        with self.assertRaisesRegex(RunError, "run the same command again"):
            end_run(out, shards)
        stop_attempts(out.attempts)  # the run has ended: the next one tries again
        self.assertEqual(len(self.run_all(out, shards)), 3)

    def test_an_error_of_the_worker_is_retried_once(self) -> None:
        class Failing:
            def __init__(self, times: int) -> None:
                self.times = times

            def classify_batch(self, conversations: Any, options: Any) -> Any:
                if "RAISE" in repr(conversations) and self.times > 0:
                    self.times -= 1
                    raise MemoryError("no room")
                return real.classify_batch(conversations, options)

        judge = RowJudge(str(self.model), GUARD)
        real = judge._guard
        given = plain_rows(4)
        given[2]["messages"] = user("RAISE")
        path = self.write(b"\n".join(json.dumps(row).encode() for row in given))
        for times, code in ((1, None), (2, None), (9, "out_of_memory")):
            judge._guard = Failing(times)  # type: ignore[assignment]
            out, shards = self.open(path)
            rows = self.run_all(out, shards, judge)
            self.assertEqual([row.get("error", {}).get("code") for row in rows], [None, None, code, None])
            self.assertEqual(len(Path(out.set_aside).read_text().splitlines()), 1 if code else 0)


class Death(BaseException):
    """Stands for the end of the process: nothing behind it may run."""


class Mortal(RowJudge):
    """A judge whose process dies with some rows."""

    only_once = False
    judged: list[int] = []

    def __init__(self, judge: RowJudge, bad: set[int]) -> None:  # its model is another judge's
        self._judge, self._bad = judge, bad

    def judge(self, file: str, rows: list[Any]) -> list[bytes]:
        if any(row.number in self._bad for row in rows):
            if self.only_once:
                self._bad.clear()
            raise Death
        Mortal.judged += [row.number for row in rows]
        return self._judge.judge(file, rows)

    def give_up(self, file: str, row: Any, code: str, reason: str) -> bytes:
        return self._judge.give_up(file, row, code, reason)


class GoingOnTest(JudgingTest):
    def test_another_run_is_refused(self) -> None:
        path = self.write(b"\n".join(json.dumps(row).encode() for row in plain_rows(12)))
        other = self.write(path.read_bytes(), "other.jsonl")
        out = OutputFolder(tempfile.mkdtemp(dir=self.folder))
        out.make()
        open_run(self.asked(path), out)
        open_run(self.asked(path), out)
        policy = GuardOptions(qwen3guard.Policy.preset(qwen3guard.Policy.presets()[0]).to_json())
        packed = self.folder / "prefix.q3g"
        if not packed.exists():
            qwen3guard.quantize("nano-gen", packed, embedded=True, keep_prefix=True)
        for changed, what in ((self.asked(path, guard=policy), "the policy has changed"), (self.asked(path, model=str(packed)), "the model"),
                              (self.asked(path, model="nano-gen"), "the model"), (self.asked(other), "files"), (self.asked(path, other), "files"),
                              (self.asked(path, shard_rows=11), "--shard-rows"), (self.asked(path, batch_rows=5), "--batch-rows")):
            with self.assertRaisesRegex(RunError, f"of another run: .*{what}"):
                open_run(changed, out)
        os.utime(path, ns=(1, 1))  # the same bytes
        open_run(self.asked(path), out)
        data = path.read_bytes()
        path.write_bytes(data.replace(b"poem", b"song"))
        with self.assertRaisesRegex(RunError, "rows.jsonl has changed"):
            open_run(self.asked(path), out)

    def test_an_input_that_changes_meanwhile_is_noticed(self) -> None:
        path = self.write(b"\n".join(json.dumps(row).encode() for row in plain_rows(12)))
        out, shards = self.open(path)
        path.write_bytes(path.read_bytes().replace(b"poem", b"song"))
        with self.assertRaisesRegex(RunError, "changed after the run began"):
            judge_shard(shards[0], out, lambda: self.judge, 4)
        self.assertIsNone(out.done(shards[0]))

    def test_a_node_with_another_model_or_folder_ends_the_run(self) -> None:
        out = OutputFolder(tempfile.mkdtemp(dir=self.folder))
        out.make()
        plan = open_run(self.asked(self.write(b'{"prompt": "Hello"}')), out)
        batch = {"shard": [json.dumps(dataclasses.asdict(plan.shards[0]))]}
        for changed, problem in ((dataclasses.replace(plan, model_digest="0"), "another model"),
                                 (dataclasses.replace(plan, run_digest="0"), "does not see"),
                                 (dataclasses.replace(plan, model="/no/model.q3g"), "No such file")):
            self.assertRegex(ShardWorker(changed, out.path)(batch)["fatal"][0], problem)
            self.assertIsNone(out.done(plan.shards[0]))
        self.assertEqual(ShardWorker(plan, out.path)(batch), {"given_up": [""], "fatal": [""]})

    def test_damaged_parts_are_noticed(self) -> None:
        path = self.write(b"\n".join(json.dumps(row).encode() for row in plain_rows(12)))
        out, shards = self.open(path)
        self.run_all(out, shards)
        part = Path(out.part(shards[0]))
        lines = part.read_bytes().splitlines(keepends=True)
        same_size = [lines[0].replace(b'"row":1,', b'"row":2,'), *lines[1:]]  # a row twice, another one missing
        for damaged, problem in ((lines[:-1], "run the same command again"), (same_size, "each once")):
            part.write_bytes(b"".join(damaged))
            with self.assertRaisesRegex(RunError, problem):
                end_run(out, shards)
        part.write_bytes(b"".join(lines))
        (Path(out.parts) / "part-000777.jsonl").write_bytes(lines[0])
        with self.assertRaisesRegex(RunError, "not of this run"):
            end_run(out, shards)

    def test_memory_does_not_grow_with_the_input(self) -> None:
        line = json.dumps({"messages": user("x" * 10000)}).encode() + b"\n"
        path = self.write(line * 3000)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        file, shards = cut(str(path), 3000, 0)
        self.assertEqual((file.n_rows, len(shards)), (3000, 1))
        self.assertEqual(sum(1 for _ in read_rows(shards[0])), 3000)
        self.assertLess(tracemalloc.get_traced_memory()[1], 4 << 20)

    def test_a_line_without_end_is_not_read_whole(self) -> None:
        path = self.write(b'{"messages": "' + b"x" * (40 << 20))
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        (row,) = read_rows(cut(str(path), 10, 0)[1][0])
        self.assertIn("longer than", str(row.error))
        self.assertLess(tracemalloc.get_traced_memory()[1], 40 << 20)


class CommandTest(JudgingTest):
    def test_one_line_says_what_is_wrong(self) -> None:
        path = self.write(b'{"prompt": "a"}')
        blocked = self.folder / "blocked"
        blocked.write_text("a file")
        used = self.folder / "used"
        (used / "things").mkdir(parents=True)
        for arguments, problem in (
                (command(self.model, [Path("/no/such.jsonl")], self.folder / "a"), "/no/such.jsonl: No such file"),
                (command(self.model, [self.folder], self.folder / "b"), "not a file"),
                (command(self.model, [path, path], self.folder / "c"), "given twice"),
                (command("/no/model.q3g", [path], self.folder / "d"), "/no/model.q3g: No such file"),
                (command("nano-gem", [path], self.folder / "e"), "no model of the library"),
                (command(self.model, [path], blocked), "cannot be written"), (command(self.model, [path], used), "holds other things"),
                (command(self.model, [path], self.folder / "f", "--policy", "/no/policy.json"), "--policy"),
                (command(self.model, [self.write(b"\xff\xfea\0")], self.folder / "g"), "UTF-16"),
                (command(self.model, [self.write(b"\x1f\x8b")], self.folder / "h"), "gzip"),
                (command(self.model, [self.write(b"{}", "rows.parquet")], self.folder / "i"), "not Parquet")):
            with self.subTest(problem=problem):
                self.check_fails(arguments, problem)

    def check_fails(self, arguments: list[str], problem: str) -> None:
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            self.assertEqual(judge.main(arguments[2:]), 2)
        self.assertRegex(said.getvalue(), rf"\Ajudge.py: error: .*{problem}.*\n\Z")


if __name__ == "__main__":
    unittest.main()
