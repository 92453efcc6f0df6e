# SPDX-License-Identifier: Apache-2.0
"""How often rows with a score were unsafe: the reliability diagram."""

from typing import List, Tuple

from . import _canvas, _style
from ._content import Figure
from ._metrics import Reliability
from ._text import clean, percent, plain


def reliability(name: str, set_name: str, found: List[Tuple[str, Reliability]]) -> Figure:
    """Above the rate of each bin, below how many rows it has."""
    figure = _canvas.new_figure(4.3)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    upper.set_title(clean(set_name, 36))
    upper.plot([0, 100], [0, 100], color=_style.SOFT, linewidth=1, linestyle=(0, (4, 3)), label="as it should be")
    said = []
    for i, (label, part) in enumerate(found):
        colour, marker = ((_style.STRICT, "o"), (_style.LOOSE, "s"))[i]
        known = [b for b in part.bins if b.n and b.mean_score is not None and b.unsafe_rate is not None]
        legend = f"{label} ECE {plain(part.ece)}, Brier {plain(part.brier)}".strip()
        upper.plot([100 * (b.mean_score or 0) for b in known], [100 * (b.unsafe_rate or 0) for b in known], marker + "-", color=colour,
                   markersize=6, linewidth=1.6, markerfacecolor=colour if i == 0 else _style.PAPER, label=legend, clip_on=False, zorder=4)
        width = 100 / max(len(part.bins), 1) / len(found)
        lower.bar([100 * (b.low or 0) + width * (i + 0.5) for b in part.bins], [b.n for b in part.bins], width=width * 0.88,
                  color=colour)
        said.append(f"{legend}; " + ", ".join(f"score {percent(b.mean_score, 0)}: {percent(b.unsafe_rate, 0)} unsafe of {b.n}"
                                              for b in known))
    upper.set(xlim=(0, 100), ylim=(0, 102), ylabel="Labelled unsafe, %")
    upper.set_yticks(range(0, 101, 20))
    lower.set(xlabel="Strict score, %", ylabel="Rows")
    lower.set_xticks(range(0, 101, 20))
    lower.set_ylim(bottom=0)
    lower.yaxis.get_major_locator().set_params(nbins=2, integer=True)
    lower.grid(visible=False, axis="x")
    figure.legend(loc="outside lower left", ncols=1)
    alt = f"Reliability diagram of {clean(set_name, 60)}, in percent. {'; '.join(said)}."
    return Figure(f"Reliability, {clean(set_name, 60)}.", _canvas.to_svg(figure, name, alt), alt)
