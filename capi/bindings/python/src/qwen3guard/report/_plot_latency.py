# SPDX-License-Identifier: Apache-2.0
"""When streams were flagged, as in Figure 8 of the technical report."""

from typing import Dict, List, Mapping, Optional, Tuple

from . import _canvas, _style
from ._content import Figure
from ._metrics import Streaming
from ._published import PublishedLatency
from ._text import clean, count

BINS: Dict[str, str] = {
    "Ahead": "before the span",
    "Hit": "inside the span",
    "1-32": "1\u201332 late",
    "33-64": "33\u201364 late",
    "65-128": "65\u2013128 late",
    "129-256": "129\u2013256 late",
    ">256": "more than 256 late",
    "Safe": "never",
}
"""The bins by their names in metrics.json, in the order of time, and what they mean (in tokens)."""


def latency(name: str, set_name: str, found: List[Tuple[str, Streaming]], published: List[PublishedLatency]) -> Figure:
    """Shares of all streams, so that sets of different sizes can stand side by side."""
    series: List[Tuple[str, str, Mapping[str, Optional[int]], int]] = []
    for (label, streaming), colour in zip(found, (_style.STRICT, _style.LOOSE)):
        series.append((f"{label or 'this run'}, n = {streaming.n or 0:,}", colour, streaming.bins, streaming.n or 0))
    for row, colour in zip(published, (_style.FOURTH, _style.THIRD)):
        series.append((f"{row.model.replace('Qwen3Guard-', '')}, published, n = {row.n}", colour, row.bins, row.n))
    figure = _canvas.new_figure(1.3 + len(BINS) * (0.2 + 0.14 * len(series)))
    axes = figure.add_subplot()
    axes.set_title(clean(set_name, 36))
    thick = 0.8 / len(series)
    largest = 1.0
    for i, (label, colour, bins, n) in enumerate(series):
        shares = [(j, 100.0 * (bins.get(bin_name) or 0) / n) for j, bin_name in enumerate(BINS)
                  if n and (i < len(found) or bins.get(bin_name) is not None)]
        largest = max([largest, *(share for _, share in shares)])
        places = [j - 0.4 + thick * (i + 0.5) for j, _ in shares]
        axes.barh(places, [share for _, share in shares], height=thick * 0.92, color=colour, label=label)
        for place, (j, share) in zip(places, shares):
            if i < len(found) or len(series) < 4:
                shown = f"{bins.get(list(BINS)[j]) or 0:,}"
                axes.text(share + 0.8, place, shown, fontsize=8, va="center", color=_style.INK if i < len(found) else _style.SOFT)
    axes.set(xlim=(0, min(112.0, largest * 1.15 + 4)), xlabel="Share of unsafe streams, %")
    axes.set_yticks(range(len(BINS)), list(BINS.values()))
    axes.set_ylim(len(BINS) - 0.45, -0.55)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    figure.legend(loc="outside upper left", ncols=1, handlelength=1.2)
    said = "; ".join(f"{label}: " + ", ".join(f"{text} {count(bins.get(bin_name))}" for bin_name, text in BINS.items())
                     for label, _, bins, _ in series)
    alt = f"Bars: when unsafe streams of {clean(set_name, 60)} were flagged, in tokens after the annotated span. {said}."
    return Figure(f"When unsafe streams were flagged, {clean(set_name, 60)}: tokens behind the annotated span. Numbers are streams.", _canvas.to_svg(figure, name, alt), alt)
