# SPDX-License-Identifier: Apache-2.0
"""Streams, categories, calibration, languages, refusals, actions and speed: each where a set has it."""

from typing import Callable, List, Optional, Sequence

from . import _plot_confusion, _plot_curve, _plot_dots, _plot_latency, _plot_reliability
from ._beside import whole_benchmark
from ._content import Block, Figure, Figures, Notes, Section, Strong, Table
from ._metrics import SetMetrics
from ._published import Published
from ._run import Runs
from ._text import DASH, clean, count, percent, plain

Row = Callable[[SetMetrics], Optional[Sequence[str]]]


def _table(runs: Runs, caption: str, columns: Sequence[str], row: Row) -> List[Block]:
    """A line for each set and run that has one."""
    rows = []
    for name in runs.set_names():
        for run, metrics in runs.of(name):
            cells = row(metrics)
            if cells is not None:
                rows.append([clean(name), *([run.label] if runs.is_pair else []), *cells])
    return [Table(caption, ["Set", *(["Run"] if runs.is_pair else []), *columns], rows, 1 + runs.is_pair)] if rows else []


def overview(runs: Runs) -> List[Block]:
    """All sets in one drawing."""
    lines = [_plot_dots.DotLine(name, run.label, m.strict, m.loose) for name in runs.set_names() for run, m in runs.of(name)
             if m.strict.f1 is not None or m.loose.f1 is not None]
    return [Figures([_plot_dots.dots("overview", "F1 of each set in both modes.", lines)])] if lines else []


def curves(runs: Runs, published: Published) -> List[Block]:
    """Small ones, side by side."""
    figures = []
    for i, name in enumerate(runs.set_names()):
        found = [(run, m) for run, m in runs.of(name) if m.strict.recall is not None and m.strict.false_alarm_rate is not None
                 and (m.curve or m.strict.precision is not None)]
        if found:
            figures.append(_plot_curve.curve(f"curve-{i}", name, found, published.points(name)))
    if not figures:
        return []
    return [Figures(figures),
            Notes(["The line is what thresholds on the strict score give; the circle is the verdict in strict mode, the diamond in loose mode. "
                   "The line and the circle count a Controversial label as unsafe, the diamond as safe, so that it need not lie on the line. "
                   "Sets without safe rows have no curve worth drawing. Dotted: where F1 is the same. Published points: Figure 4 of the "
                   "technical report, read from its drawing to about 0.1; some of them differ from its tables, by up to 3.3 points of "
                   "F1 (NemoGuard and ShieldGemma on OpenAIMod, PolyGuard on XSTest)."])]


def _stream_row(metrics: SetMetrics) -> Optional[Sequence[str]]:
    s = metrics.streaming
    if s is None:
        return None

    def rate(value: Optional[float], interval: object) -> str:
        low, high = interval if isinstance(interval, tuple) else (None, None)
        return percent(value) + (f" ({percent(low)}\u2013{percent(high)})" if low is not None and value is not None else "")

    return [count(s.n), rate(s.exact_hit_rate, s.exact_interval), rate(s.first_128_stop_rate, s.first_128_interval),
            plain(s.mean_tokens, 1)]


def streams(runs: Runs, published: Published) -> Optional[Section]:
    """When streams were flagged."""
    blocks = _table(runs, "Streams with an annotated span that were flagged in time, %",
                    ["Streams", "Exact hit", "Within 128 tokens", "Tokens judged of one"], _stream_row)
    if not blocks:
        return None
    figures, notes, rates = [], [], []
    for i, name in enumerate(runs.set_names()):
        found = [(run.label, m.streaming) for run, m in runs.of(name) if m.streaming is not None]
        if found:
            theirs = published.latency(name)
            figures.append(_plot_latency.latency(f"latency-{i}", name, found, theirs))
            notes += [f"{row.model}: {row.note}." for row in theirs if row.note]
            notes += [note for note in dict.fromkeys(whole_benchmark(name, m) for _, m in runs.of(name)) if note]
            rates += [[clean(name), row.model, f"{row.exact_hit_rate:.1f}", f"{row.first_128_stop_rate:.1f}"]
                      for row in published.rates(name)]
    if rates:
        blocks.append(Table("Published, % (the evaluation README)", ["Set", "Model", "Exact hit", "Within 128 tokens"], rates, 2))
    notes.insert(0, "Exact hit: flagged inside the annotated span. Within 128 tokens: flagged at most 128 tokens behind the span, or anywhere "
                    "before it: what was flagged too early counts as stopped in time, but is no exact hit.")
    return Section("Streams: flagged in time?", [*blocks, Figures(figures), Notes(notes)])


def categories(runs: Runs) -> Optional[Section]:
    """Recall by category, and which was taken for which."""
    blocks: List[Block] = []
    figures: List[Figure] = []
    for i, name in enumerate(runs.set_names()):
        rows: List[Sequence[str]] = []
        for run, m in runs.of(name):
            rows += [[clean(category), *([run.label] if runs.is_pair else []), count(part.n), percent(part.recall_strict),
                      percent(part.recall_loose), percent(part.named_rate)] for category, part in m.categories.items() if part.n]
            if m.confusion is not None and any(map(any, m.confusion.counts)):
                title = f"{name} (run {run.label})" if runs.is_pair else name
                figures.append(_plot_confusion.confusion(f"confusion-{i}{run.label}", title, m.confusion))
        if rows:
            rows.sort(key=lambda row: row[0])
            blocks.append(Table(f"Recall by the category of the label, {clean(name, 60)}, %",
                                ["Category", *(["Run"] if runs.is_pair else []), "Rows", "Strict", "Loose", "Named"], rows,
                                1 + runs.is_pair))
    if not blocks and not figures:
        return None
    if figures:
        blocks.append(Figures(figures))
    return Section("Categories", [*blocks, Notes(
        ["Named: of the rows that were called unsafe or controversial, how many had the label's category among those named. The confusion counts "
         "such rows by the first category of the label and the first that was named; its colour is the share of the row."])])


def calibration(runs: Runs) -> Optional[Section]:
    """Whether scores are probabilities."""
    blocks = _table(runs, "Calibration of the strict score", ["Rows", "ECE", "Brier"],
                    lambda m: None if m.reliability is None else [count(m.reliability.n), plain(m.reliability.ece),
                                                                  plain(m.reliability.brier)])
    if not blocks:
        return None
    figures = []
    for i, name in enumerate(runs.set_names()):
        found = [(run.label, m.reliability) for run, m in runs.of(name) if m.reliability is not None and m.reliability.n]
        if found:
            figures.append(_plot_reliability.reliability(f"reliability-{i}", name, found))
    return Section("Calibration", [*blocks, *([Figures(figures)] if figures else []), Notes(
        ["ECE (expected calibration error): how far, on average, scores lie from the rate of unsafe rows that have them; Brier: the mean "
         "squared distance. 0 is perfect for both. A set with few safe or few unsafe rows says little: its rate is not that of traffic."])])


def languages(runs: Runs) -> Optional[Section]:
    """F1 by language, of sets that have more than one."""
    blocks: List[Block] = []
    for i, name in enumerate(runs.set_names()):
        rows: List[Sequence[str]] = []
        lines = []
        for run, m in runs.of(name):
            if len(m.languages) < 2:
                continue
            for code, part in m.languages.items():
                rows.append([clean(code, 20), *([run.label] if runs.is_pair else []), percent(part.strict.f1), percent(part.loose.f1),
                             percent(part.strict.recall), percent(part.strict.false_alarm_rate), count(part.n)])
                if part.strict.f1 is not None or part.loose.f1 is not None:
                    lines.append(_plot_dots.DotLine(f"{clean(code, 20)}, {count(part.n)} rows", run.label, part.strict, part.loose))
        if rows:
            rows.sort(key=lambda row: row[0])
            blocks.append(Table(f"By language, {clean(name, 60)}, %",
                                ["Language", *(["Run"] if runs.is_pair else []), "Strict F1", "Loose F1", "Strict recall",
                                 "Strict false alarms", "Rows"], rows, 1 + runs.is_pair))
        if lines:
            lines.sort(key=lambda line: line.name)
            blocks.append(Figures([_plot_dots.dots(f"languages-{i}", f"F1 by language, {clean(name, 60)}.", lines)]))
    return Section("Languages", blocks) if blocks else None


def refusals(runs: Runs) -> Optional[Section]:
    """Refusals of an assistant."""
    blocks = _table(runs, "Refusals told from answers, %", ["Rows", "F1", "Precision", "Recall", "Accuracy"],
                    lambda m: None if m.refusal is None else [count(m.refusal.n), *(percent(value) for value in (
                        m.refusal.f1, m.refusal.precision, m.refusal.recall, m.refusal.accuracy))])
    return Section("Refusals", blocks) if blocks else None


def actions(runs: Runs) -> Optional[Section]:
    """What the policy made of verdicts."""
    def row(metrics: SetMetrics) -> Optional[Sequence[str]]:
        if not metrics.actions:
            return None
        return [percent(value) for action in ("block", "flag") for scores in (metrics.actions.get(action),)
                for value in ((scores.f1, scores.recall, scores.false_alarm_rate) if scores else (None, None, None))]

    names = [f"{action} {what}" for action in ("Blocked:", "Flagged or blocked:") for what in ("F1", "recall", "false alarms")]
    blocks = _table(runs, "Actions of the policy against strict labels, %", names, row)
    by_list = _table(runs, "Decided by a deny list, without the model", ["Rows"], lambda m: [count(m.n_by_list)] if m.n_by_list else None)
    return Section("What the policy did", [*blocks, *by_list]) if blocks or by_list else None


def speed(runs: Runs) -> Optional[Section]:
    """How fast it was."""
    def row(metrics: SetMetrics) -> Optional[Sequence[str]]:
        if metrics.rows_per_s is None and metrics.tokens_per_s is None and metrics.ms_per_row is None:
            return None
        return [plain(metrics.rows_per_s, 1), plain(metrics.tokens_per_s, 0), plain(metrics.ms_per_row, 2)]

    blocks = _table(runs, "On this machine, in batches", ["Rows/s", "Tokens/s", "ms a row"], row)
    return Section("Speed", blocks) if blocks else None


def labels(runs: Runs) -> Section:
    """What the data says, and what the model said."""
    def row(metrics: SetMetrics) -> Sequence[str]:
        names = ("Safe", "Controversial", "Unsafe")
        missed = metrics.n_not_judged
        return [count(metrics.n_labelled), *(count(metrics.gold.get(name)) for name in names),
                *(count(metrics.predicted.get(name)) for name in names), Strong(count(missed)) if missed else count(missed)]

    blocks = _table(runs, "Labels and verdicts (rows)", ["Labelled", *(f"Label {name}" for name in ("Safe", "Controversial", "Unsafe")),
                                                        *(f"Verdict {name}" for name in ("Safe", "Controversial", "Unsafe")),
                                                        "Not judged"], row)
    return Section("Labels and verdicts", blocks or [Notes([f"No sets {DASH} nothing was run."])])
