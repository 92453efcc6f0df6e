# SPDX-License-Identifier: Apache-2.0
"""Precision over recall of one set, as in Figure 4 of the technical report."""

from typing import Any, List, Tuple

from . import _canvas, _style
from ._content import Figure
from ._metrics import Scores, SetMetrics
from ._published import PublishedPoint
from ._run import Run
from ._text import clean, percent


def _lowest(found: List[Tuple[Run, SetMetrics]], points: List[PublishedPoint]) -> int:
    """Where both axes can begin so that all points are there, in percent: 0, 20, 40 or 60."""
    ours = [value for _, metrics in found for scores in (metrics.strict, metrics.loose) for value in (scores.precision, scores.recall)]
    shown = [100 * value for value in ours if value is not None] + [value for p in points for value in (p.precision, p.recall)]
    return max(0, min(60, int((min(shown, default=0) - 12) // 20 * 20)))


def _levels(axes: Any) -> None:
    """Where F1 is the same."""
    for f1 in (50, 70, 90):
        recalls = [f1 / 2 + 0.25 + i * (100 - f1 / 2 - 0.25) / 60 for i in range(61)]
        values = [(recall, f1 * recall / (2 * recall - f1)) for recall in recalls]
        shown = [value for value in values if value[1] <= 101]
        axes.plot([x for x, _ in shown], [y for _, y in shown], color=_style.GRID, linewidth=1, linestyle=(0, (2, 2)), zorder=1)
        if f1 * 100 / (200 - f1) > axes.get_ylim()[0]:
            axes.text(100.5, f1 * 100 / (200 - f1), f"F1 {f1}", fontsize=8, color=_style.SOFT, va="center", ha="left")


def _point(axes: Any, scores: Scores, mode: str, label: str) -> bool:
    if scores.precision is None or scores.recall is None:
        return False
    # The diamond is smaller, so that the circle is seen where both are the same.
    colour, marker, size, place = (_style.STRICT, "o", 10.5, 5) if mode == "strict" else (_style.LOOSE, "D", 6.5, 6)
    axes.plot([100 * scores.recall], [100 * scores.precision], marker, color=colour, markersize=size, markeredgewidth=1.6, zorder=place,
              markerfacecolor=_style.PAPER if label == "B" else colour, clip_on=False, label=f"{label} {mode}".strip())
    return True


def _published(axes: Any, points: List[PublishedPoint]) -> None:
    for point in points:
        if point.mode is None:
            axes.text(point.recall, point.precision, point.model[0], fontsize=9, weight="bold", color=_style.SOFT, ha="center",
                      va="center", zorder=4)
        else:
            colour = _style.STRICT if point.mode == "strict" else _style.LOOSE
            axes.plot([point.recall], [point.precision], "*", color=colour, markerfacecolor=_style.PAPER, markersize=11, zorder=4,
                      label=f"8B-Gen {point.mode}, published")


def curve(name: str, set_name: str, found: List[Tuple[Run, SetMetrics]], points: List[PublishedPoint]) -> Figure:
    """One set's, with the points of the technical report where it has them."""
    figure = _canvas.new_figure(4.3 if points or len(found) > 1 else 4.0)
    axes = figure.add_subplot()
    axes.set_title(clean(set_name, 36))
    low = _lowest(found, points)
    axes.set(xlim=(low, 100), ylim=(low, 101), xlabel="Recall, %", ylabel="Precision, %")
    axes.set_xticks(range(low, 101, 20 if low < 40 else 10))
    axes.set_yticks(range(low, 101, 20 if low < 40 else 10))
    _levels(axes)
    said = []
    for run, metrics in found:
        known = [(100 * p.recall, 100 * p.precision) for p in metrics.curve if p.recall is not None and p.precision is not None]
        if known:
            axes.plot([x for x, _ in known], [y for _, y in known], color=_style.INK if run.label != "B" else _style.THIRD,
                      linewidth=1.6, linestyle="--" if run.label == "B" else "-", zorder=3,
                      label=f"{run.label} all thresholds".strip())
        for mode, scores in (("strict", metrics.strict), ("loose", metrics.loose)):
            _point(axes, scores, mode, run.label)
            said.append(f"{run.label} {mode}: precision {percent(scores.precision)}, recall {percent(scores.recall)}".strip())
    _published(axes, points)
    figure.legend(loc="outside lower left", ncols=2, handletextpad=0.5, columnspacing=1.0)
    alt = f"Precision over recall on {clean(set_name, 60)}, in percent. {'; '.join(said)}."
    if points:
        alt += " Published: " + "; ".join(f"{p.model}{' ' + p.mode if p.mode else ''} {p.precision:g}, {p.recall:g}" for p in points) + "."
    caption = f"Precision and recall, {clean(set_name, 60)}."
    if any(point.mode is None for point in points):
        caption += " Letters: " + ", ".join(f"{p.model[0]} {p.model}" for p in points if p.mode is None) + " (published, Figure 4)."
    return Figure(caption, _canvas.to_svg(figure, name, alt), alt)
