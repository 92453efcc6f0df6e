# SPDX-License-Identifier: Apache-2.0
"""The functions of the header are what the library exports, what its export list names and what the tests call.

    exports_test.py list            capi/exports.map
    exports_test.py called          the C11 test
    exports_test.py library SO NM READELF
"""

import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CAPI = HERE.parent.parent / "capi"
sys.path.insert(0, str(CAPI / "bindings"))
import header  # noqa: E402

NODE = "QWEN3GUARD_1"


def report(what: str, found: set[str], expected: set[str]) -> int:
    for name in sorted(expected - found):
        print(f"{what}: {name} is missing")
    for name in sorted(found - expected):
        print(f"{what}: {name} is not in the header")
    print(f"{what}: {len(found)} functions, the header has {len(expected)}")
    return 1 if found != expected else 0


def in_list() -> set[str]:
    text = re.sub(r"/\*.*?\*/", "", (CAPI / "exports.map").read_text(), flags=re.S)
    match = re.fullmatch(rf"\s*{NODE} \{{\s*global:(.*?)local:\s*\*;\s*\}};\s*", text, re.S)
    if not match:
        raise SystemExit(f"exports.map is not one node {NODE} with all else local")
    names = [name.strip() for name in match[1].split(";") if name.strip()]
    if len(names) != len(set(names)):
        raise SystemExit("exports.map names a function twice")
    return set(names)


def called() -> set[str]:
    text = "".join(path.read_text() for path in sorted(HERE.glob("*_part.c")) + [HERE / "abi_c11_test.c"])
    return set(re.findall(r"\b(q3g_\w+)\(", text))


def in_library(library: str, nm: str) -> set[str]:
    out = subprocess.run([nm, "-D", "--defined-only", library], capture_output=True, text=True, check=True).stdout
    names = set()
    for line in out.splitlines():
        _, kind, name = line.split()
        if kind == "A" and name.split("@@")[0] == NODE:  # the node itself; some versions of nm give it its own version
            continue
        if kind != "T" or not name.endswith(f"@@{NODE}"):
            raise SystemExit(f"{name} of kind {kind} is exported; expected functions of version {NODE} only")
        names.add(name.removesuffix(f"@@{NODE}"))
    return names


def soname(library: str, readelf: str) -> str:
    out = subprocess.run([readelf, "-d", library], capture_output=True, text=True, check=True).stdout
    return re.search(r"\(SONAME\)[^\[]*\[(.*?)\]", out)[1]


def main() -> int:
    found = header.read()
    expected = {f.name for f in found.functions}
    mode, *rest = sys.argv[1:]
    if mode == "list":
        return report("exports.map", in_list(), expected)
    if mode == "called":
        return report("called by the C11 test", called() & expected, expected)
    library, nm, readelf = rest
    name = soname(library, readelf)
    wanted = f"libqwen3guard_c.so.{found.constants['Q3G_ABI_VERSION']}"
    if name != wanted:
        print(f"the SONAME is {name}; expected {wanted}")
        return 1
    return report(library, in_library(library, nm), expected)


if __name__ == "__main__":
    sys.exit(main())
