# SPDX-License-Identifier: Apache-2.0
"""The archive of the C library defines the functions of exports.map for others, and nothing else.

archive_symbols_test.py <libqwen3guard_c.a> <exports.map> <nm> <Q3G_PARALLEL>
"""

import re
import subprocess
import sys


def main(archive: str, exports_map: str, nm: str, parallel: str) -> int:
    with open(exports_map, encoding="utf-8") as file:
        expected = set(re.findall(r"^ +(q3g_[a-z_]+);$", file.read(), re.MULTILINE))
    out = subprocess.run([nm, "--extern-only", archive], capture_output=True, text=True, check=True).stdout
    defined, needed = {}, set()
    for line in out.splitlines():
        fields = line.split()
        if len(fields) == 3:
            defined[fields[2]] = fields[1]
        elif len(fields) == 2 and fields[0] in "Uwv":
            needed.add(fields[1])
    problems = [f"{name} is missing" for name in sorted(expected - defined.keys())]
    # Of the letters, u, V and W are those that the linker makes one with the symbols of others.
    problems += [f"{name} ({kind}) is visible to others" for name, kind in sorted(defined.items()) if name not in expected]
    problems += [f"{name} has the letter {kind}, not T" for name, kind in sorted(defined.items())
                 if name in expected and kind != "T"]
    # A library that should be inside and is not would be looked for when a program is linked.
    inside = re.compile(r"re2|utf8proc|simdjson|qwen3guard|q3g_|Eigen|XXH" + ("" if parallel == "openmp" else "|GOMP|omp_"))
    problems += [f"{name} is needed and not inside" for name in sorted(needed) if inside.search(name)]
    if not expected or not needed:
        problems.append("nothing was read")
    print("\n".join(problems) or f"{len(defined)} functions, and no other symbol for others")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
