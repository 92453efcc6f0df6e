# SPDX-License-Identifier: Apache-2.0
"""examples/deployment/systemd: the unit is valid, allows little, and works with what is left, in a systemd of the test's own.

Q3G_CLI names the static program. What needs systemd, or root to start one, skips without. Standard library only.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from cli_test import CLI

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
UNIT = ROOT / "examples/deployment/systemd/qwen3guard.service"
EXPOSURE_LIMIT = 15  # tenths; what `systemd-analyze security` calls OK ends at 4.9
PATIENCE_S = 90.0
SYSTEMD = "/lib/systemd/systemd"


def value(name: str) -> str:
    return re.search(rf"^{name}=(.*)$", UNIT.read_text(encoding="utf-8"), re.M).group(1)


@unittest.skipUnless(shutil.which("systemd-analyze"), "there is no systemd-analyze")
class UnitTest(unittest.TestCase):
    def analyze(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Of a copy whose program is there: verify looks for it."""
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / UNIT.name
            text = UNIT.read_text(encoding="utf-8").replace("/usr/local/bin/qwen3guard", sys.executable)
            copy.write_text(re.sub("^Documentation=.*\n", "", text, flags=re.M), encoding="utf-8")  # the page of the manual is not installed
            return subprocess.run(["systemd-analyze", *arguments, str(copy)], capture_output=True, text=True, check=False, env={**os.environ, "SYSTEMD_PAGER": ""})

    def test_it_is_valid(self) -> None:
        done = self.analyze("verify", "--man=no")
        # Of this unit alone: what else is wrong on a machine is not ours to say.
        self.assertEqual([line for line in done.stderr.splitlines() if UNIT.name in line], [])

    def test_it_allows_little(self) -> None:
        done = self.analyze("security", "--offline=yes", f"--threshold={EXPOSURE_LIMIT}")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"Overall exposure level for qwen3guard\.service: \d\.\d OK")

    def test_times_fit(self) -> None:
        """systemd does not kill what the server still wants to finish."""
        stop = float(re.search(r"--stop-timeout-s (\d+)", value("ExecStart")).group(1))
        self.assertGreater(float(value("TimeoutStopSec")), stop)


@unittest.skipUnless(os.path.exists(CLI) and os.path.exists(SYSTEMD), "there is no systemd, or no static program")
class RunTest(unittest.TestCase):
    def facts(self) -> dict[str, str]:
        with tempfile.TemporaryDirectory() as out:
            with subprocess.Popen(["unshare", "--fork", "--kill-child", "--pid", "--mount", "--uts", "--ipc", "--net", "--cgroup",
                                   str(HERE / "systemd_root.sh"), CLI, str(UNIT), str(HERE / "systemd_trial.py"), out],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as systemd:
                found, end = Path(out, "facts.json"), time.monotonic() + PATIENCE_S
                while not found.exists() and systemd.poll() is None and time.monotonic() < end:
                    time.sleep(0.1)
                systemd.kill()  # its namespaces go with it
                said = systemd.stdout.read()
            if found.exists():
                return json.loads(found.read_text(encoding="utf-8"))
            if "Permission denied" in said or "not permitted" in said or not Path(out, "said").exists():
                print(f"skipped: no systemd of its own can be started here: {said.strip()}")
                self.skipTest(said)
            self.fail(said + Path(out, "said").read_text(encoding="utf-8"))

    def test_it_runs(self) -> None:
        facts = self.facts()
        self.assertNotIn("error", facts)
        self.assertEqual(facts["start"] + facts["reload"] + facts["stop"], "")
        self.assertEqual(json.loads(facts["ready"]), {"status": "ready"})
        self.assertTrue(json.loads(facts["verdict"])["results"][0]["flagged"])
        for line in (r"Uid:\t(?!0\t)\d+\t", r"CapPrm:\t0+\n", r"CapBnd:\t0+\n", r"NoNewPrivs:\t1\n", r"Seccomp:\t2\n"):
            self.assertRegex(facts["status"], line)
        for what in ("policies", "keys", "audit"):
            self.assertIn(f'qwen3guard_reloads_total{{result="ok",what="{what}"}} 1', facts["metrics"])
        self.assertEqual(json.loads(facts["audit"])["key"], "trial")
        self.assertEqual((facts["audit_mode"], facts["keys_mode"]), ("0o600", "0o600"))
        self.assertEqual(sorted(facts["result"].split()), ["ExecMainStatus=0", "Result=success"])


if __name__ == "__main__":
    unittest.main()
