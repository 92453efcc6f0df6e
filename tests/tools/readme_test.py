# SPDX-License-Identifier: Apache-2.0
"""README.md and docs/hold_back.md against the project: examples are those that are compiled and run, paths exist."""
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


class ReadmeTest(unittest.TestCase):
    def test_example_is_the_compiled_one(self):
        (shown,) = re.findall(r"```cpp\n(.*?)```", README, flags=re.S)
        source = (ROOT / "examples/cpp_readme/main.cpp").read_text(encoding="utf-8")
        self.assertEqual(shown, source.split("\n", 1)[1])  # less the licence line

    def test_examples_of_holding_back_are_the_compiled_ones(self):
        text = (ROOT / "docs/hold_back.md").read_text(encoding="utf-8")
        for language, path in (("cpp", "cpp_hold_back/main.cpp"), ("c", "c_hold_back/main.c")):
            (shown,) = re.findall(rf"```{language}\n(.*?)```", text, flags=re.S)
            source = (ROOT / "examples" / path).read_text(encoding="utf-8")
            self.assertEqual(shown, source.split("\n", 1)[1])  # less the licence line

    def test_named_files_exist(self):
        for path in re.findall(r"`((?:docs|scripts|examples|include|src|third_party)/[\w./-]*)`", README):
            self.assertTrue((ROOT / path).exists(), path)

    def test_both_commands_can_be_run(self):
        for script in re.findall(r"^(scripts/\S+\.sh)", README, flags=re.M):
            self.assertTrue((ROOT / script).stat().st_mode & 0o111, script)


if __name__ == "__main__":
    unittest.main()
