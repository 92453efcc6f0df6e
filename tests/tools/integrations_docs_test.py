# SPDX-License-Identifier: Apache-2.0
"""docs/integrations.md names every integration, and the versions of other people's packages that its tests have."""
import json
import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/integrations.md"
FOLDER = ROOT / "tests/integrations"


def pinned(folder: Path) -> set[tuple[str, str]]:
    """(package, version), of Python and of npm, which may share names."""
    found: set[tuple[str, str]] = set()
    for file in folder.glob("requirements*.txt"):
        found |= set(re.findall(r"^([\w.-]+)(?:\[.*\])?==(\S+)", file.read_text(encoding="utf-8"), re.M))
    for file in folder.glob("package.json"):
        package = json.loads(file.read_text(encoding="utf-8"))
        found |= set((package.get("dependencies", {}) | package.get("devDependencies", {})).items())
    return {(name.lower(), version) for name, version in found}


def rows() -> list[tuple[Path, str]]:
    """The lines of tables that name a folder of tests."""
    found = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        for folder in re.findall(r"`(tests/(?:integrations/\w+|clients|page))`", line) if line.startswith("|") else []:
            found.append((ROOT / folder, line))
    return found


class IntegrationsPageTest(unittest.TestCase):
    def test_every_integration_is_there(self):
        named = {folder.name for folder, _ in rows()}
        there = {file.parent.name for file in FOLDER.glob("*/requirements.txt")}
        self.assertLessEqual(there, named)

    def test_versions_are_those_that_are_tested(self):
        for folder, line in rows():
            versions = pinned(folder)
            told = re.findall(r"`([@\w./-]+)` (\d[\w.]*\d)", line)
            self.assertTrue(told, f"no package with its version: {line}")
            for package, version in told:
                self.assertIn((package.lower(), version), versions, folder.name)

    def test_files_are_there(self):
        text = PAGE.read_text(encoding="utf-8")
        paths = re.findall(r"`((?:examples|tests|docs|scripts)/[\w./-]+)`", text) + [
            f"docs/{name}" for name in re.findall(r"\]\((\w+\.md)(?:#[\w-]*)?\)", text)]
        self.assertTrue(paths)
        for path in paths:
            self.assertTrue((ROOT / path).exists(), path)


if __name__ == "__main__":
    unittest.main()
