#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Objects compiled with instruction-set flags keep their code to themselves.

The linker keeps one copy of a weak symbol (an inline function or template that was not inlined). If that copy comes
from an AVX-512 object, baseline code calls it on a CPU without AVX-512. So every weak symbol of such an object must
belong to that set's own copy of Eigen, and no two sets may share one.

Usage: weak_symbols_test.py NM NAME=OBJECT ... (several objects may carry one NAME)
"""

import subprocess
import sys
from collections import defaultdict
from itertools import combinations


# Helpers that compilers emit into many objects, the same everywhere: Clang's two calls that end a program when an
# exception leaves a noexcept function, and pointers to run-time type names.
HELPERS = ("__clang_call_terminate", "DW.ref.")


def weak_symbols(nm: str, path: str) -> set[str]:
    result = subprocess.run([nm, "--defined-only", "--demangle", path], capture_output=True, text=True, check=True)
    found = set()
    for line in result.stdout.splitlines():
        kind, name = line.split(" ", 2)[1:]
        if kind in "WVu" and not name.startswith(HELPERS):
            found.add(name)
    return found


def main() -> int:
    nm, *objects = sys.argv[1:]
    weak: dict[str, set[str]] = defaultdict(set)
    for entry in objects:
        name, path = entry.split("=", 1)
        weak[name] |= weak_symbols(nm, path)
    bad = [f"{a} and {b} share {symbol}"
           for a, b in combinations(sorted(weak), 2) for symbol in sorted(weak[a] & weak[b])]
    bad += [f"{name} has {symbol}"
            for name in sorted(weak) if name != "scalar" for symbol in sorted(weak[name]) if f"Eigen_{name}::" not in symbol]
    print("\n".join(bad) if bad else f"no shared weak symbols among {', '.join(sorted(weak))}")
    return 1 if bad or len(weak) < 2 else 0


if __name__ == "__main__":
    sys.exit(main())
