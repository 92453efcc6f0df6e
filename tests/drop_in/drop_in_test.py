# SPDX-License-Identifier: Apache-2.0
"""The drop-in as a program's author uses it: his compiler's one line, and what came of it.

Usage: drop_in_test.py CHECK SCRATCH --drop-in FOLDER --cxx COMPILER --cc COMPILER [--nm NM] [--objdump OBJDUMP]
                       [--objects OBJECT:OBJECT...] [--isa=FAMILY/NAME=FLAGS...]
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples/drop_in"
STRICT = ["-Wall", "-Wextra", "-Werror"]
SAID = "shown: Nice shot! Want to trade your shield?\nheld: I know where you live and I will kill you.\n"


def run(*command, expected=0, **environment) -> str:
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, env=os.environ | environment)
    if result.returncode != expected:
        sys.exit(f"{' '.join(map(str, command))}\nended with {result.returncode}:\n{result.stdout}{result.stderr}")
    return result.stdout + result.stderr


def expect(what: str, found: str, expected: str) -> None:
    if found != expected:
        sys.exit(f"{what}: found\n{found}\nexpected\n{expected}")


def sources(args) -> list[pathlib.Path]:
    """The example's two files and the drop-in's, in one folder."""
    folder = args.scratch
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(args.drop_in, folder)
    for source in EXAMPLE.glob("*.cpp"):
        shutil.copy(source, folder)
    return sorted(folder.glob("*.cpp"))


def check_game(args) -> None:
    """The example with the drop-in as the unit tests have it; the one line of README.md that compiles all is run with README.md."""
    args.scratch.mkdir(parents=True, exist_ok=True)
    game = args.scratch / "game"
    run(args.cxx, "-std=c++20", "-O2", *STRICT, "-I", args.drop_in, "-c", EXAMPLE / "game.cpp", "-o", args.scratch / "game.o")
    run(args.cxx, "-pthread", args.scratch / "game.o", *args.objects, "-o", game)
    expect("embedded", run(game), SAID)
    expect("scalar", run(game, QWEN3GUARD_ISA="scalar"), SAID)
    expect("packed", run(game, args.packed), SAID)


def check_no_exceptions(args) -> None:
    """Without optimisation, too: nothing of a kernel's file may then stay an inline function that the linker shares.
    Errors of both interfaces arrive as in a build with exceptions."""
    game, pack = args.scratch / "game", args.scratch / "pack"
    objects = []
    for source in sources(args):
        objects.append(source.with_suffix(".o"))
        run(args.cxx, "-std=c++20", "-O0", "-fno-exceptions", "-fno-rtti", *STRICT, "-c", source, "-o", objects[-1])
    run(args.cxx, "-pthread", *objects, "-o", game)
    c_object = args.scratch / "pack.o"
    run(args.cc, "-std=c11", *STRICT, "-I", args.drop_in, "-c", ROOT / "tests/drop_in/pack.c", "-o", c_object)
    run(args.cxx, "-pthread", c_object, *(path for path in objects if path.name != "game.o"), "-o", pack)
    expect("embedded", run(game), SAID)
    expect("no folder to write to", run(pack, args.scratch / "none/nano.q3g", expected=1).partition("none/")[0],
           f"held\nq3g_quantize_embedded: {args.scratch}/")
    expect("not there", run(game, "missing.q3g", expected=2)[:36], "missing.q3g: no such file or folder;")


def check_c_program(args) -> None:
    """In C; it also writes the packed model that the game gets."""
    args.scratch.mkdir(parents=True, exist_ok=True)
    run(args.cc, "-std=c11", "-O1", *STRICT, "-pedantic", "-I", args.drop_in, "-c", ROOT / "tests/drop_in/pack.c", "-o", args.scratch / "pack.o")
    run(args.cxx, "-pthread", args.scratch / "pack.o", *args.objects, "-o", args.scratch / "pack")
    args.packed.unlink(missing_ok=True)
    expect("pack", run(args.scratch / "pack", args.packed), "held\n")


def check_missing_models(args) -> None:
    """The models' file may be left out; a model that is asked for then is an error."""
    args.scratch.mkdir(parents=True, exist_ok=True)
    run(args.cxx, "-std=c++20", "-O1", "-I", args.drop_in, "-c", EXAMPLE / "game.cpp", "-o", args.scratch / "game.o")
    objects = [path for path in args.objects if "nano" not in path.name]
    run(args.cxx, "-pthread", args.scratch / "game.o", *objects, "-o", args.scratch / "game")
    expect("no model", run(args.scratch / "game", expected=2), "no embedded model \"nano-gen\"; there is none in this build\n")


def check_symbols(args) -> None:
    """What the implementation defines and a program's own could clash with has our names."""
    for path in args.objects:
        for line in run(args.nm, "--defined-only", "--extern-only", "--demangle", path).splitlines():
            kind, name = line.split(" ", 2)[1:]
            ours = re.match(r"q3g_|(?:typeinfo |vtable |typeinfo name |guard variable )?(?:for )?(?:qwen3guard|q3g_simdjson)::", name)
            if kind in "TDBRC" and not ours:
                sys.exit(f"{path.name} defines {name}")


def disassembly(args, path: pathlib.Path) -> str:
    text = run(args.objdump, "-d", "--no-show-raw-insn", "--no-addresses", path)
    return re.sub(r"<[^>]*>|# .*|^.*file format.*$|^/[^\n]*:$", "", text, flags=re.M)


def check_kernels(args) -> None:
    """Each instruction set's file has the code of its table in the library, by GCC, and shares nothing with others."""
    args.scratch.mkdir(parents=True, exist_ok=True)
    launcher = [args.launcher] if args.launcher else []
    weak = []
    is_gcc = "clang" not in run(args.cxx, "--version").lower()
    for entry in args.isa:
        isa, flags = entry.split("=", 1)
        family, name = isa.split("/")
        for level in ("-O0", "-O2"):
            run(*launcher, args.cxx, "-std=c++20", level, *STRICT, "-c", args.drop_in / f"qwen3guard_{name}.cpp", "-o", args.scratch / f"{name}{level}.o")
            weak.append(f"{name if name == 'scalar' else name + level}={args.scratch / (name + level)}.o")
        if is_gcc:
            macro = [] if family == "scalar" else [f"-DQ3G_KERNELS_{family.upper()}"]
            run(*launcher, args.cxx, "-std=c++20", "-O3", *flags.split(","), *macro, "-I", ROOT / "include", "-I", ROOT / "src", "-c",
                ROOT / "src/kernels" / family / f"table_{name}.cc", "-o", args.scratch / f"table_{name}.o")
            same = disassembly(args, args.scratch / f"table_{name}.o") == disassembly(args, args.scratch / f"{name}-O2.o")
            print(f"{name}: {'the same code' if same else 'other code'}")
            if not same:
                sys.exit(f"{name}: the drop-in's kernels differ from the library's")
    print(run(sys.executable, "-B", ROOT / "tests/unit/kernels/weak_symbols_test.py", args.nm, *weak))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("check", choices=[name[6:] for name in globals() if name.startswith("check_")])
    parser.add_argument("scratch", type=pathlib.Path)
    parser.add_argument("--drop-in", type=pathlib.Path, required=True)
    parser.add_argument("--packed", type=pathlib.Path)
    for name in ("cxx", "cc", "nm", "objdump", "launcher"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--objects", type=lambda text: [pathlib.Path(path) for path in text.split(":")])
    parser.add_argument("--isa", action="append", default=[])
    args = parser.parse_args()
    globals()[f"check_{args.check}"](args)


if __name__ == "__main__":
    main()
