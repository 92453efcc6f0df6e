# SPDX-License-Identifier: Apache-2.0
"""Rules about what may include what. docs/architecture.md has the layers and their reasons."""

import posixpath
import re
from fnmatch import fnmatch

from source_tree import Finding, SourceTree, includes, literals

# A file includes its own layer and those before it.
LAYERS = ["base", "util", "kernels", "tensor", "model", "tokenizer", "guard", "bench", "evaluation", "wire", "server", "cli"]
# Folders that belong to a layer of another name. `values` holds the bodies of the base headers.
FOLDERS = {"values": "base", "embedded": "guard"}
# The floors of src/guard: a room includes itself and rooms on lower floors.
GUARD_FLOORS = [["lists"], ["policy", "conversation"], ["heads", "loaded"], ["gen"], ["session"], ["calls", "batch"], ["hold_back"]]
# Layers above the library, which see its public headers only.
PROGRAM_LAYERS = ("wire", "server", "cli")
# What they may include besides those: of the layers between them and the library.
PROGRAM_HEADERS = ("src/bench/measure.hpp", "src/evaluation/*.hpp", "src/wire/*.hpp", "src/server/server.hpp", "src/server/options.hpp", "src/server/digest.hpp",
                   "src/server/http/stand_alone.hpp")
# What src/model/checkpoint may include of the rest of its layer: formats know what a model is, and nothing of what it computes.
CHECKPOINT_HEADERS = {"src/model/config.hpp", "src/model/labels.hpp", "src/model/packed_info.hpp"}
# Names of published files, and who knows them: the formats, and the tokenizer with its own. The program names them to people.
PUBLISHED_NAME = re.compile(r"config\.json|model\.safetensors|chat_template\.j|tokenizer(_config)?\.json|vocab\.json|merges\.txt")
PUBLISHED_NAME_FOLDERS = ("src/model/checkpoint/", "src/tokenizer/", "src/cli/")
# Public headers that are plain values: any layer may use them. Every other public header belongs to guard.
BASE_HEADERS = {"cancel.hpp", "status.hpp", "verdict.hpp", "policy_spec.hpp", "policy.hpp", "conversation.hpp", "options.hpp", "packed_weights.hpp", "quote.hpp", "tokenizer.hpp", "version.hpp"}

# Header (fnmatch) -> where it may be included within the library and the program, and in how many files in all.
OUTSIDE = [
    ("Eigen/*", ("src/tensor/gemm_eigen*",), 2),
    ("re2/*", ("src/tokenizer/*", "src/guard/lists/*"), 2),
    ("utf8proc.h", ("src/tokenizer/*", "src/guard/lists/*"), 2),
    ("xxhash.h", ("src/util/checksum.cc",), 1),
    ("simdjson.h", ("src/*",), None),
    ("CLI/*", ("src/cli/*",), None),
    ("boost/*", ("src/server/http/*",), None),
    ("openssl/*", ("src/server/http/*", "src/server/digest.cc"), None),
    ("prometheus/*", ("src/server/operations/metrics.cc",), 1),
    ("*intrin.h", ("src/kernels/*",), None),
    ("arm_*.h", ("src/kernels/*",), None),
    ("catch2/*", ("tests/*",), None),
    ("benchmark/*", ("benchmarks/*",), None),
]


def layer_of(path: str) -> str | None:
    """The layer of a file below include/ or src/; None for any other."""
    parts = path.split("/")
    if parts[:2] == ["include", "qwen3guard"] and len(parts) == 3:
        folder = "base" if parts[2] in BASE_HEADERS else "guard"
    elif parts[0] == "src" and len(parts) > 2:
        folder = parts[1]
    else:
        return None
    return FOLDERS.get(folder, folder)


def guard_floor(path: str) -> tuple[int, str] | None:
    """Floor and room of a file below src/guard; None for any other."""
    if not path.startswith("src/guard/"):
        return None
    room = posixpath.dirname(path.removeprefix("src/guard/"))
    floor = next((i for i, rooms in enumerate(GUARD_FLOORS) if room in rooms), -1)
    return floor, room


def guard_rooms(tree: SourceTree) -> list[Finding]:
    """Within src/guard, includes point to the same room or to a lower floor."""
    findings = []
    for path in tree.cpp():
        if (here := guard_floor(path)) is None:
            continue
        if here[0] < 0:
            findings.append(Finding(path, 1, f"src/guard has no room '{here[1]}'"))
            continue
        for include in includes(tree.text(path)):
            target = resolve(tree, path, include.name)
            there = guard_floor(target) if target else None
            if there is not None and there[1] != here[1] and there[0] >= here[0]:
                findings.append(Finding(path, include.line, f"{here[1]} must not include {include.name}"))
    return findings


def resolve(tree: SourceTree, path: str, name: str) -> str | None:
    """The project's file that `#include "name"` in `path` means; None when it is not one (or is generated)."""
    for folder in (posixpath.dirname(path), "include", "src"):
        candidate = posixpath.normpath(posixpath.join(folder, name))
        if tree.exists(candidate):
            return candidate
    return None


def is_public(path: str) -> bool:
    return path.startswith("include/qwen3guard/") and path.count("/") == 2


def include_direction(tree: SourceTree) -> list[Finding]:
    """Includes point to the same layer or a lower one; the program uses public headers and those of PROGRAM_HEADERS only."""
    findings = []
    for path in tree.cpp():
        layer = layer_of(path)
        if layer is None:
            continue
        if layer not in LAYERS:
            findings.append(Finding(path, 1, f"folder of an unknown layer '{layer}'"))
            continue
        for include in includes(tree.text(path)):
            target = resolve(tree, path, include.name)
            target_layer = layer_of(target) if target else None
            if target_layer is None:
                continue
            if target_layer in LAYERS and LAYERS.index(target_layer) > LAYERS.index(layer):
                findings.append(
                    Finding(path, include.line, f"{layer} must not include {include.name} of {target_layer}"))
            elif layer in PROGRAM_LAYERS and target_layer != layer and not is_public(target) and not any(fnmatch(target, one) for one in PROGRAM_HEADERS):
                findings.append(
                    Finding(path, include.line, f"the program uses public headers only, not {include.name}"))
    return findings


def checkpoint_seam(tree: SourceTree) -> list[Finding]:
    """What is in a checkpoint's files is known to src/model/checkpoint alone: the names of published files stand in no other code, and it looks at no weights."""
    findings = []
    for path in tree.library():
        if not path.startswith(PUBLISHED_NAME_FOLDERS):
            for line, text in literals(tree.text(path)):
                if PUBLISHED_NAME.search(text):
                    findings.append(Finding(path, line, f"{text} belongs in src/model/checkpoint"))
        if not path.startswith("src/model/checkpoint/"):
            continue
        for include in includes(tree.text(path)):
            target = resolve(tree, path, include.name) or ""
            if layer_of(target) == "model" and not target.startswith("src/model/checkpoint/") and target not in CHECKPOINT_HEADERS:
                findings.append(Finding(path, include.line, f"a format must not include {include.name}"))
    return findings


def public_headers(tree: SourceTree) -> list[Finding]:
    """include/ holds public headers and nothing else; they include the standard library and each other only."""
    findings = []
    for path in tree.cpp():
        if path.startswith("include/") and not is_public(path):
            findings.append(Finding(path, 1, "a private header stands beside its bodies, below src/"))
        if not is_public(path):
            continue
        for include in includes(tree.text(path)):
            public = include.name.startswith("qwen3guard/") and include.name.count("/") == 1
            standard = include.angled and "/" not in include.name and "." not in include.name
            if not (public or standard):
                findings.append(Finding(path, include.line, f"a public header must not include {include.name}"))
    return findings


def outside_libraries(tree: SourceTree) -> list[Finding]:
    """Each outside library is known to the few files that wrap it."""
    findings = []
    users: dict[str, dict[str, int]] = {header: {} for header, _, _ in OUTSIDE}
    for path in tree.cpp():
        if not path.startswith(("include/", "src/", "capi/")):
            continue
        for include in includes(tree.text(path)):
            for header, allowed, _ in OUTSIDE:
                if not fnmatch(include.name, header):
                    continue
                users[header].setdefault(path, include.line)
                if not any(fnmatch(path, one) for one in allowed):
                    findings.append(Finding(path, include.line, f"{include.name} belongs in {' or '.join(allowed)}"))
    for header, _, most in OUTSIDE:
        if most is not None and len(users[header]) > most:
            names = ", ".join(users[header])
            findings.append(
                Finding(next(iter(users[header])), 1, f"{header} is included by {names}; {most} file(s) may"))
    return findings
