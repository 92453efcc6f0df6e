# SPDX-License-Identifier: Apache-2.0
"""Numbers and tables in Markdown."""

from __future__ import annotations

NOTHING = "-"


def number(value: object) -> str:
    if value is None:
        return NOTHING
    if not isinstance(value, float):
        return str(value)
    if value == 0:
        return "0"
    return f"{value:.1e}" if abs(value) < 1e-3 else f"{value:.4g}"


def percent(value: float | None) -> str:
    """Of a fraction."""
    return NOTHING if value is None else f"{100 * value:.1f}"


def cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def table(head: list[str], rows: list[list[object]], drops_empty: bool = False) -> list[str]:
    """Lines, an empty one at the end. drops_empty: columns without a value in any row are left out."""
    kept = [i for i in range(len(head)) if not drops_empty or any(row[i] not in (NOTHING, "") for row in rows)]
    lines = [[line[i] for i in kept] for line in (head, ["---"] * len(head), *rows)]
    return ["| " + " | ".join(cell(value) for value in line) + " |" for line in lines] + [""]
