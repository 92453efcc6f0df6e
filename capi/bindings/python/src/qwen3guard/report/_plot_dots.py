# SPDX-License-Identifier: Apache-2.0
"""F1 in both modes, one line a set or a language."""

import dataclasses
from typing import Any, List, Sequence

from . import _canvas, _style
from ._content import Figure
from ._metrics import Scores
from ._text import clean, percent


@dataclasses.dataclass(frozen=True)
class DotLine:
    """One run's scores under a name."""
    name: str
    run_label: str
    strict: Scores
    loose: Scores


def _dot(axes: Any, scores: Scores, y: float, colour: str, marker: str, is_hollow: bool) -> None:
    if scores.f1 is None:
        return
    if scores.f1_interval is not None:
        axes.plot([100 * end for end in scores.f1_interval], [y, y], color=colour, linewidth=1.6, alpha=0.6, solid_capstyle="butt")
    axes.plot([100 * scores.f1], [y], marker, color=colour, markersize=6.5, markeredgewidth=1.4,
              markerfacecolor=_style.PAPER if is_hollow else colour)


def _legend(axes: Any, labels: Sequence[str]) -> Any:
    handles = []
    for label in labels:
        is_hollow = label == "B"
        for mode, colour, marker in (("strict", _style.STRICT, "o"), ("loose", _style.LOOSE, "D")):
            handles += axes.plot([], [], marker, color=colour, markersize=6.5, markerfacecolor=_style.PAPER if is_hollow else colour,
                                 label=f"{label} {mode}".strip())
    return handles


def dots(name: str, caption: str, lines: List[DotLine]) -> Figure:
    """Two lines of text high each: the name stands above its dots, where a telephone has no room beside them."""
    names = list(dict.fromkeys(line.name for line in lines))
    labels = list(dict.fromkeys(line.run_label for line in lines))
    figure = _canvas.new_figure(0.9 + len(names) * (0.42 + 0.14 * len(labels)))
    axes = figure.add_subplot()
    step = 1.0 + 0.35 * len(labels)
    for i, line_name in enumerate(names):
        top = i * step
        axes.axhline(top + step - 0.62, color=_style.GRID, linewidth=0.8)
        axes.text(0, top - 0.05, clean(line_name, 44), fontsize=9.5, va="center", ha="left")
        for line in lines:
            if line.name == line_name:
                y = top + 0.5 + 0.35 * labels.index(line.run_label)
                _dot(axes, line.strict, y - 0.06, _style.STRICT, "o", line.run_label == "B")
                _dot(axes, line.loose, y + 0.06, _style.LOOSE, "D", line.run_label == "B")
                if line.strict.f1 is None and line.loose.f1 is None:
                    axes.text(0, y, "not defined", fontsize=9, color=_style.SOFT, va="center")
    axes.set_ylim(len(names) * step - 0.55, -0.55)
    axes.set_xlim(-2, 102)
    axes.set_yticks([])
    axes.set_xticks(range(0, 101, 20))
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("F1 of Unsafe, % (lines: 95 % interval)" if any(line.strict.f1_interval for line in lines) else "F1 of Unsafe, %")
    figure.legend(handles=_legend(axes, labels), loc="outside upper left", ncols=4, handletextpad=0.1, columnspacing=1.0)
    said = "; ".join(f"{clean(line.name, 44)} {line.run_label}".strip() +
                     f": strict {percent(line.strict.f1)}, loose {percent(line.loose.f1)}" for line in lines)
    alt = f"{caption} Dots for F1 in percent. {said}."
    return Figure(caption, _canvas.to_svg(figure, name, alt), alt)
