#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the drop-in, the library as a few files for a program's own source folder; docs/drop_in.md describes them.

Usage: amalgamate.py OUTPUT --utf8proc FOLDER --simdjson FOLDER --xxhash FOLDER --isa FAMILY/NAME=FLAG,FLAG...
       amalgamate.py --check

What a file includes by quotes is pasted where the include stands, once for each output. All bodies become one translation
unit, so names of one file alone (in an unnamed namespace, `static`, macros) must differ in all of them: checked first.
"""
import argparse
import collections
import pathlib
import re
import shutil
import struct
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
LAYERS = ["values", "util", "kernels", "tensor", "model", "tokenizer", "guard", "embedded"]
# src/kernels/CMakeLists.txt says why GCC for Windows has no tiles. Clang before 16 has I8MM and BF16 of Arm only by flags.
MACROS = """#if defined(__x86_64__) || defined(_M_X64)
#define Q3G_KERNELS_X86
#if !defined(__MINGW32__) || defined(__clang__)
#define Q3G_KERNELS_AMX
#endif
#elif defined(__aarch64__) || defined(_M_ARM64)
#define Q3G_KERNELS_ARM
#if !defined(__clang__) || __clang_major__ >= 16 || defined(__ARM_FEATURE_BF16)
#define Q3G_KERNELS_I8MM
#endif
#endif
"""
# In one large unit GCC 12 takes the Error of a Result that has none for uninitialised.
QUIET = """#if defined(QWEN3GUARD_IMPLEMENTATION) && !defined(QWEN3GUARD_IMPLEMENTED) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
"""
LOUD = "#if defined(__GNUC__) && !defined(__clang__)\n#pragma GCC diagnostic pop\n#endif\n"
# Around what is not ours.
UNCHECKED = """#if defined(__clang__)
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Weverything"
#elif defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#endif
"""
CHECKED = "#if defined(__clang__)\n#pragma clang diagnostic pop\n#elif defined(__GNUC__)\n#pragma GCC diagnostic pop\n#endif\n"
NEEDS = {"scalar": "1", "amx": "defined(Q3G_KERNELS_AMX)", "neoni8mm": "defined(Q3G_KERNELS_I8MM)"}


def fail(text: str) -> None:
    sys.exit(f"amalgamate.py: {text}")


def read(path: pathlib.Path) -> str:
    if not path.is_file():
        fail(f"{path} is missing; scripts/fetch_sources.sh brings the sources of other projects")
    return path.read_text(encoding="utf-8")


def renamed(text: str) -> str:
    """utf8proc and simdjson under names of their own, so that a program may have theirs too."""
    return re.sub(r"\b(simdjson\b|utf8proc_)", r"q3g_\1", text)


class Paster:
    """One output. `replaced` has what stands in the place of some includes, once."""

    def __init__(self, replaced: dict[str, str] | None = None, seen: set[pathlib.Path] | None = None):
        self.replaced = replaced or {}
        self.seen = seen or set()

    def paste(self, path: pathlib.Path) -> str:
        if path in self.seen:
            return ""
        self.seen.add(path)
        out = [f"// ---- {path.relative_to(ROOT)}\n"]
        depth = 0 if path.suffix in (".cc", ".inl") else -1  # inside of the include guard
        for line in read(path).splitlines(keepends=True):
            depth += len(re.findall(r"^\s*#\s*if", line)) - len(re.findall(r"^\s*#\s*endif", line))
            include = re.match(r'\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', line)
            name = include and (include[1] or include[2])
            if name in self.replaced:
                line, self.replaced[name] = self.replaced[name], ""
            elif include and include[1]:
                found = [f for f in (ROOT / "include" / name, ROOT / "src" / name, path.parent / name) if f.is_file()]
                line = self.paste(found[0]) if found else fail(f"{path}: there is no \"{name}\"")
                if line and depth > 0 and not name.endswith(".inl"):
                    fail(f"{path}: \"{name}\" is included under a condition, and might be missing elsewhere")
            out.append("" if line.startswith("// SPDX-License-Identifier") else renamed(line) if not include else line)
        return "".join(out)


def declared(statement: str) -> list[str]:
    """The names that a declaration at namespace scope brings."""
    while statement.startswith("template"):
        depth, at = 0, statement.index("<")
        for at in range(at, len(statement)):
            depth += {"<": 1, ">": -1}.get(statement[at], 0)
            if depth == 0:
                break
        statement = statement[at + 1:].lstrip()
    statement = re.sub(r"\[\[.*?\]\]|\balignas\([^)]*\)", " ", statement).strip()
    if re.match(r"(using namespace|namespace|static_assert|extern|friend)\b|[^(]*\boperator\b", statement):
        return []
    if kind := re.match(r"(?:class|struct|union|enum(?: class)?) (\w+)[^=(]*$", statement):
        return [kind[1]]
    if kind := re.match(r"using (\w+) =|concept (\w+)|using\b", statement):
        return [name for name in kind.groups() if name]
    if function := re.match(r"[^(=]*?(?<![:\w~])(\w+) *\(", statement):
        return [function[1]]
    before = re.match(r"[^(={]*", statement)[0]
    names = re.findall(r"([A-Za-z_]\w*)(?:\[[^]]*\])* *(?=$|,)", re.sub(r"<[^<>]*>|<[^<>]*<[^<>]*>[^<>]*>", "", before))
    return names + re.findall(r", (k[A-Z]\w*) =", statement[len(before):])


def local_names(path: pathlib.Path) -> set[str]:
    """What must not stand in another file: macros that stay defined, unnamed namespaces' names, static functions."""
    text = re.sub(r'R"(\w*)\(.*?\)\1"', '""', read(path), flags=re.S)
    text = re.sub(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])+'", " ", text, flags=re.S)
    names = set(re.findall(r"^\s*#\s*define (\w+)", text, flags=re.M))
    names -= set(re.findall(r"^\s*#\s*ifndef (\w+)\n\s*#\s*define \1\n", text, flags=re.M))
    names -= set(re.findall(r"^\s*#\s*undef (\w+)", text, flags=re.M))
    text = re.sub(r"^\s*#(?:[^\n]*\\\n)*[^\n]*$", "", text, flags=re.M)
    scopes: list[str] = []
    start = 0
    for mark in re.finditer(r"[{};]", text):
        statement = " ".join(text[start:mark.start()].split())
        start = mark.end()
        space = re.match(r"(?:inline )?namespace( [\w:]+)?$", statement)
        if statement and not space and "body" not in scopes:
            if "unnamed" in scopes or statement.startswith("static "):
                names.update(declared(statement))
        if mark[0] == "{":
            scopes.append("body" if not space or "body" in scopes else "named" if space[1] else "unnamed")
        elif mark[0] == "}":
            scopes.pop()
    return names


def check_unique(sources: list[pathlib.Path]) -> None:
    owners = collections.defaultdict(list)
    for path in sources:
        for name in local_names(path):
            owners[name].append(str(path.relative_to(ROOT)))
    # A file for Windows and one for other systems never meet.
    bad = [f"{name} stands in {' and '.join(paths)}" for name, paths in sorted(owners.items())
           if len(paths) > 1 and [path[-7:] for path in sorted(paths)] != ["osix.cc", "_win.cc"]]
    if bad:
        fail("names of one file alone must differ in all files:\n  " + "\n  ".join(bad))


def third_party(args: argparse.Namespace) -> dict[str, str]:
    """What stands in the place of the includes of others' headers: the whole library and its licence."""
    def part(name: str, licence: str, text: str) -> str:
        text = re.sub(r'^\s*#\s*include\s+"[^\n]*$', "", text, flags=re.M)
        licence = "".join(f"// {line}".rstrip() + "\n" for line in licence.splitlines())
        return (f"// ==== {name}, which is not part of qwen3guard, and its licence\n{licence}{UNCHECKED}"
                f"{renamed(text)}\n{CHECKED}// ==== end of {name}\n")

    utf8proc = read(args.utf8proc / "utf8proc.c").replace('#include "utf8proc_data.c"', read(args.utf8proc / "utf8proc_data.c"))
    utf8proc = "#define UTF8PROC_STATIC\n" + read(args.utf8proc / "utf8proc.h") + utf8proc
    # It is C: values of this enumeration are or-ed.
    utf8proc = re.sub(r"typedef (enum \{[^}]*\}) utf8proc_option_t;", r"\1;\ntypedef int utf8proc_option_t;", utf8proc)
    simdjson = "".join(read(args.simdjson / "singleheader" / name) for name in ("simdjson.h", "simdjson.cpp"))
    xxhash = read(args.xxhash / "xxhash.h")
    return {"utf8proc.h": part("utf8proc", read(args.utf8proc / "LICENSE.md"), utf8proc),
            "simdjson.h": part("simdjson", read(args.simdjson / "LICENSE"), simdjson),
            "xxhash.h": part("xxHash", "At the beginning of its text.", xxhash)}


def embedded_list() -> str:
    function = "EmbeddedFile embedded_file(std::size_t"
    return (f"namespace qwen3guard::detail {{\n#if defined(QWEN3GUARD_NANO)  // qwen3guard_nano.cpp is there for sure\n{function}) noexcept;\n"
            f"#elif defined(__GNUC__) && !defined(_WIN32)  // that of qwen3guard_nano.cpp is taken where it is linked\n"
            f"__attribute__((weak)) {function}) noexcept;\n{function}) noexcept {{ return {{}}; }}\n"
            f"#else\nstatic {function}) noexcept {{ return {{}}; }}\n#endif\n}}\n")


def library_sources() -> list[pathlib.Path]:
    sources = [path for layer in LAYERS for path in sorted((ROOT / "src" / layer).rglob("*.cc"))
               if not path.name.startswith(("table_", "gemm_eigen"))] + sorted((ROOT / "capi").glob("*.cc"))
    return sorted(sources, key=lambda path: path.name.endswith("_win.cc"))  # windows.h comes last: it defines too much


def library(args: argparse.Namespace) -> str:
    public = Paster()
    out = [QUIET + "#ifndef QWEN3GUARD_DROP_IN_HPP\n#define QWEN3GUARD_DROP_IN_HPP\n"]
    out += [public.paste(path) for path in sorted((ROOT / "include" / "qwen3guard").glob("*.hpp"))]
    out += ["#endif  // QWEN3GUARD_DROP_IN_HPP\n#if defined(QWEN3GUARD_IMPLEMENTATION) && !defined(QWEN3GUARD_IMPLEMENTED)\n"
            "#define QWEN3GUARD_IMPLEMENTED\n#if !defined(Q3G_STATIC)\n#define Q3G_STATIC\n#endif\n", MACROS]
    body = Paster({**third_party(args), "embedded_files.inc": embedded_list()}, public.seen)
    for path in library_sources():
        text = body.paste(path)
        for end, condition in {"_win.cc": "defined(_WIN32)", "_posix.cc": "!defined(_WIN32)"}.items():
            text = f"#if {condition}\n{text}#endif\n" if path.name.endswith(end) else text
        out.append(text)
    return "".join(out) + LOUD + "#endif  // QWEN3GUARD_IMPLEMENTATION\n"


def kernels(family: str, isa: str, flags: list[str]) -> str:
    """One instruction set's file. By GCC, the target is set before anything is included: headers are as with the flags.
    Clang's headers have targets of their own and come before it; only arm_neon.h had none before Clang 16."""
    targets = [flag.replace("march", "arch")[1:] if "arch" in flag else flag[2:] for flag in flags if flag.startswith("-m")]
    levels = [flag[1:] if flag.startswith("-O") else flag[2:] for flag in flags if flag[:2] in ("-O", "-f")]
    def system(text: str) -> str:
        return "".join(f"#include <{name}>\n" for name in sorted(set(re.findall("^#include <([^>E]+)>", text, re.M))))

    text = Paster().paste(ROOT / "src/kernels" / family / f"table_{isa}.cc")
    clang = system(text)
    if re.search(rf"\bgemm_nt_{isa}\(", read(ROOT / "src/kernels/tables.hpp")):
        defines = {"Q3G_ISA": isa, "Eigen": f"Eigen_{isa}", "EIGEN_DONT_PARALLELIZE": "", "EIGEN_NO_DEBUG": "",
                   "EIGEN_STACK_ALLOCATION_LIMIT": "8192"}
        gemm = Paster().paste(ROOT / "src/tensor/gemm_eigen.cc")
        # Eigen declares functions of the standard library again, too late for a target.
        clang += f"#if defined(Q3G_WITH_EIGEN)\n#pragma clang diagnostic ignored \"-Wignored-attributes\"\n{system(gemm)}#endif\n"
        text = ("#if defined(Q3G_WITH_EIGEN)\n" + "".join(f"#define {k} {v}".rstrip() + "\n" for k, v in defines.items())
                + f"{gemm}#endif\n{text}")
    gcc = "".join(f"#pragma GCC diagnostic ignored \"-W{flag[5:]}\"\n" for flag in flags if flag.startswith("-Wno-"))
    gcc += "#pragma GCC optimize(" + ", ".join(f'"{level}"' for level in levels) + ")\n"
    if "fp-contract=off" in levels:
        clang += "#pragma clang fp contract(off)\n"
    if targets:
        names = ",".join(re.findall(r"\+(\w+)", targets[0]) or targets)
        push = f"#pragma clang attribute push(__attribute__((target(\"{names}\"))), apply_to = function)\n"
        old = f"#if __clang_major__ < 16\n#undef __ARM_FEATURE_DOTPROD\n#define __ARM_FEATURE_DOTPROD 1\n{push}{clang}#else\n"
        clang = f"{old}{clang}{push}#endif\n" if family == "arm" else clang + push
        gcc += f"#pragma GCC target(\"{','.join(targets)}\")\n"
        text += "#if defined(__clang__)\n#pragma clang attribute pop\n#endif\n"
    needs = NEEDS.get(isa, f"defined(Q3G_KERNELS_{family.upper()})")
    return f"{MACROS}#if {needs}\n#if defined(__clang__)\n{clang}#elif defined(__GNUC__)\n{gcc}#endif\n{text}#endif\n"


def embedded_models() -> str:
    """The file of the embedded models: what src/embedded/models.txt names, each file once."""
    folder = ROOT / "src/embedded"
    lines = [line.split() for line in read(folder / "models.txt").splitlines() if line and not line.startswith("#")]
    numbers, arrays, cases = {}, "", ""
    for model, *files in lines:
        for file in files:
            data = (folder / file).read_bytes()
            if file not in numbers:
                numbers[file] = len(numbers)
                padded = data + bytes(-len(data) % 8)
                words = [f"{word:#x}" for word in struct.unpack(f"<{len(padded) // 8}Q", padded)]
                rows = "".join(",".join(words[at:at + 12]) + ",\n" for at in range(0, len(words), 12))
                # Integers: texts end at 64 KiB in some compilers.
                arrays += f"alignas(64) constexpr std::uint64_t kFile{numbers[file]}[] = {{\n{rows}}};\n"
            cases += (f'      {{"{model.removesuffix(":")}", "{pathlib.PurePath(file).name}", '
                      f"std::as_bytes(std::span(kFile{numbers[file]})).first({len(data)})}},\n")
    function = "EmbeddedFile embedded_file(std::size_t index) noexcept"
    return (Paster().paste(folder / "embedded_file.hpp") + "#include <cstdint>\nnamespace qwen3guard::detail {\nnamespace {\n" + arrays
            + f"}}\n{function};\n{function} {{\n  const EmbeddedFile files[] = {{\n{cases}      {{}},\n  }};\n"
              "  constexpr std::size_t kLast = sizeof files / sizeof files[0] - 1;\n"
              "  return files[index < kLast ? index : kLast];\n}\n}\n")


def main() -> None:
    check_unique(library_sources())
    if sys.argv[1:] == ["--check"]:
        return
    parser = argparse.ArgumentParser()
    parser.add_argument("output", type=pathlib.Path)
    for name in ("utf8proc", "simdjson", "xxhash"):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
    parser.add_argument("--isa", action="append", default=[])
    args = parser.parse_args()
    version = ".".join(re.findall(r"#define QWEN3GUARD_VERSION_\w+ (\d+)", read(ROOT / "include/qwen3guard/version.hpp")))
    outputs = {"qwen3guard.hpp": library(args)}
    outputs["qwen3guard.h"] = ("#if !defined(Q3G_STATIC)\n#define Q3G_STATIC\n#endif\n" + read(ROOT / "capi/qwen3guard.h"))
    for entry in args.isa:
        isa, flags = entry.split("=", 1)
        family, name = isa.split("/")
        outputs[f"qwen3guard_{name}.cpp"] = kernels(family, name, flags.split(","))
    outputs["qwen3guard_nano.cpp"] = embedded_models()
    args.output.mkdir(parents=True, exist_ok=True)
    for name, text in outputs.items():
        head = (f"/* {name} of qwen3guard {version}: generated by scripts/amalgamate.py. SPDX-License-Identifier: Apache-2.0\n"
                " * docs/drop_in.md of the project says what it is and how to use it. */\n")
        (args.output / name).write_text(head + text, encoding="utf-8")
    for name in ("LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, args.output)


if __name__ == "__main__":
    main()
