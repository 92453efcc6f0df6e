# SPDX-License-Identifier: Apache-2.0
"""Does what README.md tells a newcomer to do, line by line and in its order, in a checkout of its own.

    readme_commands.py WORK_FOLDER    emptied first; the checkout, with its builds, is made there

Blocks in C++ and CMake are written to the files that the text before them names, commands are run as they stand. Of
models only those of the library are at hand: what asks for the folder of a published one gets a small one of the tests
under its name.
GitHub cannot be reached. A line whose compiler is missing is skipped. Ends with "N passed, N failed, N skipped"."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
COMPILERS = ("gcc", "cargo", "go", "mcs", "python3")
NOT_RUN = {"scripts/test.sh": "it runs this"}
# Part of a line -> what its output must match. Every other line must end well.
STREAM = [r"(?i)safe -> allow", r"(?i): unsafe"]  # a harmless question passes, an insult is stopped in the middle of it
EXPECTED = {
    "scripts/demo.sh": [r"Safe", r"Unsafe"],
    "*.cpp -o game": [r"^shown: .+\nheld: .+$"],
    "app/build/app": [r"^Safe -> allow\nSafe\nSafe$"],
    "example_chat --script": [r"\S"],
    "example_game_server": [r"\S"],
    **{part: STREAM for part in ("c_stream", "cargo run", "go run", "stream.exe", "stream.py")},
    'classify --model nano-gen': [r"Safe"],
    "--json < conversations.jsonl": [r'^\{.*"id": ?1\b.*\}\n\{.*"id": ?2\b.*\}$'],
    "stream   --model nano-stream": [r"^\{.*\}$"],
    "tokenize": [r"^[\[{].*\n[\[{].*$"],
    "logits": [r"^\{"],
    "policy check": [r'^Policy "assistant"'],
    "info": [r"nano-gen|Qwen3"],
    "classify --model guard.q3g": [r"Safe"],
    "bench": [r"\d"],
    "eval     --model": [r"^sample +12 "],
}
# A line that ends when it is told to -> what it says first.
SERVES = {"qwen3guard serve": r"listening on http://127\.0\.0\.1:8080$"}
CONVERSATIONS = [
    '{"id": 1, "messages": [{"role": "user", "content": "How do I kill a Python process?"}]}',
    '{"id": 2, "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]}',
]


def steps(readme: str) -> list[tuple[str, str]]:
    """What the README holds for a newcomer, in order: ("sh", line), ("cpp", text), ("cmake", text)."""
    found = []
    for match in re.finditer(r"```(\w+)\n(.*?)```|`(cmake --preset release[^`]*)`", readme, re.S):
        language, text, inline = match.groups()
        if inline:
            found.append(("sh", inline))
        elif language == "sh":
            found += [("sh", line) for line in text.strip().splitlines()]
        else:
            found.append((language, text))
    return found


def check_out(folder: Path) -> None:
    """The files of the project as a clone would have them, with what is not committed yet."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                            capture_output=True, check=True).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def bring_data(folder: Path) -> None:
    """What the lines about the command read; and the sources of other projects, where they are here already."""
    if (ROOT / "build/sources/complete").is_file():
        (folder / "build").mkdir()
        (folder / "build/sources").symlink_to(ROOT / "build/sources")
    shutil.copytree(folder / "tests/golden/tiny/gen", folder / "Qwen3Guard-Gen-0.6B")
    (folder / "conversations.jsonl").write_text("\n".join(CONVERSATIONS) + "\n", encoding="utf-8")
    (folder / "prompts.txt").write_text("How do I kill a Python process?\n", encoding="utf-8")
    (folder / "strings.jsonl").write_text('"Hello"\n"world"\n', encoding="utf-8")


def environment(folder: Path) -> dict[str, str]:
    ours = re.compile(r"QWEN3GUARD_|CMAKE_|(C|CXX|CPP|LD)FLAGS$|CC$|CXX$|LD_LIBRARY_PATH$|PYTHONPATH$")
    env = {name: value for name, value in os.environ.items() if not ours.match(name)}
    env["CCACHE_BASEDIR"] = str(folder)  # hits what the other builds of the same sources have compiled
    env["GIT_CONFIG_COUNT"], env["GIT_TERMINAL_PROMPT"] = "1", "0"
    env["GIT_CONFIG_KEY_0"], env["GIT_CONFIG_VALUE_0"] = "url.https://no-github.invalid/.insteadOf", "https://github.com/"
    env["PATH"] = f"{folder / 'build/release/bin'}:{env['PATH']}"
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    return env


def serves(script: str, folder: Path, env: dict[str, str], first_line: str) -> bool:
    """Whether the command says that line, and ends well when it is asked to."""
    with subprocess.Popen(["bash", "-c", f"exec {script}"], cwd=folder, env=env, text=True, stdin=subprocess.DEVNULL,
                          stderr=subprocess.PIPE) as server:
        said = server.stderr.readline().strip()
        server.terminate()
        print(said)
        return re.search(first_line, said) is not None and server.wait(60) == 0


def main() -> int:
    folder = Path(sys.argv[1]).resolve() / "checkout"
    shutil.rmtree(folder, ignore_errors=True)
    check_out(folder)
    bring_data(folder)
    env = environment(folder)
    passed, failed, skipped = 0, 0, 0
    exports: list[str] = []
    for language, text in steps((ROOT / "README.md").read_text(encoding="utf-8")):
        if language in ("cpp", "cmake"):
            (folder / "app").mkdir(exist_ok=True)
            (folder / "app" / {"cpp": "main.cpp", "cmake": "CMakeLists.txt"}[language]).write_text(text, encoding="utf-8")
            continue
        command = text.split("#")[0].strip()
        if command.startswith("export "):
            exports.append(command)
            continue
        if command in NOT_RUN:
            print(f"not run, {NOT_RUN[command]}: {command}")
            continue
        missing = [c for c in COMPILERS if re.search(rf"(^| ){c} ", command) and not shutil.which(c)]
        if missing:
            print(f"skipped, no {missing[0]}: {text}")
            skipped += 1
            continue
        print(f"$ {text}", flush=True)
        if first_line := next((line for part, line in SERVES.items() if part in command), None):
            is_well = serves(command, folder, env, first_line)
            passed, failed = passed + is_well, failed + (not is_well)
            continue
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", "\n".join([*exports, text])], cwd=folder, env=env, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=1800, check=False)
        said = done.stdout.strip()
        wanted = [w for part, all_wanted in EXPECTED.items() if part in command for w in all_wanted]
        unmet = [w for w in wanted if not re.search(w, said, re.M)]
        if done.returncode == 0 and not unmet:
            passed += 1
        else:
            print(f"exit code {done.returncode}, not found in the output: {unmet}\n{done.stdout}{done.stderr}")
            failed += 1
    for part in (*EXPECTED, *NOT_RUN, *SERVES):
        if not any(part in text for language, text in steps((ROOT / "README.md").read_text(encoding="utf-8")) if language == "sh"):
            print(f"README.md has no line with: {part}")
            failed += 1
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
