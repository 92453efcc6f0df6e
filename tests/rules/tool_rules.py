# SPDX-License-Identifier: Apache-2.0
"""Rules that need another program: the compiler, the shell, clang-format."""

import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from source_tree import HEADER_SUFFIXES, CannotTell, Finding, SourceTree

CLANG_FORMAT = 14
# Private wrappers of one instruction set compile only with its flags.
ISA_FLAGS = {
    "src/kernels/x86/": ["-march=x86-64-v4", "-mavx512vnni", "-mavx512bf16"],
    "src/kernels/arm/": None,
}


def _isa_flags(path: str) -> list[str] | None:
    for folder, flags in ISA_FLAGS.items():
        if path.startswith(folder):
            return flags if os.uname().machine == "x86_64" else None
    return []


def code_layout(tree: SourceTree) -> list[Finding]:
    """clang-format would change nothing. Other versions than the one named lay out otherwise."""
    program = shutil.which("clang-format")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout if program else "none"
    if f"version {CLANG_FORMAT}." not in version:
        raise CannotTell(f"needs clang-format {CLANG_FORMAT}; here is {version.strip()}")
    findings = []

    def check(paths: list[str]) -> str:
        command = [program, "--dry-run", "-Werror", "-ferror-limit=1", *paths]
        return subprocess.run(command, capture_output=True, text=True, cwd=tree.root, check=False).stderr

    files = tree.cpp()
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        said = "".join(pool.map(check, (files[i:i + 20] for i in range(0, len(files), 20))))
    for path, line in re.findall(r"^(.+?):(\d+):\d+: error: ", said, re.MULTILINE):
        findings.append(Finding(path, int(line), "clang-format -i would change this file"))
    return findings


def _is_compiled_first(tree: SourceTree, header: str) -> bool:
    """Whether the build shows already that the header compiles alone, as its own source begins with it."""
    source = str(Path(header).with_suffix(".cc"))
    if source not in tree.paths:
        return False
    first = re.search(r'^#include [<"](.+)[>"]', tree.text(source), re.MULTILINE)
    return first is not None and header == f"src/{first.group(1)}"


def self_contained_headers(tree: SourceTree, compiler: str = "") -> list[Finding]:
    """Every header of the library compiles alone."""
    compiler = compiler or os.environ.get("CXX", "c++")
    headers = [p for p in tree.library() if Path(p).suffix in HEADER_SUFFIXES and _isa_flags(p) is not None
               and not _is_compiled_first(tree, p)]

    def check(path: str) -> list[Finding]:
        command = [compiler, "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-Iinclude", "-Isrc",
                   *_isa_flags(path), "-x", "c++", "-"]
        source = f'#include "{(tree.root / path).as_posix()}"\n'
        result = subprocess.run(command, input=source, capture_output=True, text=True, cwd=tree.root, check=False)
        if result.returncode == 0:
            return []
        return [Finding(path, 1, "does not compile alone:\n" + result.stderr.strip())]

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return [finding for findings in pool.map(check, headers) for finding in findings]


def shell_scripts(tree: SourceTree) -> list[Finding]:
    """Shell scripts parse, stop at errors and are executable; shellcheck agrees where it is installed."""
    findings = []
    for path in (p for p in tree.paths if p.endswith(".sh") or p == ".ci/run"):
        text = tree.text(path)
        shell = "sh" if text.startswith("#!/bin/sh") else "bash"
        strict = "set -eu" if shell == "sh" else "set -euo pipefail"
        if text.startswith("#!"):
            if not os.access(tree.root / path, os.X_OK):
                findings.append(Finding(path, 1, "not executable"))
            if f"\n{strict}\n" not in text:
                findings.append(Finding(path, 1, f"no line '{strict}'"))
        checks = [[shell, "-n", path]]
        if shutil.which("shellcheck"):
            # SC1007: "a= b=1" is how an empty value is written.
            checks.append(["shellcheck", f"--shell={shell}", "--severity=warning", "--exclude=SC1007",
                           "--external-sources", "--format=gcc", path])
        for command in checks:
            result = subprocess.run(command, capture_output=True, text=True, cwd=tree.root, check=False)
            if result.returncode != 0:
                findings.append(Finding(path, 1, (result.stdout + result.stderr).strip()))
                break
    return findings
