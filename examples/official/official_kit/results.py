# SPDX-License-Identifier: Apache-2.0
"""check.json: what was found so far. It is written whole after each step, so that an interrupted run goes on behind the
last finished one."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

SCHEMA = 1
PASS, FAIL, NOT_COMPARED = "pass", "fail", "not compared"


@dataclass
class Check:
    """One comparison. value and tolerance are shown side by side; either may be a number or a text."""

    name: str
    status: str
    value: object = None
    tolerance: object = None
    detail: str = ""


@dataclass
class StepResult:
    """A step's outcome. reason is None when the step ran to its end; checks may have failed all the same."""

    inputs: dict
    checks: list[Check] = field(default_factory=list)
    figures: dict = field(default_factory=dict)
    reason: str | None = None
    seconds: float = 0.0

    def judge(self, name: str, is_good: bool, value: object, tolerance: object, detail: str = "") -> None:
        self.checks.append(Check(name, PASS if is_good else FAIL, value, tolerance, detail))

    def skip(self, name: str, reason: str) -> None:
        self.checks.append(Check(name, NOT_COMPARED, detail=reason))


def write_json(path: Path, value: object) -> None:
    """Replaces the file in one step: whoever is interrupted leaves the old one or the new one."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(value, indent=1, ensure_ascii=True, allow_nan=False) + "\n", encoding="ascii")
    os.replace(part, path)


class Store:
    """The results in OUT/check.json. steps has those of this run, in their order; what earlier runs found in other steps
    stays in the file under "earlier", where finished() looks."""

    def __init__(self, out: Path):
        self.path = out / "check.json"
        self.facts: dict = {}
        self.steps: dict[str, StepResult] = {}
        self._earlier: dict[str, dict] = {}
        self.earlier_facts: dict = {}
        if self.path.exists():
            self._read_earlier()

    def _read_earlier(self) -> None:
        try:
            content = json.loads(self.path.read_text("ascii"))
            if content["schema"] == SCHEMA and content["type"] == "official_check":
                self._earlier = {**content["earlier"], **content["steps"]}
                self.earlier_facts = content["facts"]
        except (ValueError, KeyError, TypeError):
            pass  # not ours, or damaged: every step is done again

    def finished(self, name: str, inputs: dict) -> bool:
        """Whether an earlier run finished this step with the same inputs; its result counts then."""
        try:
            found = self._earlier[name]
            if found["reason"] is not None or found["inputs"] != inputs:
                return False
            self.steps[name] = StepResult(**dict(found, checks=[Check(**check) for check in found["checks"]]))
        except (KeyError, TypeError):
            return False
        return True

    def add(self, name: str, result: StepResult) -> None:
        self.steps[name] = result
        self.save()

    def save(self) -> None:
        earlier = {name: step for name, step in self._earlier.items() if name not in self.steps}
        write_json(
            self.path,
            {
                "schema": SCHEMA,
                "type": "official_check",
                "facts": self.facts,
                "steps": {name: asdict(step) for name, step in self.steps.items()},
                "earlier": earlier,
            },
        )
