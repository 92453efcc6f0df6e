# SPDX-License-Identifier: Apache-2.0
"""examples/ray on a cluster of three nodes on this machine, one core each: workers and a node that are killed, rows that kill, a
driver that is killed, and the same bytes in the end.

Q3G_RAY_ROWS: how many rows there are beside the bad ones (240).
"""

from __future__ import annotations

import glob
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_health_check_timeout_ms"] = "120000"  # a busy machine's nodes answer late, and are not dead

import pyarrow  # noqa: E402
import pyarrow.parquet  # noqa: E402
import qwen3guard  # noqa: E402
from ray.cluster_utils import Cluster  # noqa: E402
from ray_rows import HERE, by_program, command, comparable, hostile_lines, plain_rows, user  # noqa: E402

N_ROWS = int(os.environ.get("Q3G_RAY_ROWS", "240"))
NODE: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 80 << 20}
LIMIT_S = 300 + N_ROWS // 20
SHARD_ROWS = 20


def in_flight(out: Path) -> dict[str, dict[str, Any]]:
    """The last note of each attempt there is."""
    notes = {}
    for path in glob.glob(f"{out}/attempts/*.attempt"):
        try:
            lines = [line for line in Path(path).read_bytes().splitlines() if line.startswith(b'{"at": ')]
            notes[path] = json.loads(lines[-1])
        except (OSError, ValueError, IndexError):
            continue  # it has just ended, or begun
    return notes


def memory_of(pid: int, file: Path) -> tuple[int, int]:
    """Of a process' pages of a file: their bytes, and its share of them (PSS). None of a process that has gone."""
    resident = share = 0
    is_file = False
    try:
        lines = Path(f"/proc/{pid}/smaps").read_text().splitlines()
    except OSError:
        return 0, 0
    for line in lines:
        if "-" in line.split(" ", 1)[0]:
            is_file = line.endswith(str(file))
        elif is_file and line.startswith("Rss:"):
            resident += int(line.split()[1]) << 10
        elif is_file and line.startswith("Pss:"):
            share += int(line.split()[1]) << 10
    return resident, share


class ClusterTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = Path(temporary.name)
        cls.model = cls.folder / "nano.q3g"
        qwen3guard.quantize("nano-gen", cls.model, embedded=True)
        cls.hold = cls.folder / "hold"
        os.environ["Q3G_RAY_HOLD"] = str(cls.hold)
        os.environ["PYTHONPATH"] = f"{HERE / 'poisoned'}{os.pathsep}{os.environ['PYTHONPATH']}"  # for the nodes and the command
        cls.cluster = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
        cls.addClassCleanup(cls.cluster.shutdown)
        cls.nodes = [cls.cluster.add_node(**NODE) for _ in range(2)]
        cls.jsonl, cls.parquet = cls.write_rows()

    @classmethod
    def write_rows(cls) -> tuple[Path, Path]:
        """Half of the rows each; every batch takes its time, and two rows kill."""
        rows = plain_rows(N_ROWS)
        for row in rows[::8]:
            row["messages"][0]["content"] += " SLOW"
        for i in (N_ROWS // 4, N_ROWS // 2 + 11):
            rows[i]["messages"] = user("POISON")
        lines = [json.dumps(row).encode() for row in rows[:N_ROWS // 2]] + hostile_lines()
        random.Random(7).shuffle(lines)
        jsonl, parquet = cls.folder / "rows.jsonl", cls.folder / "rows.parquet"
        jsonl.write_bytes(b"\n".join(lines))
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows[N_ROWS // 2:]), parquet)
        return jsonl, parquet

    def start(self, out: Path, *options: object) -> "subprocess.Popen[str]":
        arguments = command(self.model, [self.jsonl, self.parquet], out, "--address", self.cluster.address, "--shard-rows", SHARD_ROWS,
                            "--batch-rows", 8, *options)
        self.log = open(f"{out}.log", "w+", encoding="utf-8")
        self.addCleanup(self.log.close)
        run = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.addCleanup(run.wait)
        self.addCleanup(run.kill)
        return run

    def said(self) -> str:
        self.log.seek(0)
        return self.log.read()

    def watch(self, run: "subprocess.Popen[str]", out: Path, look: Callable[[dict[str, dict[str, Any]]], object]) -> None:
        """Until the run ends, or look() returns True."""
        end = time.monotonic() + LIMIT_S
        while run.poll() is None:
            if time.monotonic() > end:
                run.kill()
                self.fail(f"no end: {self.said()[-2000:]}")
            if look(in_flight(out)):
                return
            time.sleep(0.02)

    def test_deaths_and_going_on(self) -> None:
        broken = self.check_deaths()
        resumed = self.check_killed_driver()
        for name in sorted(path.name for path in (broken / "parts").iterdir()):
            self.assertEqual((broken / "parts" / name).read_bytes(), (resumed / "parts" / name).read_bytes(), name)

    def check_deaths(self) -> Path:
        """Three workers. One is killed, then a node, and two rows kill theirs."""
        out = self.folder / "broken"
        self.hold.touch()  # so that all three are at work when the first one is killed
        run = self.start(out)
        seen: dict[str, Any] = {"most": 0, "killed": None, "removed": False, "shares": []}

        def look(notes: dict[str, dict[str, Any]]) -> None:
            alive = [note for note in notes.values() if note["at"] and Path(f"/proc/{note['pid']}").exists()]
            pids = sorted({note["pid"] for note in alive})
            seen["most"] = max(seen["most"], len(pids))
            if seen["killed"] is None and len(pids) == 3:
                seen["shares"] = [memory_of(pid, self.model) for pid in pids]
                if not all(resident for resident, _ in seen["shares"]):
                    return  # one of them has just died of a row
                seen["killed"] = pids[0]
                os.kill(pids[0], signal.SIGKILL)
                self.hold.unlink()
            elif seen["killed"] and not seen["removed"] and len(list((out / "done").glob("*.json"))) >= 2:
                seen["removed"] = True
                self.cluster.remove_node(self.nodes.pop(), allow_graceful=False)

        self.watch(run, out, look)
        self.assertEqual(run.returncode, 3, self.said()[-2000:])
        self.assertTrue(seen["removed"])
        self.assertEqual(seen["most"], 3)
        summary = json.loads(run.communicate()[0])
        self.assertEqual((summary["set_aside"], summary["not_judged"]["worker_died"]), (2, 2))
        self.assertGreaterEqual(summary["worker_deaths"], 5)
        self.check_output(out)
        # All shares together are the file once, not three times.
        self.assertLessEqual(sum(share for _, share in seen["shares"]), self.model.stat().st_size + (1 << 20))
        print(f"deaths: {summary}; the model's pages in three workers: {seen['shares']}", file=sys.stderr)
        return out

    def check_output(self, out: Path) -> None:
        """Each row once, and the program's verdict on it."""
        parts = sorted((out / "parts").iterdir())
        found = [json.loads(line, parse_int=lambda digits: int(digits) if len(digits) < 20 else float(digits))
                 for part in parts if part.suffix == ".jsonl" for line in part.read_bytes().splitlines()]
        data = self.jsonl.read_bytes()
        numbers = [i for i, line in enumerate(data.split(b"\n"), 1) if line.strip(b" \t\r")]
        self.assertEqual([row["row"] for row in found], numbers)
        expected = by_program(self.model, data, "--batch", "8")
        for row, other in zip(found, expected, strict=True):
            if row.get("error", {}).get("code") != "worker_died":
                self.assertEqual(comparable(row), other)
        columns = [row for part in parts if part.suffix == ".parquet" for row in pyarrow.parquet.read_table(part).to_pylist()]
        self.assertEqual([row["row"] for row in columns], list(range(1, N_ROWS - N_ROWS // 2 + 1)))
        given = [json.dumps(row).encode() for row in pyarrow.parquet.read_table(self.parquet).to_pylist()]
        severities = [row.get("severity") for row in by_program(self.model, b"\n".join(given), "--batch", "8")]
        for column, severity in zip(columns, severities, strict=True):
            if (column["error"] or {}).get("code") != "worker_died":
                self.assertEqual(column["severity"], severity)
        aside = [json.loads(line) for line in (out / "set_aside.jsonl").read_bytes().splitlines()]
        bad = {(str(self.jsonl), next(i for i, line in enumerate(data.split(b"\n"), 1) if b"POISON" in line)), (str(self.parquet), 12)}
        self.assertEqual({(row["file"], row["row"]) for row in aside}, bad)
        self.assertEqual(len(aside), 2)

    def check_killed_driver(self) -> Path:
        """One worker; its driver is killed half way, a changed input is refused, and the same command goes on."""
        out = self.folder / "resumed"
        run = self.start(out, "--workers", 1)
        done = out / "done"
        self.watch(run, out, lambda notes: done.is_dir() and len(list(done.glob("*.json"))) >= 4 and any(note["at"] for note in notes.values()))
        run.kill()
        run.communicate()
        before = {path.name: path.stat().st_mtime_ns for path in done.iterdir() if path.suffix == ".json"}
        self.assertGreaterEqual(len(before), 4)
        self.assertFalse((out / "set_aside.jsonl").exists())
        run = self.start(out, "--workers", 2)
        most = 0

        def look(notes: dict[str, dict[str, Any]]) -> None:
            nonlocal most
            most = max(most, sum(1 for note in notes.values() if Path(f"/proc/{note['pid']}").exists()))

        self.watch(run, out, look)
        self.assertEqual(run.returncode, 3, self.said()[-2000:])
        self.assertLessEqual(most, 3)  # of two workers that are alive, one may just have begun its next
        summary = json.loads(run.communicate()[0])
        self.assertLess(summary["judged_now"], summary["rows"])
        self.check_output(out)
        self.assertEqual({name: (done / name).stat().st_mtime_ns for name in before}, before)  # none of these was judged again
        return out


if __name__ == "__main__":
    unittest.main()
