# SPDX-License-Identifier: Apache-2.0
"""The builds that differ in Q3G_PARALLEL alone compute the same bytes: compares this one's digests with those of the
others in build/ that are there and newer than the sources.

same_bytes_test.py <parallel_digest> <source folder>
"""

import subprocess
import sys
from pathlib import Path

SKIPPED = 77
BUILDS = ("gcc", "openmp", "none")


def digests(program: Path) -> str:
    return subprocess.run([program], check=True, capture_output=True, text=True).stdout


def main(own: str, root: str) -> int:
    sources = [path for folder in ("src", "include", "tests/unit/guard") for path in Path(root, folder).rglob("*.[ch]*")]
    newest = max(path.stat().st_mtime for path in sources)
    others = [program for build in BUILDS if (program := Path(root, "build", build, "tests/unit/guard/parallel_digest")).exists()
              and program.stat().st_mtime >= newest and program.resolve() != Path(own).resolve()]
    if not others:
        print("skipped: no other build to compare with")
        return SKIPPED
    expected = digests(Path(own))
    print(expected, end="")
    different = [f"{program}:\n{found}" for program in others if (found := digests(program)) != expected]
    print("\n".join(different) or f"the same of {', '.join(str(program) for program in others)}")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
