# SPDX-License-Identifier: Apache-2.0
"""Compares the built library's binary interface with abi/libqwen3guard_c.so.1.abi, the one that was published.

    abi_diff.py LIBRARY HEADER          exit code 1: incompatible; 77: cannot tell here
    abi_diff.py LIBRARY HEADER --write  renews the file, after something was added

abidw (libabigail) reads the types of the exported functions from the debugging information; types that the header
does not define are opaque. Additions are allowed: functions, and fields at the end of structs, which every caller's
struct_size keeps apart. What lies behind the published end of a struct is therefore left out, and then nothing at all
may differ: abidiff sets its bit for incompatible changes (8) only when symbols are gone or the SONAME is another; a
changed struct or parameter is 4, a change. The other bits are 1, an error, and 2, wrong usage.
"""

import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

PUBLISHED = Path(__file__).resolve().parent / "abi" / "libqwen3guard_c.so.1.abi"
SKIP = 77


def dump(library: str, header: str, folder: Path) -> str:
    """The interface as text, without anything that depends on where the library was built."""
    public = folder / "public"
    public.mkdir()
    shutil.copy(header, public)
    command = ["abidw", "--exported-interfaces-only", "--headers-dir", str(public), "--drop-private-types",
               "--type-id-style", "hash", "--no-parameter-names", "--no-comp-dir-path", "--no-corpus-path",
               "--no-show-locs", "--no-elf-needed", library]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    text = re.sub(r"path='[^']*/(capi/[^'/]+)'", r"path='\1'", text)
    if "<class-decl name='q3g_verdict' size-in-bits=" not in text:
        print("the library has no debugging information")
        raise SystemExit(SKIP)
    return text


def as_old_callers_see_it(text: str) -> str:
    """The interface without what was appended to its structs."""
    def sizes(root: ElementTree.Element) -> dict[str, ElementTree.Element]:
        return {e.get("name"): e for e in root.iter("class-decl") if e.get("size-in-bits")}

    root = ElementTree.fromstring(text)
    published = sizes(ElementTree.parse(PUBLISHED).getroot())
    for name, struct in sizes(root).items():
        if name not in published:
            continue
        end = int(published[name].get("size-in-bits"))
        if int(struct.get("size-in-bits")) <= end:
            continue
        struct.set("size-in-bits", str(end))
        for member in struct.findall("data-member"):
            if int(member.get("layout-offset-in-bits")) >= end:
                print(f"{name}.{member.find('var-decl').get('name')} was appended")
                struct.remove(member)
    return ElementTree.tostring(root, encoding="unicode")


def main() -> int:
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        print("the published interface is that of x86_64 Linux")
        return SKIP
    if not shutil.which("abidw") or not shutil.which("abidiff"):
        print("no abidw and abidiff (libabigail)")
        return SKIP
    library, header, *options = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        built = folder / "built.abi"
        text = dump(library, header, folder)
        if options == ["--write"]:
            PUBLISHED.write_text(text)
            return 0
        built.write_text(as_old_callers_see_it(text))
        command = ["abidiff", "--no-added-syms", "--harmless", str(PUBLISHED), str(built)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        print(result.stdout + result.stderr, end="")
        names = {1: "error", 2: "wrong usage", 4: "change", 8: "incompatible change"}
        bits = [text for bit, text in names.items() if result.returncode & bit]
        print("abidiff:", ", ".join(bits) if bits else "compatible")
        return 1 if result.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
