# SPDX-License-Identifier: Apache-2.0
"""A process whose standard error a person sees as it comes, progress bar and all, and of which the last line is kept."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

KEPT_BYTES = 4096


def open_terminal() -> tuple[int, int]:
    """(read end, write end): a terminal where ours is one, so that the process draws its bar; else a pipe."""
    if sys.stderr.isatty():
        try:
            import pty

            return pty.openpty()
        except (ImportError, OSError):
            pass
    return os.pipe()


def run(words: list[str]) -> tuple[int, bytes, str]:
    """(exit code, standard output, the end of its standard error)"""
    reader, writer = open_terminal()
    said = b""
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=writer)
        except OSError:
            os.close(reader)
            raise
        finally:
            os.close(writer)
        try:
            while piece := read(reader):
                said = (said + piece)[-KEPT_BYTES:]
                sys.stderr.write(piece.decode("utf-8", "replace"))
                sys.stderr.flush()
            code = process.wait()
        finally:
            os.close(reader)
            if process.poll() is None:
                process.kill()
                process.wait()
        output.seek(0)
        return code, output.read(), said.decode("utf-8", "replace").replace("\r", "\n")


def read(reader: int) -> bytes:
    """Empty at the end; a terminal whose other end is closed gives an error."""
    try:
        return os.read(reader, KEPT_BYTES)
    except OSError:
        return b""
