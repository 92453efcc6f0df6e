# SPDX-License-Identifier: Apache-2.0
"""tests/integrations/run_modules.py: what it says of modules that pass, fail and skip."""
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

RUNNER = Path(__file__).resolve().parents[1] / "integrations/run_modules.py"
REQUIREMENTS = "# Of account: one-package other\nmore==3\none-package==1.0\nother==2.0\n"
HEAD = "import unittest\n"
TEST = HEAD + "class T(unittest.TestCase):\n    def test_it(self):\n        {}\n"
PASSES, FAILS, SKIPS = TEST.format("pass"), TEST.format("self.fail()"), TEST.format("self.skipTest('no engine')")
SKIPS_CLASS = HEAD + ("class T(unittest.TestCase):\n    @classmethod\n    def setUpClass(cls):\n        raise unittest.SkipTest('no RE2')\n"
                      "    def test_it(self): pass\n")
SKIPS_MODULE = HEAD + "raise unittest.SkipTest('no program')\n"


class RunnerTest(unittest.TestCase):
    def run_modules(self, *modules: str, requirements: str = REQUIREMENTS) -> tuple[int, list[str]]:
        """Its exit code and its lines on stdout."""
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "requirements.txt").write_text(requirements, encoding="utf-8")
            for i, text in enumerate(modules):
                Path(folder, f"m{i}_test.py").write_text(text, encoding="utf-8")
            done = subprocess.run([sys.executable, "-B", RUNNER], cwd=folder, text=True, capture_output=True, timeout=60, check=False)
            return done.returncode, done.stdout.splitlines()

    def test_what_passed(self) -> None:
        both = ["passed: one-package 1.0", "passed: other 2.0"]
        self.assertEqual(self.run_modules(PASSES), (0, both))
        self.assertEqual(self.run_modules(PASSES, PASSES), (0, both))
        self.assertEqual(self.run_modules(PASSES + "    @unittest.skip('x')\n    def test_b(self): pass\n"), (0, both))

    def test_nothing_has_run(self) -> None:
        for module, why in ((SKIPS, "no engine"), (SKIPS_CLASS, "no RE2"), (SKIPS_MODULE, "no program")):
            code, lines = self.run_modules(module, module)
            self.assertEqual((code, len(lines)), (77, 1))
            self.assertRegex(lines[0], rf"^q3g-skipped: no .*m0_test: {why}; m1_test: {why}")

    def test_a_module_that_skips(self) -> None:
        one, other = "OF_ACCOUNT = ('one-package',)\n", "OF_ACCOUNT = ('other',)\n"
        for skips in (SKIPS + other, SKIPS_CLASS + other):
            code, lines = self.run_modules(PASSES + one, skips)
            self.assertEqual((code, lines[1:]), (0, ["passed: one-package 1.0"]))
            self.assertIn("m1_test", lines[0])
        # One that skips before it says what it tests might have tested everything.
        code, lines = self.run_modules(PASSES, SKIPS_MODULE)
        self.assertEqual((code, [line for line in lines if line.startswith("passed")]), (0, []))

    def test_failures(self) -> None:
        for modules in ((PASSES, FAILS), (FAILS, SKIPS), (HEAD,), ("import no_such_module\n",), (PASSES, TEST.format("1/0"))):
            code, lines = self.run_modules(*modules)
            self.assertEqual((code, lines), (1, []), modules)

    def test_names_of_packages(self) -> None:
        for modules, requirements in (((PASSES + "OF_ACCOUNT = ('another',)\n", PASSES), REQUIREMENTS), ((PASSES,), "# Of account: lost\n"),
                                      ((PASSES + "OF_ACCOUNT = ('other',)\n",), REQUIREMENTS)):
            self.assertEqual(self.run_modules(*modules, requirements=requirements), (1, []))


if __name__ == "__main__":
    unittest.main()
