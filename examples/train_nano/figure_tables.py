# SPDX-License-Identifier: Apache-2.0
"""The figures of figures.py in Markdown, for people and for the model cards."""

from __future__ import annotations

from collections.abc import Callable

from everyday import read_half
from floors import GOALS

DASH = "–"
#: Rows of this category are counted, but not quoted.
UNQUOTED = ["Sexual Content or Sexual Acts"]
LONGEST_EXAMPLE = 140


def number(value: float | None) -> str:
    """Three digits; a dash for what is not defined."""
    return DASH if value is None else f"{value:.3f}"


def percent(value: float | None) -> str:
    """A share; a dash for what is not defined."""
    return DASH if value is None else f"{100 * value:.1f} %"


def pair(modes: dict, key: str, show: Callable[[float | None], str] = percent) -> str:
    """Strict / loose."""
    return f"{show(modes['strict'][key])} / {show(modes['loose'][key])}"


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """Lines of a table and an empty one."""
    return ["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *("| " + " | ".join(row) + " |" for row in rows), ""]


def kind_of(run: dict) -> str:
    """gen or stream: only the latter has figures of streaming."""
    return run["model"]["kind"] if run["model"] else "stream" if run["streaming"] else "gen"


def headline(runs: list[dict]) -> list[str]:
    """What the models are wanted for, of each run, beside floors and aims."""
    kind = kind_of(runs[-1])
    rows = []
    for goal in GOALS:
        values = [run["headline"][goal.key] for run in runs]
        if any(v is not None for v in values):
            show = percent if goal.as_percent else number
            rows.append([goal.label, *map(show, values), show(goal.floor_of(kind)), show(goal.aim)])
    return table(["", *(run["name"] for run in runs), "floor", "aim"], rows)


def operating_point(run: dict) -> list[str]:
    """Where the threshold for 5 % lies, and what it does on the other half."""
    at, half = run["operating_point"], run["calibration_half"]["strict"]
    return [f"The threshold of the ten sets' F1, {at['threshold']:.4f} on P(Unsafe) + P(Controversial), is the lowest that flags at most "
            f"5 % of the safe prompts of the everyday set's calibration half ({percent(at['calibration_false_alarms'])} there); on the "
            f"reported half it flags {percent(at['report_false_alarm_rate'])} of the safe prompts and finds "
            f"{percent(at['report_recall'])} of the unsafe ones.",
            f"At the model's own verdicts the calibration half has {percent(half['false_alarm_rate'])} false alarms and "
            f"{percent(half['recall'])} found; everyday AUC of both halves: {number(run['everyday_auc_of_both_halves'])}.", ""]


def languages(run: dict) -> list[str]:
    """The reported half of the everyday set, strict / loose."""
    def row(name: str, own: dict) -> list[str]:
        keys = ("false_alarms", "recall", "helpful_flagged", "refusals_flagged", "unsafe_found")
        cells = [pair(own, key) for key in keys]
        return [name, *cells[:2], percent(own["category"]), *cells[2:], percent(own["refusals_found"])]
    return table(["everyday, reported half", "safe prompts flagged", "unsafe prompts found", "right category", "helpful answers flagged",
                  "refusals flagged", "unsafe answers found", "refusals called so"],
                 [*(row(name, own) for name, own in run["languages"].items()), row("all", run["everyday"])])


def categories(run: dict) -> list[str]:
    """Unsafe everyday prompts by category."""
    return table(["category", "prompts", "found (strict)", "named right among found"],
                 [[name, str(c["n"]), percent(c["recall_strict"]), percent(c["named_rate"])]
                  for name, c in (run["categories"] or {}).items()])


def with_and_without(run: dict) -> list[str]:
    """As the report's table 8: what the third label does to F1, and to false alarms."""
    rows = []
    for name, of in [*run["benchmarks"].items(), ("everyday prompts", run["everyday_prompts"])]:
        two, own = of["without_controversial"], of["with_controversial"]
        if two["strict"]["f1"] is not None:
            rows.append([name, pair(two, "f1", number), pair(own, "f1", number), percent(two["strict"]["false_alarm_rate"]),
                         pair(own, "false_alarm_rate")])
    return ["*Without* Controversial the likelier of Safe and Unsafe counts, against strict / loose labels.", "",
            *table(["strict / loose", "F1 without", "F1 with", "false alarms without", "false alarms with"], rows)]


def steps(runs: list[dict]) -> list[str]:
    """As the report's table 9: F1 in strict / loose mode of each step, and from the first to the last."""
    def modes(run: dict, name: str) -> dict | None:
        return run["benchmarks"].get(name, {}).get("with_controversial")

    rows = []
    for name in sorted({name for run in runs for name in run["benchmarks"]}):
        of_runs = [modes(run, name) for run in runs]
        if all(m is None or m["strict"]["f1"] is None for m in of_runs):
            continue
        cells = [DASH if m is None else pair(m, "f1", number) for m in of_runs]
        if len(runs) > 1:
            first, last = of_runs[0], of_runs[-1]
            cells.append(" / ".join(difference(first, last, mode) for mode in ("strict", "loose")))
        rows.append([name, *cells])
    return table(["F1, strict / loose", *(run["name"] for run in runs), *(["Δ"] if len(runs) > 1 else [])], rows)


def difference(first: dict | None, last: dict | None, mode: str) -> str:
    """Of F1, with its sign."""
    values = [m and m[mode]["f1"] for m in (first, last)]
    return DASH if None in values else f"{values[1] - values[0]:+.3f}"


def benchmarks(run: dict) -> list[str]:
    """Each set of the last run: what is independent of the threshold, at 5 % everyday false alarms, and at its own verdicts."""
    rows = []
    for name, b in run["benchmarks"].items():
        own = b["with_controversial"]
        rows.append([name, str(b["n"]), number(b["auc"]), number(b["f1_at_target"]), pair(own, "f1", number), pair(own, "recall"),
                     pair(own, "false_alarm_rate")])
    return table(["benchmark", "rows", "AUC", "F1 at 5 %", "F1, strict / loose", "recall", "false alarms"], rows)


def refusals(run: dict) -> list[str]:
    """Public sets that say whether an answer refuses; none for models that do not say it."""
    rows = [[name, str(r["n"]), number(r["f1"]), percent(r["precision"]), percent(r["recall"])] for name, r in run["refusal_sets"].items()]
    return table(["refusals", "rows", "F1", "precision", "recall"], rows) if rows and kind_of(run) == "gen" else []


def streaming(run: dict) -> list[str]:
    """Where in the stream the flag fell, against the marked passage."""
    if (s := run["streaming"]) is None:
        return []
    alarms = run["streams_false_alarms"]
    return [*table([f"spliced_streams, {s['n']} unsafe", *s["bins"], "exact hit rate", "first-128 stop rate"],
                   [["", *map(str, s["bins"].values()), number(s["exact_hit_rate"]), number(s["first_128_stop_rate"])]]),
            f"Safe streams stopped: {percent(alarms['strict'])} strict, {percent(alarms['loose'])} loose.", ""]


def held_out(run: dict) -> list[str]:
    """Everyday queries of the training sources that were kept apart."""
    h = run["held_out"]
    return [] if h["n"] is None else [f"False alarms on {h['n']} held-out everyday queries: {percent(h['strict'])} strict, {percent(h['loose'])} loose.", ""]


def controversial(runs: list[dict]) -> list[str]:
    """How often the third label is said, by source."""
    names = sorted({name for run in runs for name in run["controversial"]})
    out = table(["Controversial said", *(run["name"] for run in runs)],
                [[name, *(percent(run["controversial"].get(name)) for run in runs)] for name in names])
    if (said := runs[-1]["convabuse"]) is not None:
        out += table(["convabuse_test, labelled", *(f"said {name}" for name in said)],
                     [[gold, *map(str, row.values())] for gold, row in said.items()])
    return out


def short(text: str) -> str:
    """A text as a cell of a table: one line, its marks harmless, cut when long."""
    flat = " ".join(text.split())
    flat = flat if len(flat) <= LONGEST_EXAMPLE else flat[:LONGEST_EXAMPLE].rstrip() + " …"
    return "".join("\\" + c if c in "\\|`*_<>[]" else c for c in flat)


def texts() -> dict[str, str]:
    """The judged message of each reported row."""
    return {row["id"]: row["messages"][-1]["content"] for row in read_half("report")}


#: Error and kind of row of the lists of wrong rows.
LISTS = {
    "Harmless prompts that it flags": ("false alarm", "prompts"),
    "Unsafe prompts that it misses": ("missed", "prompts"),
    "Unsafe prompts that it puts into another category": ("other category", "prompts"),
    "Helpful answers that it flags": ("false alarm", "helpful"),
    "Refusals that it flags": ("false alarm", "refusals"),
    "Unsafe answers that it misses": ("missed", "unsafe"),
}


def wrong_examples(run: dict) -> list[str]:
    """Of each kind of error and language the row on which the model is surest."""
    text_of, out = texts(), []
    for title, (error, kind) in LISTS.items():
        wrong = [row for row in run["wrong"] if row["error"] == error and row["kind"] == kind]
        surest: dict[str, dict] = {}
        for row in wrong:
            if row["expected"] != UNQUOTED:
                surest.setdefault(row["lang"], row)
        if wrong:
            out += [f"{title}: {len(wrong)} on the reported half; of each language the one on which it is surest.", ""]
            out += table(["", "text", "expected", "said", "P(Unsafe) + P(Controversial)"],
                         [[language, short(text_of.get(row["id"], row["id"])), ", ".join(row["expected"]) or "Safe",
                           ", ".join([row["said"], *row["named"]]), number(row["score"])] for language, row in sorted(surest.items())])
    return out


def tables(runs: list[dict]) -> str:
    """All of them; what is not side by side is of the last run."""
    last = runs[-1]
    parts = [headline(runs), operating_point(last), languages(last), categories(last), with_and_without(last),
             steps(runs) if len(runs) > 1 else [], benchmarks(last), refusals(last), streaming(last), held_out(last), controversial(runs), wrong_examples(last)]
    return "\n".join(line for part in parts for line in part)
