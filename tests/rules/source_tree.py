# SPDX-License-Identifier: Apache-2.0
"""Files of the project as the rules see them."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

CPP_SUFFIXES = {".hpp", ".h", ".inl", ".cc", ".cpp", ".c"}
HEADER_SUFFIXES = {".hpp", ".h"}


@dataclass(frozen=True)
class Finding:
    """One breach of a rule."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


class CannotTell(Exception):
    """What a rule needs is missing here."""


class SourceTree:
    """The files below `root` that git tracks or would track; every file when git cannot tell."""

    def __init__(self, root: Path):
        self.root = root
        self.paths = sorted(path for path in self._list() if (root / path).is_file())

    def _list(self) -> list[str]:
        command = ["git", "-C", str(self.root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        try:
            result = subprocess.run(command, capture_output=True, check=True)
            return [name for name in result.stdout.decode().split("\0") if name]
        except (OSError, subprocess.CalledProcessError):
            pass
        paths = []
        for folder, folders, files in os.walk(self.root):
            folders[:] = [name for name in folders if name not in {".git", "build", "__pycache__", "node_modules"}]
            paths += [(Path(folder) / name).relative_to(self.root).as_posix() for name in files]
        return paths

    def text(self, path: str) -> str:
        return (self.root / path).read_bytes().decode("utf-8", errors="replace")

    def lines(self, path: str) -> list[str]:
        return self.text(path).splitlines()

    def cpp(self) -> list[str]:
        return [path for path in self.paths if Path(path).suffix in CPP_SUFFIXES]

    def library(self) -> list[str]:
        """What is compiled into the library or installed with it; the program is not part of it. src/bench is not either, but held to the same."""
        return [p for p in self.cpp() if p.startswith(("include/", "src/", "capi/")) and not p.startswith(("src/cli/", "src/wire/", "src/server/"))]

    def exists(self, path: str) -> bool:
        return (self.root / path).is_file()


_TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"([^()\\ ]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'',
    re.DOTALL,
)


def code_only(text: str) -> str:
    """`text` without comments and without the contents of literals; line numbers stay."""

    def blank(match: re.Match) -> str:
        found = match.group(0)
        edge = '"' if found[0] in '"R' else " "
        return edge + "\n" * found.count("\n") + edge

    return _TOKEN.sub(blank, text)


def literals(text: str) -> list[tuple[int, str]]:
    """Line and text, with its quotes, of each string literal in `text`; not of those in comments."""
    found = []
    for match in _TOKEN.finditer(text):
        if match.group(0)[0] in '"R':
            found.append((text.count("\n", 0, match.start()) + 1, match.group(0)))
    return found


@dataclass(frozen=True)
class Include:
    line: int
    name: str
    angled: bool


_INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def includes(text: str) -> list[Include]:
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        match = _INCLUDE.match(line)
        if match:
            found.append(Include(number, match.group(2), match.group(1) == "<"))
    return found
