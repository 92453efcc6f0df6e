# SPDX-License-Identifier: Apache-2.0
"""Output rows: what `qwen3guard classify --json` prints, with the row's place, and without its time, which no two runs share."""

from __future__ import annotations

import json
from typing import Any, Optional

import numpy
import qwen3guard

SCHEMA = 1  #: of output.schema.json
_WRITER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)  # ASCII: what drives terminals is escaped

_READER = json.JSONDecoder(parse_int=lambda digits: int(digits) if len(digits) < 20 else float(digits))  # an id's may have any length


def read_line(line: bytes) -> dict[str, Any]:
    """An output row. Raises ValueError (damaged)."""
    out: dict[str, Any] = _READER.decode(line.decode())
    return out


def verdict_line(file: str, row: int, id_json: str, verdict: qwen3guard.Verdict) -> str:
    """A verdict as a line of JSON."""
    return _line("verdict", file, row, id_json, {
        "role": str(verdict.role), "severity": _severity(verdict.severity), "probabilities": _probabilities(verdict.probabilities),
        "position": verdict.position,
        "categories": [{"name": str(name), "probability": _float(value)} for name, value in verdict.categories.items()],
        "refusal": None if verdict.refusal is None else {"value": verdict.refusal, "probability": _float(verdict.refusal_probability)},
        "ruling": _ruling(verdict.ruling), "dropped_messages": list(verdict.dropped_messages),
        "tokens": {"prompt": verdict.prompt_tokens, "cached": verdict.cached_tokens}, **_optional(verdict)})


def error_line(file: str, row: int, id_json: str, ruling: dict[str, Any], code: str, message: str) -> str:
    """In the place of a verdict that there is not."""
    return _line("error", file, row, id_json,
                 {"severity": None, "ruling": ruling, "error": {"code": code, "message": message}})


def ruling_on_unjudged(policy: qwen3guard.Policy) -> dict[str, Any]:
    """What the policy does about a row that was not judged."""
    document = json.loads(policy.to_json())
    action = policy.unjudged_action
    rule = qwen3guard.Rule.NONE if action is qwen3guard.Action.NONE else qwen3guard.Rule.NOT_JUDGED
    return _ruling(qwen3guard.Ruling(action=action, rule=rule, policy_name=document["name"], policy_version=document["version"]))


def _line(kind: str, file: str, row: int, id_json: str, members: dict[str, Any]) -> str:
    head = _WRITER.encode({"schema": SCHEMA, "type": kind, "file": file, "row": row})
    return f'{head[:-1]},"id":{id_json},{_WRITER.encode(members)[1:]}'


def _severity(severity: qwen3guard.Severity) -> Optional[str]:
    return None if severity is qwen3guard.Severity.NOT_JUDGED else str(severity)


def _probabilities(values: qwen3guard.Probabilities) -> Optional[dict[str, Any]]:
    if values.safe == values.controversial == values.unsafe == 0:
        return None
    return {"safe": _float(values.safe), "controversial": _float(values.controversial), "unsafe": _float(values.unsafe)}


def _float(value: float) -> Optional[float]:
    """The shortest number that reads back as the same float of 32 bits."""
    out = numpy.float32(value)
    return float(str(out)) if numpy.isfinite(out) else None


def _ruling(ruling: qwen3guard.Ruling) -> dict[str, Any]:
    out: dict[str, Any] = {"action": str(ruling.action), "rule": str(ruling.rule),
                           "category": None if ruling.category is None else str(ruling.category), "score": _float(ruling.score)}
    if ruling.phrase is not None:
        out["phrase"] = ruling.phrase
    if ruling.byte_begin < ruling.byte_end:
        out["bytes"] = [ruling.byte_begin, ruling.byte_end]
    return {**out, "policy": ruling.policy_name, "version": ruling.policy_version}


def _optional(verdict: qwen3guard.Verdict) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if verdict.window is not None:
        window = verdict.window
        out["window"] = {"index": window.index, "n_windows": window.n_windows, "bytes": [window.byte_begin, window.byte_end]}
    if verdict.is_of_folded_copy:
        out["is_of_folded_copy"] = True
    return out
