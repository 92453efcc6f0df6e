# SPDX-License-Identifier: Apache-2.0
"""scripts/fetch_sources.sh with an apt-get that fails in every way: it fails too, and the next run mends it."""
import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAMES = ("re2", "utf8proc", "simdjson", "prometheus-cpp")
# What the script calls; the file `how` says how it ends.
APT_GET = """#!/usr/bin/env bash
how=$(cat "{how}")
[[ " $* " == *" update "* ]] && {{ [[ $how != no-lists ]]; exit; }}
[[ $how == no-package ]] && {{ echo "E: Unable to find a source package for re2" >&2; exit 100; }}
cp "{archives}"/*.orig.tar.gz .
case $how in
  killed) rm simdjson_*; kill -9 $PPID ;;
  half-archive) truncate -s 200 utf8proc_*.orig.tar.gz ;;
  one-missing) rm simdjson_* ;;
esac
exit 0
"""


@unittest.skipUnless(all(shutil.which(name) for name in ("apt-get", "perl", "flock")), "for Debian")
@unittest.skipUnless(os.path.isdir("/usr/share/unicode"), "needs the package unicode-data")
class FetchSourcesTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        top = pathlib.Path(self.folder.name)
        for script in ("common.sh", "fetch_sources.sh"):
            (top / "checkout/scripts").mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / "scripts" / script, top / "checkout/scripts")
        self.checkout, self.how = top / "checkout", top / "how"
        archives = top / "archives"
        archives.mkdir()
        for name in NAMES:
            self.make_archive(top / name, archives / f"{name}_1.orig.tar.gz")
            (archives / f"{name}_1.orig.tar.gz.asc").write_text("a signature")
        (top / "bin").mkdir()
        apt_get = top / "bin/apt-get"
        apt_get.write_text(APT_GET.format(how=self.how, archives=archives))
        apt_get.chmod(0o755)
        self.env = {**os.environ, "PATH": f"{top / 'bin'}:{os.environ['PATH']}"}

    def make_archive(self, folder, archive):
        (folder / "re2").mkdir(parents=True)
        (folder / "CMakeLists.txt").write_text("# a library\n" * 1000)
        (folder / "re2/unicode.py").write_text("")
        (folder / "re2/make_perl_groups.pl").write_text('print "groups";')
        for table in ("casefold", "groups"):
            (folder / f"re2/make_unicode_{table}.py").write_text("print('table')")
        with tarfile.open(archive, "w:gz") as out:
            out.add(folder, folder.name)

    def run_script(self, how):
        self.how.write_text(how)
        return subprocess.run(["scripts/fetch_sources.sh"], cwd=self.checkout, env=self.env, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)

    def expect_success(self, how="well"):
        done = self.run_script(how)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        sources = self.checkout / "build/sources"
        wanted = [f"-DFETCHCONTENT_SOURCE_DIR_{name.upper()}={sources.resolve() / name}" for name in NAMES]
        self.assertEqual(done.stdout.splitlines(), wanted)
        for name in NAMES:
            self.assertTrue((sources / name / "CMakeLists.txt").is_file(), name)
        self.assertEqual((sources / "re2/re2/perl_groups.cc").read_text(), "groups")

    def test_success_is_kept(self):
        self.expect_success()
        self.expect_success("no-package")  # nothing is asked for again

    def test_failure_is_told_and_mended(self):
        for how in ("no-lists", "no-package", "half-archive", "one-missing"):
            with self.subTest(how=how):
                shutil.rmtree(self.checkout / "build", ignore_errors=True)
                done = self.run_script(how)
                self.assertNotEqual(done.returncode, 0, done.stdout)
                self.assertEqual(done.stdout, "")  # no options for what is not there
                self.assertIn("were not brought", done.stderr)
                self.expect_success()

    def test_killed_run_is_mended(self):
        self.assertNotEqual(self.run_script("killed").returncode, 0)
        self.expect_success()

    def test_lost_or_half_made_folder_is_mended(self):
        (self.checkout / "build/sources/re2").mkdir(parents=True)  # as a version before this test left it
        for name in NAMES[1:]:
            (self.checkout / "build/sources" / name).mkdir()
        self.expect_success()
        shutil.rmtree(self.checkout / "build/sources/simdjson")
        self.expect_success()


if __name__ == "__main__":
    unittest.main()
