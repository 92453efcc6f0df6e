# SPDX-License-Identifier: Apache-2.0
"""What workers write while they judge a shard, so that a death costs little and is laid to the right rows.

An attempt is a file: a note of what it is about to do, then the rows that came of it, again and again. A worker that ends an
attempt removes the file. A file that is still there when the next attempt begins is of a worker that died (or whose run did): its
rows are taken over, and the last note says during which rows it died.
"""

from __future__ import annotations

import collections
import glob
import json
import os
import socket
import uuid
from dataclasses import dataclass, field
from typing import Optional

_NOTE = b'{"at": '


@dataclass
class Past:
    """What is left of earlier attempts at a shard."""

    lines: list[bytes] = field(default_factory=list)  #: of its first rows, judged already
    deaths: "collections.Counter[int]" = field(default_factory=collections.Counter)  #: by row
    outside: list[int] = field(default_factory=list)  #: deaths while no row was judged, by how many rows had been
    n_deaths: int = 0
    paths: list[str] = field(default_factory=list)

    @property
    def n_deaths_outside(self) -> int:
        """Of workers that died of something else than a row (loading the model, reading), and since then none got further."""
        return self.outside.count(len(self.lines))

    def remove(self) -> None:
        """Once the shard is finished."""
        for path in self.paths:
            if os.path.exists(path):
                os.unlink(path)


def read_past(folder: str, name: str) -> Past:
    """Of the shard with this output name. Raises OSError."""
    out = Past(paths=sorted(glob.glob(os.path.join(glob.escape(folder), f"{name}.*.attempt"))))
    for path in out.paths:
        _read_attempt(path, out)
    return out


def _read_attempt(path: str, out: Past) -> None:
    lines: list[bytes] = []
    note: Optional[dict[str, list[int]]] = None
    n_judged_since = 0
    with open(path, "rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                break  # the worker died while it wrote this
            if line.startswith(_NOTE):
                note, n_judged_since = json.loads(line), 0
            else:
                lines.append(line)
                n_judged_since += 1
    if len(lines) > len(out.lines):
        out.lines = lines
    if note is None or note["at"] is None:  # stopped, or it had not begun
        return
    out.n_deaths += 1
    in_flight = note["at"][n_judged_since:]
    out.deaths.update(in_flight)
    if not in_flight:
        out.outside.append(len(lines))


class Attempt:
    """The file of an attempt that goes on."""

    def __init__(self, folder: str, name: str) -> None:
        self.path = os.path.join(folder, f"{name}.{uuid.uuid4().hex}.attempt")
        self._file = open(self.path, "ab", buffering=0)
        self.at([])

    def at(self, rows: list[int]) -> None:
        """Notes which rows are judged next. The system has it when this returns: it outlives the process."""
        note = {"at": rows, "pid": os.getpid(), "host": socket.gethostname()}
        self._file.write(json.dumps(note).encode() + b"\n")

    def add(self, lines: list[bytes]) -> None:
        """Rows that were judged."""
        self._file.write(b"".join(lines))

    def close(self) -> None:
        """The file stays."""
        self._file.close()

    def remove(self) -> None:
        """The attempt has ended and is told of elsewhere."""
        self.close()
        os.unlink(self.path)


def stop_attempts(folder: str) -> None:
    """Says of all attempts that they were stopped, not killed by what they judged. Their workers must be gone. Raises OSError."""
    for path in glob.glob(os.path.join(glob.escape(folder), "*.attempt")):
        with open(path, "rb+") as file:
            text = file.read()
            end = text.rfind(b"\n") + 1
            file.truncate(end)
            file.seek(end)
            file.write(_NOTE + b"null}\n")
