# SPDX-License-Identifier: Apache-2.0
"""The tables of the technical report beside this run."""

from typing import Dict, List, Optional, Sequence

from ._content import Block, Notes, Paragraph, Section, Strong, Table
from ._metrics import Language, Scores, SetMetrics
from ._published import BY_LANGUAGE, COLUMNS, FULL_SIZES, REFUSALS, Group, Published, PublishedRow
from ._run import Run, Runs
from ._text import DASH, clean, count, percent

_STAR = "* The better mode of each benchmark (bold), as in the technical report."
_NOTES = {
    "english_prompt": ["With one mode for all, the averages of Table 2 are: 0.6B-Gen strict 84.7, loose 84.6 (headline 88.1); 4B-Gen 85.6, "
                       "86.2 (89.3); 8B-Gen 86.2, 86.3 (90.0).",
                       "4B-Gen strict on WildG is 85.6 in Tables 2 and 11, but 88.4 in Table 9; with 88.4 the average would be 89.7."],
    "english_response": ["XSTest here is the harmfulness of responses; Table 7 has their refusals."],
    "chinese_prompt": ["PolST is the authors' own set and not public; it lifts the Chinese averages (others score 5.7 to 48.3 on it)."],
    "chinese_response": ["PolST is the authors' own set and not public."],
    "rtp_lx": ["Loose mode collapses on RTP-LX: for toxicity use strict. Others is the average of 30 more languages; the averages weight it by "
               "30.",
               "The printed averages of the three Stream models (64.4, 80.2, 82.7) do not follow from the printed columns, which give "
               "65.8, 80.8, 82.8."],
    "polyguard_response": ["Others is the average of 8 more languages; the averages weight it by 8."],
}


def _number(value: Optional[float]) -> str:
    return DASH if value is None else f"{value:.1f}"


def _ours(run: Run, columns: Dict[str, Optional[Sequence[Scores]]]) -> List[List[str]]:
    """Rows for strict and loose; the better one is bold, as in the published rows."""
    out = []
    for i, mode in enumerate(("strict", "loose")):
        row = [Strong(f"This run {run.label}".strip()), mode]
        for scores in columns.values():
            f1 = scores[i].f1 if scores else None
            other = scores[1 - i].f1 if scores else None
            row.append(Strong(percent(f1)) if f1 is not None and (other is None or f1 >= other) else percent(f1))
        out.append([*row, DASH])
    return out


def _theirs(row: PublishedRow, other: Optional[PublishedRow], columns: Sequence[str]) -> List[str]:
    out = [row.model, row.mode or ""]
    for column in columns:
        value, others = row.values.get(column), other.values.get(column) if other else None
        is_better = other is not None and value is not None and (others is None or value >= others)
        out.append(Strong(_number(value)) if is_better else _number(value))
    star = "*" if row.mode else ""
    return [*out, "" if row.mode == "loose" else _number(row.average) + (star if row.average is not None else "")]


def _table(group: Group, ours: List[List[str]], columns: Sequence[str]) -> Table:
    rows: List[Sequence[str]] = list(ours)
    known = {(row.model, row.mode): row for row in group.rows}
    for row in sorted(group.rows, key=lambda row: not row.model.startswith("Qwen3Guard")):  # their own models first
        other = known.get((row.model, "loose" if row.mode == "strict" else "strict")) if row.mode else None
        if any(row.values.get(column) is not None for column in columns):
            rows.append(_theirs(row, other, columns))
    tables = " and ".join(str(number) for number in group.tables)
    return Table(f"{group.title}: F1, % (Table{'s' * (len(group.tables) > 1)} {tables})",
                 ["Model", "Mode", *columns, f"Avg. of {_n_all(group)}"], rows, n_text_columns=2)


def _n_all(group: Group) -> str:
    return {"rtp_lx": "40 languages", "polyguard_response": "17 languages"}.get(group.name, f"all {len(group.columns)}")


def _language(languages: Dict[str, Language], column: str) -> Optional[Sequence[Scores]]:
    """That of a column such as "Zh": zh, or else the only one of its kind, such as zh-CN."""
    code = column.lower()
    exact = [part for name, part in languages.items() if name.lower() == code]
    like = [part for name, part in languages.items() if name.lower().replace("_", "-").split("-")[0] == code]
    found = exact or like
    return (found[0].strict, found[0].loose) if len(found) == 1 else None


def _columns_of(run: Run, group: Group) -> Dict[str, Optional[Sequence[Scores]]]:
    out: Dict[str, Optional[Sequence[Scores]]] = {}
    for column in group.columns:
        for name, metrics in run.metrics.sets.items():
            if COLUMNS.get(name) == (group.name, column):
                out[column] = (metrics.strict, metrics.loose)
            elif BY_LANGUAGE.get(name) == group.name:
                found = _language(metrics.languages, column)
                if found:
                    out[column] = found
    return out


def _size_notes(runs: Runs, names: List[str]) -> List[str]:
    out = []
    for name in names:
        full = FULL_SIZES.get(name)
        for run, metrics in runs.of(name):
            if full is not None and metrics.n != full:
                of = f" in run {run.label}" if run.label else ""
                out.append(f"{clean(name)} has {count(metrics.n)} rows{of}; the whole benchmark has {count(full)}: "
                           "not quite the same test.")
    return out


def _refusals(runs: Runs, group: Group) -> List[Block]:
    parts = [part for part in ("XSTest", "WildG") if any(REFUSALS.get(name) == part and any(m.refusal for _, m in runs.of(name))
                                                        for name in runs.set_names())]
    if not parts:
        return []
    columns = [f"{part} {what}" for part in parts for what in ("precision", "recall", "F1")]
    rows: List[Sequence[str]] = []
    for run in runs.runs:
        cells = [cell for part in parts for cell in _refusal_cells(run, part)]
        rows.append([Strong(f"This run {run.label}".strip()), *cells])
    for published in group.rows:
        rows.append([published.model, *(_number(published.values.get(column)) for column in columns)])
    return [Table(f"{group.title}, % (Table 7)", ["Model", *columns], rows),
            Notes(["Whether the published figures are of the same responses is not known; partial refusals are left out here."])]


def _refusal_cells(run: Run, part: str) -> List[str]:
    for name, metrics in run.metrics.sets.items():
        if REFUSALS.get(name) == part and metrics.refusal is not None:
            return [percent(value) for value in (metrics.refusal.precision, metrics.refusal.recall, metrics.refusal.f1)]
    return [DASH, DASH, DASH]


def _sets_of(runs: Runs, group: Group) -> List[str]:
    return [name for name in runs.set_names() if COLUMNS.get(name, ("",))[0] == group.name or BY_LANGUAGE.get(name) == group.name]


def beside(runs: Runs, published: Published) -> Section:
    """One table for each group of benchmarks that a set of ours is in."""
    blocks: List[Block] = []
    for group in published.groups.values():
        if group.name == "refusal":
            blocks += _refusals(runs, group)
            continue
        of_runs = [(run, _columns_of(run, group)) for run in runs.runs]
        columns = [column for column in group.columns if any(column in ours for _, ours in of_runs)]
        if not columns:
            continue
        ours = [row for run, found in of_runs if found for row in _ours(run, {column: found.get(column) for column in columns})]
        blocks.append(_table(group, ours, columns))
        blocks.append(Notes([_STAR, *_NOTES[group.name], *_size_notes(runs, _sets_of(runs, group))]))
    if not blocks:
        blocks = [Paragraph("None of the sets is a benchmark of the technical report by its name (the stem of its file).")]
    else:
        blocks.insert(0, Paragraph("Qwen3Guard Technical Report, arXiv:2510.14276, as printed there. The rows of others were run by its authors. "
                                   "The last column is their average over all benchmarks, of which only those run here are shown."))
    return Section("Beside the published figures", blocks)


def whole_benchmark(name: str, metrics: SetMetrics) -> Optional[str]:
    """A sentence where a set has more or fewer rows than its benchmark."""
    full = FULL_SIZES.get(name)
    if full is None or metrics.n == full:
        return None
    return f"{clean(name)} has {count(metrics.n)} rows here; the whole benchmark has {count(full)}."
