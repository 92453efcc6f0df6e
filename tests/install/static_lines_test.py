# SPDX-License-Identifier: Apache-2.0
"""The lines of docs/packages.md that link the archives, as they stand there, against an installation; what they make runs
without a library of ours beside it.

    static_lines_test.py BUILD_FOLDER WORK_FOLDER CMAKE CC CXX ON|OFF    the last: whether there are models in the library"""
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD, WORK, CMAKE, CC, CXX, MODELS = sys.argv[1:]


def run(command: list[str] | str, **kwargs) -> str:
    done = subprocess.run(command, shell=isinstance(command, str), capture_output=True, text=True, check=False, **kwargs)
    if done.returncode != 0:
        sys.exit(f"failed ({done.returncode}): {command}\n{done.stdout}{done.stderr}")
    return done.stdout


def main() -> None:
    work, prefix = Path(WORK), Path(WORK) / "prefix"
    shutil.rmtree(work, ignore_errors=True)
    run([CMAKE, "--install", BUILD, "--prefix", str(prefix)])
    (archive,) = prefix.rglob("libqwen3guard_c.a")
    (header,) = prefix.rglob("qwen3guard.h")
    for file in (archive, header):
        shutil.copy(file, work)
    shutil.copy(HERE / "c_consumer/main.c", work)
    shutil.copy(HERE / "consumer/main.cpp", work)
    text = (HERE.parent.parent / "docs/packages.md").read_text(encoding="utf-8")
    lines = re.findall(r"^((?:gcc|g\+\+) .*)$", text, re.M)
    if len(lines) != 4:
        sys.exit(f"docs/packages.md has {len(lines)} lines that begin with gcc or g++; expected 4")
    (folder,) = {path.parent for path in prefix.rglob("qwen3guard*.pc")}
    env = {**os.environ, "PKG_CONFIG_PATH": str(folder)}
    env.pop("LD_LIBRARY_PATH", None)
    for line in lines:
        print(line)
        compiler, rest = line.split(" ", 1)
        run(f"'{CC if compiler == 'gcc' else CXX}' {rest}", cwd=work, env=env)
        run(["./main", MODELS], cwd=work, env=env)
        if "-static" not in rest and "qwen3guard" in run(["ldd", "./main"], cwd=work):
            sys.exit(f"the program links a shared library of ours: {line}")


main()
