# SPDX-License-Identifier: Apache-2.0
"""Plain results of the bindings, made from the header's structs: one field for each of C's, with its comment.

What a field is in a binding follows from C: a number; an enum when its comment begins with the prefix of the constants
("Q3G_MODEL_"); a bool when it begins with "1: "; text when it is an array of char, and a list of texts when the comment says
"separated by spaces". Go and C# drop the "n_" of counts; Go's milliseconds are durations."""

import re
from dataclasses import dataclass, field

import header
from enum_lists import ENUMS, GENERATED, GO_INITIALISMS, SPDX, pascal, text, wrapped

TEXTS = "separated by spaces"


@dataclass(frozen=True)
class Value:
    """what: goes on after "ModelInfo is". names: C's name of a field -> its name in Go and C#, where the rule is not good."""
    struct: str
    name: str
    what: str
    names: dict[str, str] = field(default_factory=dict)


VALUES = (
    Value("q3g_model_info", "ModelInfo", "what a loaded model is"),
    Value("q3g_stream_info", "StreamInfo", "where a stream is", {"n_verdicts": "VerdictsEnd"}),
    Value("q3g_batch_stats", "BatchStats", "what a batch counts"),
    Value("q3g_hold_back_stats", "HoldBackStats", "what an answer that is held back counts"),
    Value("q3g_quantize_report", "QuantizeReport", "what packing did"),
)


@dataclass(frozen=True)
class Field:
    """kind: "enum", "bool", "text", "texts", or C's type of a number. enum: the prefix of its constants."""
    name: str
    kind: str
    doc: str
    enum: str = ""


def fields(found: header.Header, value: Value) -> list[Field]:
    out = []
    for item in found.struct(value.struct).fields:
        if item.name in ("struct_size", "reserved"):
            continue
        if not item.doc:
            raise header.HeaderError(f"{value.struct}.{item.name} has no comment")
        prefix = re.match(r"(Q3G_[A-Z0-9_]+_)(?:; |$)", item.doc)
        if item.type.name == "char":
            kind = "texts" if TEXTS in item.doc else "text"
            out.append(Field(item.name, kind, item.doc.replace(f", {TEXTS}", "")))
        elif prefix:
            what = next(e.what for e in ENUMS if e.prefix == prefix[1])
            out.append(Field(item.name, "enum", item.doc[prefix.end():] or what, prefix[1]))
        elif item.doc.startswith("1: "):
            out.append(Field(item.name, "bool", item.doc.removeprefix("1: ")))
        else:
            out.append(Field(item.name, item.type.name, item.doc))
    return out


def _enum(language: str, item: Field) -> str:
    return next(e.names[language] for e in ENUMS if e.prefix == item.enum)


def _enums(found: header.Header, language: str) -> list[str]:
    """Those that fields have."""
    return sorted({_enum(language, item) for value in VALUES for item in fields(found, value) if item.enum})


def _counted(value: Value, item: Field, language: str) -> str:
    """The field's name in Go and C#."""
    name = pascal(item.name.removeprefix("n_").upper())
    if language == "go":
        for wrong, right in {**GO_INITIALISMS, "Kv": "KV"}.items():
            name = re.sub(rf"{wrong}(?![a-z])", right, name)
        name = name.removesuffix("Ms")
    return value.names.get(item.name, name)


def rust(found: header.Header) -> str:
    numbers = {"int32_t": "i32", "int64_t": "i64", "uint64_t": "u64", "size_t": "usize", "double": "f64"}
    lines = [f"// {SPDX}", f"// {GENERATED}", "use qwen3guard_sys as sys;", "",
             f"use crate::{{c::text_of_chars, {', '.join(_enums(found, 'rust'))}}};"]
    for value in VALUES:
        all_fields = fields(found, value)
        copy = "" if any(f.kind in ("text", "texts") for f in all_fields) else "Copy, "
        eq = "" if any(f.kind == "double" for f in all_fields) else ", Eq"
        lines += ["", *wrapped("/// ", text("rust", value.what)), "#[non_exhaustive]",
                  f"#[derive(Clone, {copy}Debug, PartialEq{eq})]", f"pub struct {value.name} {{"]
        made = []
        for item in all_fields:
            raw = f"raw.{item.name}"
            kind, made_of = {
                "enum": lambda: (_enum("rust", item), f"{_enum('rust', item)}::of({raw})"),
                "bool": lambda: ("bool", f"{raw} != 0"),
                "text": lambda: ("String", f"text_of_chars(&{raw})"),
                "texts": lambda: ("Vec<String>", f"text_of_chars(&{raw}).split_whitespace().map(str::to_owned).collect()"),
            }.get(item.kind, lambda: (numbers[item.kind], raw))()
            lines += [*wrapped("    /// ", text("rust", item.doc)), f"    pub {item.name}: {kind},"]
            made.append(f"            {item.name}: {made_of},")
        lines += ["}", "", f"impl {value.name} {{", f"    pub(crate) fn of(raw: &sys::{value.struct}) -> Self {{", "        Self {",
                  *made, "        }", "    }", "}"]
    return "\n".join(lines) + "\n"


def go(found: header.Header) -> str:
    numbers = {"int32_t": "int", "int64_t": "int64", "uint64_t": "uint64", "size_t": "int", "double": "float64"}
    lines = [f"// {SPDX}", f"// Code {GENERATED[0].lower()}{GENERATED[1:].replace('do not edit', 'DO NOT EDIT')}", "",
             "package qwen3guard", "", "/*", "#include <qwen3guard.h>", "*/", 'import "C"', "", "import (", '\t"strings"',
             '\t"time"', ")"]
    for value in VALUES:
        made = []
        lines += ["", *wrapped("// ", f"{value.name} is {text('go', value.what)[0].lower()}{text('go', value.what)[1:]}"),
                  f"type {value.name} struct {{"]
        for item in fields(found, value):
            raw, name = f"raw.{item.name}", _counted(value, item, "go")
            if item.kind == "double" and item.name.endswith("_ms"):
                kind, made_of = "time.Duration", f"time.Duration(float64({raw}) * float64(time.Millisecond))"
            elif item.kind == "enum":
                kind, made_of = _enum("go", item), f"{_enum('go', item)}({raw})"
            elif item.kind == "bool":
                kind, made_of = "bool", f"{raw} != 0"
            elif item.kind in ("text", "texts"):
                kind, made_of = "string", f"C.GoString(&{raw}[0])"
                if item.kind == "texts":
                    kind, made_of = "[]string", f"strings.Fields({made_of})"
            else:
                kind = "int64" if item.name.endswith("_bytes") and item.kind == "size_t" else numbers[item.kind]
                made_of = f"{kind}({raw})"
            doc = text("go", item.doc).replace("Milliseconds since", "Since")
            lines += [*wrapped("\t// ", doc), f"\t{name} {kind}"]
            made.append(f"\tout.{name} = {made_of}")
        function = f"{value.name[0].lower()}{value.name[1:]}Of"
        lines += ["}", "", f"func {function}(raw *C.{value.struct}) (out {value.name}) {{", *made, "\treturn out", "}"]
    return "\n".join(lines) + "\n"


def csharp(found: header.Header) -> str:
    numbers = {"int32_t": "int", "int64_t": "long", "uint64_t": "ulong", "double": "double"}
    lines = [f"// {SPDX}", f"// <auto-generated/> {GENERATED}", "using Qwen3Guard.Native;", "", "namespace Qwen3Guard", "{"]
    for value in VALUES:
        made = []
        lines += [f"    /// <summary>{text('csharp', value.what)}</summary>", f"    public sealed class {value.name}", "    {"]
        for item in fields(found, value):
            raw, name = f"raw->{item.name}", _counted(value, item, "csharp")
            if item.kind == "enum":
                kind, made_of = _enum("csharp", item), f"({_enum('csharp', item)}){raw}"
            elif item.kind == "bool":
                kind, made_of = "bool", f"{raw} != 0"
            elif item.kind in ("text", "texts"):
                kind, made_of = "string", f"Call.Text({raw})"
                if item.kind == "texts":
                    kind, made_of = "string[]", f"{made_of}.Split(' ')"
            elif item.kind == "size_t":
                is_memory = item.name.endswith("_bytes")
                kind = "long" if is_memory else "int"
                made_of = f"checked((long){raw}.ToUInt64())" if is_memory else f"Call.Int({raw})"
            else:
                kind, made_of = numbers[item.kind], raw
            doc = text("csharp", item.doc).replace("&", "&amp;").replace("<", "&lt;")
            lines += [*wrapped("        /// ", f"<summary>{doc}</summary>"), f"        public {kind} {name} {{ get; private set; }}"]
            made.append(f"            {name} = {made_of},")
        lines += [f"        internal static unsafe {value.name} Of({value.struct}* raw) => new {value.name}", "        {", *made,
                  "        };", "    }", ""]
    return "\n".join(lines[:-1]) + "\n}\n"


def python(found: header.Header) -> str:
    numbers = {"double": "float"}
    lines = [f"# {SPDX}", f"# {GENERATED}", '"""Plain results."""', "", "from typing import Any, NamedTuple, Tuple", "",
             f"from ._enums import {', '.join(_enums(found, 'python'))}"]
    for value in VALUES:
        made = []
        lines += ["", "", f"class {value.name}(NamedTuple):", f'    """{text("python", value.what)}"""']
        for item in fields(found, value):
            raw = f"raw.{item.name}"
            kind, made_of = {
                "enum": lambda: (_enum("python", item), f"{_enum('python', item)}({raw})"),
                "bool": lambda: ("bool", f"{raw} != 0"),
                "text": lambda: ("str", f"{raw}.decode()"),
                "texts": lambda: ("Tuple[str, ...]", f"tuple({raw}.decode().split())"),
            }.get(item.kind, lambda: (numbers.get(item.kind, "int"), raw))()
            lines += [*wrapped("    #: ", text("python", item.doc)), f"    {item.name}: {kind}"]
            made.append(made_of)
        lines += ["", "    @classmethod", f'    def _of(cls, raw: Any) -> "{value.name}":', "        return cls(",
                  *wrapped("            ", ", ".join(made) + ")")]
    return "\n".join(lines) + "\n"
