# SPDX-License-Identifier: Apache-2.0
"""Runs what README.md tells a newcomer to type, line by line, from nothing to a verdict in each language.

    readme_commands.py BUILD_FOLDER    a build of the preset `release`, which takes the place of the README's own

The first line of the block sets the machine up and builds; whoever runs this has done so. A line whose compiler is
missing is skipped. Ends with "N passed, N failed, N skipped"."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
COMPILERS = ("gcc", "cargo", "go", "mcs", "python3")
# What every example says: a harmless question passes, an insult is stopped in the middle of it.
EXPECTED = ("Safe -> allow", ": Unsafe")


def commands() -> list[str]:
    """The lines of the block that begins with the set-up."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = [b for b in re.findall(r"```sh\n(.*?)```", readme, re.S) if b.startswith("scripts/set_up.sh &&")]
    if len(blocks) != 1:
        sys.exit(f"README.md has {len(blocks)} blocks that begin with scripts/set_up.sh; expected 1")
    return blocks[0].strip().splitlines()[1:]


def main() -> int:
    folder = Path(sys.argv[1]).resolve()
    passed, failed, skipped = 0, 0, 0
    exports: list[str] = []
    for line in commands():
        if line.startswith("export "):
            exports.append(line)
            continue
        compiler = next((c for c in COMPILERS if re.search(rf"(^| ){c} ", line)), None)
        if compiler is None:
            print(f"no compiler known in: {line}")
            failed += 1
            continue
        if not shutil.which(compiler):
            print(f"skipped, no {compiler}: {line}")
            skipped += 1
            continue
        script = "\n".join([*exports, line]).replace("$PWD/build/release", str(folder)).replace("build/release", str(folder))
        env = {name: value for name, value in os.environ.items() if not name.startswith("QWEN3GUARD_")}
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=ROOT, env=env, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=1200, check=False)
        said = done.stdout.lower()  # C# capitalises its names
        if done.returncode == 0 and all(text.lower() in said for text in EXPECTED):
            passed += 1
        else:
            print(f"exit code {done.returncode}: {line}\n{done.stdout}{done.stderr}")
            failed += 1
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
