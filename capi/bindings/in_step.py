#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Keeps the bindings in step with ../qwen3guard.h.

    in_step.py            checks: every declaration file is what the header makes of it, and each binding uses every
                          function and names every field of the header; exits 1 and says what is not so
    in_step.py --write    writes the declaration files, those with enums and plain results, and ../exports.map

The declarations of Rust, C# and Python are written by programs (raw_*.py here), so that no signature can be wrong. Go
needs none: cgo reads the header itself.
"""

import re
import sys
from pathlib import Path

import enum_lists
import header
import raw_csharp
import raw_python
import raw_rust
import value_structs

HERE = Path(__file__).resolve().parent


def exports(found: header.Header) -> str:
    """The linker's list of exported functions. One node: nothing is published yet. What is added after the first release
    gets a node of its own behind it."""
    names = "".join(f"    {name};\n" for name in sorted(f.name for f in found.functions))
    return f"/* {enum_lists.GENERATED} */\nQWEN3GUARD_1 {{\n  global:\n{names}  local:\n    *;\n}};\n"


# Declaration file -> what makes it.
RAW = {
    "../exports.map": exports,
    "rust/qwen3guard-sys/src/raw.rs": raw_rust.generate,
    "csharp/src/Native.g.cs": raw_csharp.generate,
    "python/src/qwen3guard/_raw.py": raw_python.generate,
}
# Files with the bindings' enums and plain results -> what makes them.
VALUES = {
    "rust/qwen3guard/src/enum_lists.rs": enum_lists.rust,
    "go/enum_lists.go": enum_lists.go,
    "csharp/src/Enums.g.cs": enum_lists.csharp,
    "python/src/qwen3guard/_enums.py": enum_lists.python,
    "rust/qwen3guard/src/value_structs.rs": value_structs.rust,
    "go/value_structs.go": value_structs.go,
    "csharp/src/Values.g.cs": value_structs.csharp,
    "python/src/qwen3guard/_value_structs.py": value_structs.python,
}
# Binding -> its folder and the suffix of its sources.
BINDINGS = {"rust": ("rust/qwen3guard/src", ".rs"), "go": ("go", ".go"), "csharp": ("csharp/src", ".cs"),
            "python": ("python/src/qwen3guard", ".py")}
# What a binding may do without: functions, fields, all fields of a struct ("q3g_allocator.").
NO_ALLOCATOR = {"q3g_allocator.", "q3g_guard_options.allocator"}  # languages that cannot serve one
NOT_NEEDED = {
    "csharp": {"q3g_cancel_is_set"},  # a CancellationToken knows it itself
    "go": NO_ALLOCATOR,
    # Closures carry what C needs a pointer for.
    "python": {"q3g_guard_options.log_user", "q3g_classify_options.progress_user", "q3g_quantize_options.progress_user",
               *NO_ALLOCATOR},
    "rust": {"q3g_batch_start", "q3g_batch_stop"},  # its batch has a thread of the binding's own, which wakes tasks
}
# Every struct has them, and no user sees them; an error's code is what the call returns, too.
PLUMBING = {"struct_size", "reserved", "code"}


def unused(found: header.Header, folder: str, suffix: str) -> list[str]:
    """Functions and fields of the header that a binding's own sources (not its declarations) never name. A field may
    have its name from another struct: this finds most of what was forgotten, not all."""
    text = "\n".join(
        path.read_text(encoding="utf-8") for path in sorted((HERE / folder).rglob(f"*{suffix}"))
        if path.relative_to(HERE).as_posix() not in RAW and not path.name.endswith(f"_test{suffix}"))
    named = set(re.findall(r"\b\w+\b", text))
    if suffix == ".cs":  # the handles and options that are written with the declarations do it themselves
        named |= {f.name for f in found.functions if f.name.endswith(("_free", "_init"))}
    fields = [f"{s.name}.{f.name}" for s in found.structs for f in s.fields if f.name not in named | PLUMBING]
    return [f.name for f in found.functions if f.name not in named] + fields


def is_needed(binding: str, name: str) -> bool:
    free = NOT_NEEDED.get(binding, set())
    return name not in free and name.partition(".")[0] + "." not in free


def main(arguments: list[str]) -> int:
    found = header.read()
    findings = []
    for name, generate in {**RAW, **VALUES}.items():
        path, wanted = HERE / name, generate(found)
        if arguments == ["--write"]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted, encoding="utf-8", newline="\n")
        elif not path.exists() or path.read_text(encoding="utf-8") != wanted:
            findings.append(f"{name} is not what qwen3guard.h makes of it; run in_step.py --write")
    if arguments != ["--write"]:
        findings += [f"{name} is in no enum of enum_lists.py" for name in enum_lists.missing(found)]
        for binding, (folder, suffix) in BINDINGS.items():
            missing = [name for name in unused(found, folder, suffix) if is_needed(binding, name)]
            findings += [f"{binding} does not use {name}" for name in sorted(missing)]
    for finding in findings:
        print(finding)
    print(f"{len(found.functions)} functions, {len(BINDINGS)} bindings, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
