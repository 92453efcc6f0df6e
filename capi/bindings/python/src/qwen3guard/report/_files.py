# SPDX-License-Identifier: Apache-2.0
"""Files that are written whole, or not at all."""

import os
import tempfile
from pathlib import Path
from typing import Dict, List, Tuple

from ._errors import ReportError


def _remove(paths: List[str]) -> None:
    for path in paths:
        try:
            os.unlink(path)
        except OSError:
            pass


def write_all(folder: Path, texts: Dict[str, str]) -> List[Path]:
    """Writes the files beside their names first, and names them when all of them are on the disk. Raises ReportError; then the
    files that were there before are as they were."""
    written: List[Tuple[str, Path]] = []
    target = folder
    try:
        for name, text in texts.items():
            target = folder / name
            if target.is_dir():
                raise ReportError(f"{target}: cannot be written: it is a folder")
            number, path = tempfile.mkstemp(prefix=f".{name}.", dir=str(folder))
            written.append((path, target))
            with os.fdopen(number, "w", encoding="utf-8", newline="\n") as out:
                out.write(text)
                out.flush()
                os.fsync(out.fileno())
            os.chmod(path, 0o644)
        for path, target in written:
            os.replace(path, str(target))
    except OSError as error:
        raise ReportError(f"{target}: cannot be written: {error.strerror}") from None
    finally:
        _remove([path for path, _ in written])
    return [target for _, target in written]
