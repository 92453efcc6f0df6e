# SPDX-License-Identifier: Apache-2.0
"""Reads capi/qwen3guard.h, so that the bindings' declarations can be written and checked by programs.

The header is plain: `#define Q3G_NAME number`, opaque structs, function pointer types, structs of scalars, pointers
and arrays, and functions behind Q3G_API. Anything else is an error here, so that nothing is passed over.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

HEADER = Path(__file__).resolve().parent.parent / "qwen3guard.h"
SCALARS = {"int32_t", "uint32_t", "int64_t", "uint64_t", "float", "double", "size_t", "char", "q3g_status", "void"}


class HeaderError(Exception):
    """The header has something that this reader does not know."""


@dataclass(frozen=True)
class Type:
    """A C type: `name` with `const` and a number of stars. `const char*` is Type("char", True, 1)."""
    name: str
    is_const: bool = False
    n_stars: int = 0


@dataclass(frozen=True)
class Value:
    """A field or parameter. length: elements of an array, 0 for none. doc: the comment behind a field's declaration."""
    name: str
    type: Type
    length: int = 0
    doc: str = ""


@dataclass
class Struct:
    name: str
    fields: list[Value]


@dataclass
class Function:
    """A function, or (for a callback) a function pointer type."""
    name: str
    result: Type
    parameters: list[Value]
    doc: str = ""


@dataclass
class Header:
    constants: dict[str, int] = field(default_factory=dict)
    docs: dict[str, str] = field(default_factory=dict)  # of the constants
    handles: list[str] = field(default_factory=list)  # opaque structs
    callbacks: list[Function] = field(default_factory=list)
    structs: list[Struct] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)

    def struct(self, name: str) -> Struct | None:
        return next((s for s in self.structs if s.name == name), None)


_DECLARATION = re.compile(r"^(?P<const>const\s+)?(?P<name>\w+)\s*(?P<stars>\**)\s*(?P<rest>.*)$", re.S)


def _type(text: str, known: set[str]) -> tuple[Type, str]:
    """The type at the beginning of a declaration, and what follows it."""
    match = _DECLARATION.match(" ".join(text.split()))
    if not match or match["name"] not in known:
        raise HeaderError(f"unknown type in '{text.strip()}'")
    return Type(match["name"], bool(match["const"]), len(match["stars"])), match["rest"]


def _parameters(text: str, known: set[str]) -> list[Value]:
    if text.strip() == "void":
        return []
    out = []
    for part in text.split(","):
        kind, name = _type(part, known)
        if not re.fullmatch(r"\w+", name):
            raise HeaderError(f"unknown parameter '{part.strip()}'")
        out.append(Value(name, kind))
    return out


def _fields(body: str, header: Header, known: set[str], docs: dict[str, str]) -> list[Value]:
    out = []
    for declaration in filter(str.strip, body.split(";")):
        kind, names = _type(declaration, known)
        for name in names.split(","):
            match = re.fullmatch(r"(\w+)(?:\[(\w+)\])?", name.strip())
            if not match:
                raise HeaderError(f"unknown field '{declaration.strip()}'")
            length = match[2] or "0"
            n_elements = header.constants[length] if length in header.constants else int(length)
            out.append(Value(match[1], kind, n_elements, docs.get(match[1], "")))
    return out


def _plain(comment: str) -> str:
    """A comment's text on one line."""
    return " ".join(re.sub(r"\n\s*\* ?", "\n", comment).split())


def read(path: Path = HEADER) -> Header:
    """The header's declarations, in order. Raises HeaderError."""
    text = path.read_text(encoding="utf-8")
    header = Header()
    # A comment right before a declaration is its text.
    docs = {}
    for match in re.finditer(r"/\*\*(.*?)\*/\s*Q3G_API[^;]*?(q3g_\w+)\(", text, re.S):
        body = match[1].rsplit("/**", 1)[-1]
        docs[match[2]] = _plain(body)
    # A constant's comment follows it, or comes right before it.
    constant = r"(?:/\*\*((?:(?!\*/).)*)\*/\n)?#define (Q3G_\w+) (?:\d+|\(-\d+\))[ \t]*(?:/\*\*<((?:(?!\*/).)*)\*/)?"
    for match in re.finditer(constant, text, re.S):
        if body := match[3] or match[1]:
            header.docs[match[2]] = _plain(body)
    field_docs: dict[str, dict[str, str]] = {}  # of a struct: field -> comment
    for match in re.finditer(r"^typedef struct (\w+) \{(.*?)^\}", text, re.M | re.S):
        behind = re.finditer(r"(\w+)(?:\[\w+\])?;[ \t]*/\*\*<((?:(?!\*/).)*)\*/", match[2], re.S)
        field_docs[match[1]] = {item[1]: _plain(item[2]) for item in behind}
    code = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    code = re.sub(r"//[^\n]*", "", code)
    for name, value in re.findall(r"^#define (Q3G_\w+) (\d+|\(-\d+\))[ \t]*$", code, re.M):
        header.constants[name] = int(value.strip("()"))
    code = re.sub(r"^#(?:[^\n]*\\\n)*[^\n]*$", "", code, flags=re.M)
    code = code.replace('extern "C" {', "")

    known = set(SCALARS)
    statement = re.compile(
        r"\s*(?:typedef int32_t q3g_status;"
        r"|typedef struct (?P<handle>\w+) (?P=handle);"
        r"|typedef (?P<cb_result>[\w\s*]+?)\(\*(?P<callback>\w+)\)\((?P<cb_parameters>[^)]*)\);"
        r"|typedef struct (?P<struct>\w+) \{(?P<fields>[^}]*)\} (?P=struct);"
        r"|Q3G_API (?P<result>[\w\s*]+?)(?P<function>q3g_\w+)\((?P<parameters>[^)]*)\)\s*Q3G_NOEXCEPT;"
        r"|\}\s*$)")
    at = 0
    while code[at:].strip():
        match = statement.match(code, at)
        if not match:
            raise HeaderError(f"cannot read: {code[at:].strip()[:120]!r}")
        at = match.end()
        if match["handle"]:
            header.handles.append(match["handle"])
            known.add(match["handle"])
        elif match["callback"]:
            result, _ = _type(match["cb_result"], known)
            header.callbacks.append(Function(match["callback"], result, _parameters(match["cb_parameters"], known)))
            known.add(match["callback"])
        elif match["struct"]:
            header.structs.append(Struct(match["struct"], _fields(match["fields"], header, known,
                                                                 field_docs[match["struct"]])))
            known.add(match["struct"])
        elif match["function"]:
            result, _ = _type(match["result"], known)
            name = match["function"]
            if name not in docs:
                raise HeaderError(f"{name} has no comment")
            header.functions.append(Function(name, result, _parameters(match["parameters"], known), docs[name]))
    return header


_SIZES = {"int32_t": 4, "uint32_t": 4, "int64_t": 8, "uint64_t": 8, "float": 4, "double": 8, "size_t": 8, "char": 1,
          "q3g_status": 4}


def size_bytes(struct: Struct) -> int:
    """sizeof on a 64-bit machine: every field on a multiple of its own size."""
    at, largest = 0, 1
    for item in struct.fields:
        size = _SIZES[item.type.name] if item.type.n_stars == 0 and item.type.name in _SIZES else 8
        at = (at + size - 1) // size * size + size * max(item.length, 1)
        largest = max(largest, size)
    return (at + largest - 1) // largest * largest


if __name__ == "__main__":
    found = read()
    print(f"{len(found.constants)} constants, {len(found.handles)} handles, {len(found.callbacks)} callbacks, "
          f"{len(found.structs)} structs, {len(found.functions)} functions")
