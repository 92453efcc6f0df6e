# SPDX-License-Identifier: Apache-2.0
"""predictions.jsonl: which rows the model did not judge, and why."""

import dataclasses
import json
from pathlib import Path
from typing import List, Optional

from ._errors import ReportError
from ._json import Node, parse


@dataclasses.dataclass(frozen=True)
class NotJudged:
    """A row without a verdict."""
    set: str
    line: Optional[int]
    id: str
    reason: str


def _reason(verdict: Node) -> Optional[str]:
    """Why a verdict is none; None for one that is."""
    if not verdict.has():
        return "no verdict"
    ruling = verdict.at("ruling")
    if isinstance(ruling.value, dict) and ruling.at("rule").value == "deny_list":
        return None  # a list decided, without the model
    error = verdict.at("error")
    if error.has():
        message = error.at("message").value if isinstance(error.value, dict) else error.value
        return message if isinstance(message, str) else "error"
    severity = verdict.at("severity").value
    return None if severity in ("Safe", "Controversial", "Unsafe") else "no severity"


def _name(id_: object) -> str:
    """An id as a person wrote it: text, or any other JSON."""
    return id_ if isinstance(id_, str) else json.dumps(id_)


def read_not_judged(folder: Path) -> Optional[List[NotJudged]]:
    """Those of a run's rows, in the order of the file; None where there is no file. Raises ReportError."""
    path = folder / "predictions.jsonl"
    if not path.is_file():
        return None
    out = []
    try:
        with path.open(encoding="utf-8", newline="\n") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                row = parse(line, f"{path}:{number}")
                reason = _reason(row.at("verdict"))
                if reason is not None:
                    out.append(NotJudged(row.at("set").text() or "", row.at("line").count(), _name(row.at("id").value), reason))
    except UnicodeDecodeError:
        raise ReportError(f"{path}: not UTF-8") from None
    except OSError as error:
        raise ReportError(f"{path}: {error.strerror}") from None
    return out
