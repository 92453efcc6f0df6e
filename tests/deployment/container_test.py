# SPDX-License-Identifier: Apache-2.0
"""The image of examples/deployment/container, built and run by podman as docs/deployment.md says.

Q3G_CLI names the static program. Where there is no podman, or it may not run anything here, the tests skip and say why.
Standard library only.
"""
import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from cli_test import CLI
from serve_program import PATIENCE_S, ServeTest, Server, eventually

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "examples/deployment/container/build.sh"
IMAGE = "localhost/qwen3guard-test"
KEY = "a-key-of-the-test-0123456789"
USER = 65532
# Where controllers of both versions of cgroups are mounted, crun starts nothing. It finds a mere second version here.
OWN_CGROUPS = ("unshare", "--mount", "sh", "-euc", 'umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; exec "$@"', "sh")
LIMIT_BYTES = 33_000_000


class ContainerTest(ServeTest):
    @classmethod
    def setUpClass(cls) -> None:
        if not shutil.which("podman"):
            raise unittest.SkipTest("there is no podman")
        folder = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o755)
        # An engine of the test's own, which is gone with the folder. Its storage needs no privilege.
        engine = folder / "podman"
        engine.write_text(f'#!/bin/sh\nexec podman --root {folder}/root --runroot {folder}/run --storage-driver vfs --events-backend none '
                          '--cgroup-manager cgroupfs "$@"\n', encoding="utf-8")
        engine.chmod(0o755)
        cls.engine, cls.folder = str(engine), folder
        done = subprocess.run([BUILD, IMAGE, CLI], env={**os.environ, "ENGINE": cls.engine, "BUILDAH_ISOLATION": "chroot"},
                              capture_output=True, text=True, timeout=5 * PATIENCE_S, check=False)
        if done.returncode:
            raise AssertionError(done.stdout + done.stderr)
        cls.keys = folder / "keys"
        cls.keys.write_text(f"test {KEY}\n", encoding="utf-8")
        cls.keys.chmod(0o644)
        cls.prefix = cls.how_to_run()

    @classmethod
    def run_flags(cls) -> list[str]:
        n_files = str(min(os.sysconf("SC_OPEN_MAX"), 16384))  # podman would raise it
        return ["run", "--rm", "--network", "host", "--cgroups", "disabled", "--ulimit", f"nofile={n_files}", "--ulimit", "nproc=1024",
                "--read-only", "--read-only-tmpfs=false", "--cap-drop", "all", "--security-opt", "no-new-privileges",
                "--volume", f"{cls.keys}:/etc/qwen3guard/keys:ro"]

    @classmethod
    def how_to_run(cls) -> tuple[str, ...]:
        """What stands before the engine so that it runs something here; skips where nothing does."""
        said = ""
        for prefix in ((), OWN_CGROUPS):
            done = subprocess.run([*prefix, cls.engine, *cls.run_flags(), "--entrypoint", "/qwen3guard", IMAGE, "--version"],
                                  capture_output=True, text=True, timeout=5 * PATIENCE_S, check=False)
            if done.returncode == 0:
                return prefix
            said += done.stderr
        print(f"skipped: podman runs nothing here: {said.strip().splitlines()[-1]}")
        raise unittest.SkipTest(said)

    def test_what_is_in_it(self) -> None:
        facts = json.loads(subprocess.run([self.engine, "image", "inspect", IMAGE], capture_output=True, check=True).stdout)[0]
        self.assertEqual(facts["Config"]["User"], f"{USER}:{USER}")
        self.assertEqual(facts["Config"]["ExposedPorts"], {"8080/tcp": {}})
        self.assertEqual(len(facts["RootFS"]["Layers"]), 1)
        self.assertLess(facts["Size"], LIMIT_BYTES)
        files = {str(path.relative_to(ROOT / "build/image/root")) for path in (ROOT / "build/image/root").rglob("*") if path.is_file()}
        self.assertEqual({name for name in files if not name.startswith("licenses/")}, {"qwen3guard", "etc/ssl/certs/ca-certificates.crt"})

    def test_it_serves(self) -> None:
        # A free port of the machine, as its network is used.
        with Server("--host", "127.0.0.1", "--port", "0", "--keys", "/etc/qwen3guard/keys", where=(),
                    program=(*self.prefix, self.engine, *self.run_flags(), "--entrypoint", '["/qwen3guard", "serve"]', IMAGE)) as server:
            self.assertEqual(server.get("/ready").json(), {"status": "ready"})
            self.assert_refused(server.post("/v1/moderations", {"input": "Hello"}), 401)
            bearer = {"authorization": f"Bearer {KEY}"}
            result = server.post("/v1/moderations", {"input": "I will find you and kill you."}, bearer).json()["results"][0]
            self.assertTrue(result["flagged"])
            (status,) = self.statuses()
            self.assertRegex(status, rf"\nUid:\t{USER}\t{USER}\t{USER}\t{USER}\n")
            self.assertRegex(status, r"\nCapEff:\t0+\n")
            self.assertRegex(status, r"\nNoNewPrivs:\t1\n")
            self.assertEqual(server.stop(), 0)  # podman passes the signal on; there is no shell in between
            self.assertTrue(eventually(lambda: not self.statuses()))

    def statuses(self) -> list[str]:
        """/proc/N/status of the processes of this test's image."""
        found = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    if (folder / "cmdline").read_bytes().startswith(b"/qwen3guard\0serve\0--host\x00127.0.0.1\0--port\x000\0--keys\0/etc/qwen3guard/keys"):
                        found.append((folder / "status").read_text(encoding="utf-8"))
                except (FileNotFoundError, ProcessLookupError):
                    continue
        return found

    def test_without_keys_it_does_not_serve_others(self) -> None:
        """As it is built, it listens to all; that is refused until it is told who may ask."""
        flags = self.run_flags()
        del flags[flags.index("--volume"):]
        for arguments, why in (([], "keys"), (["--policy", "strict"], "--allow-remote-without-keys")):
            done = subprocess.run([*self.prefix, self.engine, *flags, IMAGE, *arguments], capture_output=True, text=True,
                                  timeout=PATIENCE_S, check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(why, done.stderr)


if __name__ == "__main__":
    unittest.main()
