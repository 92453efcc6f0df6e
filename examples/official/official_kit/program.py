# SPDX-License-Identifier: Apache-2.0
"""The qwen3guard program as a process."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np

from . import shown
from .errors import NotCompared, UsageError
from .folder import hash_file

PROJECT = Path(__file__).resolve().parents[3]
BUILDS = ["release", "dev", "gcc"]


def find_program(named: str | None) -> Path:
    """--program, or qwen3guard on the PATH, or in this checkout's build folders."""
    if named is not None:
        found = shutil.which(named)
        if found is None:
            raise UsageError(f"--program {named}: not found, or not a program that can be started")
        return Path(found).resolve()
    if found := shutil.which("qwen3guard"):
        return Path(found).resolve()
    for build in BUILDS:
        path = PROJECT / "build" / build / "bin" / "qwen3guard"
        if os.access(path, os.X_OK):
            return path
    raise UsageError(
        "the program qwen3guard was not found on the PATH or in this checkout's build folders: build it "
        "(cmake --preset release && cmake --build --preset release) or name it with --program"
    )


def last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it said nothing"


def ending(code: int) -> str:
    """How a process ended, in words."""
    if code in (-9, 137):
        return "it was killed, most likely because memory ran out"
    return f"it was ended by signal {-code}" if code < 0 else f"exit code {code}"


class Program:
    """Runs commands. Each throws NotCompared with the program's own message when it fails. said: the last line of the last
    command's standard error."""

    def __init__(self, path: Path, n_threads: int):
        self.path = path
        self.n_threads = n_threads
        self.said = ""
        try:
            done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=60, check=True)
        except (OSError, subprocess.SubprocessError) as error:
            raise UsageError(f"{path} cannot be started: {error}") from None
        self.version = done.stdout.strip()
        self.sha256 = hash_file(path)

    def run(
        self,
        command: str,
        *options: object,
        model: Path | None = None,
        stdin: bytes = b"",
        shows_progress: bool = False,
        accepts: tuple[int, ...] = (0,),
        with_threads: bool = True,
        folder: Path | None = None,
    ) -> bytes:
        """Standard output of `qwen3guard COMMAND`. shows_progress: its standard error goes to ours as it comes; it has no stdin.
        folder: where it runs, for paths that it prints."""
        words = [str(self.path), *command.split()]
        if model is not None:
            words += ["--model", str(model), *(["--threads", str(self.n_threads)] if with_threads else [])]
        words += map(str, options)
        try:
            if shows_progress:
                code, output, said = shown.run(words)
            else:
                done = subprocess.run(words, input=stdin, capture_output=True, cwd=folder)
                code, output, said = done.returncode, done.stdout, done.stderr.decode("utf-8", "replace")
        except OSError as error:
            raise NotCompared(f"qwen3guard {command} cannot be started: {error}") from None
        self.said = last_line(said)
        if code not in accepts:
            raise NotCompared(f"qwen3guard {command} failed ({ending(code)}): {self.said}")
        return output

    def json_lines(self, command: str, *options: object, **kwargs) -> list[dict]:
        output = self.run(command, *options, **kwargs)
        try:
            return [json.loads(line) for line in output.splitlines() if line.strip()]
        except ValueError as error:
            raise NotCompared(f"qwen3guard {command} printed what is no JSON: {error}") from None

    def info(self, model: Path) -> dict:
        return self.json_lines("info", "--json", model=model)[0]

    def classify(self, model: Path, conversations: list[dict], *options: object) -> list[dict]:
        """A verdict or an error object for each conversation, in their order."""
        lines = "".join(json.dumps({"id": c["id"], "messages": c["messages"]}) + "\n" for c in conversations)
        # Exit code 2: some conversations were not judged; their error objects stand in the output.
        found = self.json_lines("classify", "--json", *options, model=model, stdin=lines.encode(), accepts=(0, 2))
        if [row.get("id") for row in found] != [c["id"] for c in conversations]:
            raise NotCompared(f"qwen3guard classify answered {len(found)} of {len(conversations)} conversations")
        return found

    def logits(self, model: Path, ids: list[int], last: bool) -> list[np.ndarray]:
        """float32 [tokens, entries] for each head; of a Gen checkpoint one, of a Stream checkpoint four."""
        output = self.run("logits", "--format", "npy", "--ids", ",".join(map(str, ids)), *(["--last"] if last else []), model=model)
        stream, arrays = io.BytesIO(output), []
        try:
            while stream.tell() < len(output):
                arrays.append(np.load(stream))
        except ValueError as error:
            raise NotCompared(f"qwen3guard logits printed what is no array: {error}") from None
        return arrays

    def head_names(self, model: Path) -> list[str]:
        return list(self.json_lines("logits", "--last", "--ids", "1", model=model)[0]["heads"])
