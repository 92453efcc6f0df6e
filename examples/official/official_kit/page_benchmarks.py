# SPDX-License-Identifier: Apache-2.0
"""The page's tables of benchmarks."""

from __future__ import annotations

from .markdown import NOTHING, number, percent, table
from .results import StepResult

HEAD = [
    "set",
    "rows",
    "strict F1",
    "P",
    "R",
    "loose F1",
    "P",
    "R",
    "best F1",
    "report: strict",
    "report: loose",
    "false alarms, strict",
    "loose",
    "AUC",
    "refusal F1",
    "report: refusal",
    "exact hit",
    "stopped in 128",
]


def best_text(best: dict | None) -> str:
    return NOTHING if not best or best["f1"] is None else f"{percent(best['f1'])} ({best['mode']})"


def row(name: str, found: dict, printed: dict) -> list[object]:
    """printed: what the technical report says of this set."""
    refusal, streaming = found["refusal"] or {}, found["streaming"] or {}
    return [
        name,
        found["n"],
        *(percent(found[mode][key]) for mode in ("strict", "loose") for key in ("f1", "precision", "recall")),
        best_text(found["best"]),
        number(printed.get("strict")),
        number(printed.get("loose")),
        *(percent(found[mode]["false_alarm_rate"]) for mode in ("strict", "loose")),
        percent(found["auc"]),
        percent(refusal.get("f1")),
        number(printed.get("refusal")),
        percent(streaming.get("exact_hit_rate")),
        percent(streaming.get("first_128_stop_rate")),
    ]


def mean_row(mean: dict) -> list[object]:
    values = {
        "set": f"mean of {mean['n_sets']}",
        "rows": "",
        "strict F1": percent(mean["strict_f1"]),
        "loose F1": percent(mean["loose_f1"]),
    }
    values |= {"best F1": percent(mean["best_f1"]), "AUC": percent(mean["auc"])}
    return [values.get(name, "") for name in HEAD]


def whole(found: dict, printed: dict[str, dict]) -> list[str]:
    rows = [row(name, one, printed.get(name, {})) for name, one in found["sets"].items()]
    if found["mean"]["n_sets"]:
        rows.append(mean_row(found["mean"]))
    n_bad = sum(one["n_bad"] for one in found["sets"].values())
    notes = [
        "Strict counts Controversial as unsafe, loose as safe; best is the better of the two for each set, which is what the technical "
        "report's averages take."
    ]
    if any(name in printed for name in found["sets"]):
        notes.append("Its columns are its F1 for a model of this size; the versions and the sizes of the sets may differ.")
    if n_bad:
        notes.append(f"{n_bad} rows were bad and are left out.")
    return [
        f"### Benchmarks, {found['weights']} weights, class Unsafe, in per cent",
        "",
        " ".join(notes),
        "",
        *table(HEAD, rows, drops_empty=True),
    ]


def sample(step: StepResult) -> list[str]:
    found = step.figures.get("sample")
    if not found or not found["weights"]:
        return []
    names = list(found["weights"])
    columns = [(mode, key, weights) for mode in ("strict", "loose") for key in ("f1", "false_alarm_rate") for weights in names]
    shown = {"f1": "F1", "false_alarm_rate": "false alarms"}
    head = ["set", "rows", *(f"{mode} {shown[key]}, {weights}" for mode, key, weights in columns)]
    rows = [
        [name, one["n"], *(percent(found["weights"][weights]["sets"][name][mode][key]) for mode, key, weights in columns)]
        for name, one in found["weights"][names[0]]["sets"].items()
    ]
    lines = [
        f"### The same rows by {', '.join(names)}: at most {found['rows_per_set']} of each set",
        "",
        *table(head, rows, drops_empty=True),
    ]
    for name, compared in step.figures.get("compare", {}).items():
        lines += [f"`qwen3guard eval compare`, float against {name}: {compared['conclusion']}", ""]
    return lines
