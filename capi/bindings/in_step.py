#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Keeps the bindings in step with ../qwen3guard.h.

    in_step.py            checks: every declaration file is what the header makes of it, and every function of the
                          header is used by each binding; exits 1 and says what is not so
    in_step.py --write    writes the declaration files

The declarations of Rust, C# and Python are written by programs (raw_*.py here), so that no signature can be wrong. Go
needs none: cgo reads the header itself.
"""

import re
import sys
from pathlib import Path

import header
import raw_csharp
import raw_python
import raw_rust

HERE = Path(__file__).resolve().parent

# Declaration file -> what makes it.
RAW = {
    "rust/qwen3guard-sys/src/raw.rs": raw_rust.generate,
    "csharp/src/Native.g.cs": raw_csharp.generate,
    "python/src/qwen3guard/_raw.py": raw_python.generate,
}
# Binding -> its folder and the suffix of its sources.
BINDINGS = {"rust": ("rust/qwen3guard/src", ".rs"), "go": ("go", ".go"), "csharp": ("csharp/src", ".cs"),
            "python": ("python/src/qwen3guard", ".py")}
# What a binding may do without.
NOT_NEEDED = {"csharp": {"q3g_cancel_is_set"}}  # a CancellationToken knows it itself


def unused(found: header.Header, folder: str, suffix: str) -> list[str]:
    """Functions of the header that a binding's own sources (not its declarations) never name."""
    text = "\n".join(
        path.read_text(encoding="utf-8") for path in sorted((HERE / folder).rglob(f"*{suffix}"))
        if path.relative_to(HERE).as_posix() not in RAW and not path.name.endswith(f"_test{suffix}"))
    named = set(re.findall(r"\bq3g_\w+", text))
    if suffix == ".cs":  # the handles that are written with the declarations free themselves
        named |= {f.name for f in found.functions if f.name.endswith("_free")}
    return [f.name for f in found.functions if f.name not in named]


def main(arguments: list[str]) -> int:
    found = header.read()
    findings = []
    for name, generate in RAW.items():
        path, wanted = HERE / name, generate(found)
        if arguments == ["--write"]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted, encoding="utf-8", newline="\n")
        elif not path.exists() or path.read_text(encoding="utf-8") != wanted:
            findings.append(f"{name} is not what qwen3guard.h makes of it; run in_step.py --write")
    if arguments != ["--write"]:
        for binding, (folder, suffix) in BINDINGS.items():
            missing = set(unused(found, folder, suffix)) - NOT_NEEDED.get(binding, set())
            findings += [f"{binding} does not use {function}" for function in sorted(missing)]
    for finding in findings:
        print(finding)
    print(f"{len(found.functions)} functions, {len(BINDINGS)} bindings, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
