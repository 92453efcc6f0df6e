# SPDX-License-Identifier: Apache-2.0
"""The technical report's figures for a checkpoint, from the Python package's report (in this checkout, or installed)."""

from __future__ import annotations

import sys

from .program import PROJECT

SIZES = {(1024, 28): "0.6B", (2560, 36): "4B", (4096, 36): "8B"}  # by hidden_size, num_hidden_layers


def figures(kind: str, config: dict) -> dict[str, dict[str, float]]:
    """By set: F1 in per cent in the modes strict and loose, and of refusals. Empty for a shape that the report does not have, and
    where the package is not at hand."""
    size = SIZES.get((config["hidden_size"], config["num_hidden_layers"]))
    sources = str(PROJECT / "capi/bindings/python/src")
    if sources not in sys.path:
        sys.path.append(sources)
    try:
        from qwen3guard.report._published import COLUMNS, REFUSALS, Published
    except ImportError:
        return {}
    model = f"Qwen3Guard-{size}-{kind.capitalize()}"
    groups = Published().groups
    wanted = [(name, group, column) for name, (group, column) in COLUMNS.items()]
    wanted += [(name, "refusal", f"{part} F1") for name, part in REFUSALS.items()]
    found: dict[str, dict[str, float]] = {}
    for name, group, column in wanted:
        for row in groups[group].rows:
            value = row.values.get(column)
            if row.model == model and value is not None:
                found.setdefault(name, {})["refusal" if group == "refusal" else row.mode] = value
    return found
