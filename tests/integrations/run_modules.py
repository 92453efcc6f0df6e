# SPDX-License-Identifier: Apache-2.0
"""Runs the test modules of the current folder, and says what passed, in which versions. Exit code 1: a test failed; 77: none ran.

The first line of requirements.txt names the packages of account. A module that tests only some of them names those in
OF_ACCOUNT. A package has passed where each module that tests it has run a test.
"""
import importlib
import re
import sys
import unittest
from pathlib import Path

SKIP = 77


class CountingResult(unittest.TextTestResult):
    """How many tests have run to their end."""

    n_passed = 0

    def addSuccess(self, test: unittest.TestCase) -> None:
        super().addSuccess(test)
        self.n_passed += 1


class Outcome:
    """Of a module. why_skipped: nothing of it has run; none: something has."""

    def __init__(self, is_good: bool, packages: tuple[str, ...] | None, why_skipped: str | None) -> None:
        self.is_good, self.packages, self.why_skipped = is_good, packages, why_skipped


def run_module(name: str) -> Outcome:
    try:
        module = importlib.import_module(name)
    except unittest.SkipTest as skip:
        return Outcome(True, None, str(skip))
    result = unittest.TextTestRunner(verbosity=2, resultclass=CountingResult).run(unittest.defaultTestLoader.loadTestsFromModule(module))
    assert isinstance(result, CountingResult)
    why = None if result.n_passed else "; ".join(dict.fromkeys(reason for _, reason in result.skipped)) or "it has no tests"
    return Outcome(result.wasSuccessful() and why != "it has no tests", getattr(module, "OF_ACCOUNT", None), why)


def passed(outcomes: list[Outcome], requirements: str) -> list[str]:
    """Packages of account with their versions."""
    named = re.match(r"# Of account: (.*)", requirements)
    of_account = tuple(named[1].split()) if named else ()
    out = []
    for package in of_account:
        tested_by = [outcome for outcome in outcomes if package in (outcome.packages or of_account)]
        version = re.search(rf"^{re.escape(package)}==(\S+)", requirements, re.M)
        if version is None or not tested_by:
            raise ValueError(f"{package} is of account, and {'no test names it' if version else 'has no version'}")
        if all(outcome.why_skipped is None for outcome in tested_by):
            out.append(f"{package} {version[1]}")
    if unknown := {package for outcome in outcomes for package in outcome.packages or ()}.difference(of_account):
        raise ValueError(f"not of account: {unknown}")
    return out


def main() -> int:
    sys.path[0] = ""  # and not the folder of this file, whose folders have names of packages
    names = sorted(file.stem for file in Path().glob("*_test.py"))
    outcomes = [run_module(name) for name in names]
    if not all(outcome.is_good for outcome in outcomes):
        return 1
    skipped = [f"{name}: {outcome.why_skipped}" for name, outcome in zip(names, outcomes) if outcome.why_skipped is not None]
    if len(skipped) == len(names):
        print("q3g-skipped: no test has run;", "; ".join(skipped))
        return SKIP
    for line in skipped:
        print("skipped:", line)
    for package in passed(outcomes, Path("requirements.txt").read_text(encoding="utf-8")):
        print("passed:", package)
    return 0


if __name__ == "__main__":
    sys.exit(main())
