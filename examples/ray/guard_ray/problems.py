# SPDX-License-Identifier: Apache-2.0
"""What ends a run, and the exit codes."""

from __future__ import annotations

EXIT_JUDGED = 0  #: every row was judged
EXIT_FAILED = 2  #: the run could not begin, or is not finished: there is no complete output
EXIT_NOT_ALL_JUDGED = 3  #: the output is complete, and some of its rows were not judged
EXIT_INTERRUPTED = 130  #: Ctrl-C; the same command goes on


class RunError(Exception):
    """What the user must put right before the run can begin or go on. Its text is one line."""


class RowError(Exception):
    """One row cannot be judged. The code is a name that the program uses, too, e.g. "invalid_utf8"."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def shown(text: object) -> str:
    """Text from outside on one printable line."""
    return str(text).encode("unicode_escape", "replace").decode("ascii")
