# SPDX-License-Identifier: Apache-2.0
"""Which categories were taken for which, as in Figure 5 of the technical report."""

from . import _canvas, _style
from ._content import Figure
from ._metrics import Confusion
from ._text import clean, percent

_SHORT = {
    "Non-violent Illegal Acts": "Non-violent",
    "Sexual Content or Sexual Acts": "Sexual",
    "Suicide & Self-Harm": "Suicide",
    "Unethical Acts": "Unethical",
    "Politically Sensitive Topics": "Political",
    "Copyright Violation": "Copyright",
    "Personally Identifiable Information": "PII",
}


def short_category(name: str) -> str:
    """A category as the technical report's figures call it."""
    return _SHORT.get(name, clean(name, 14))


def confusion(name: str, set_name: str, found: Confusion) -> Figure:
    """Colour is the share of the row, numbers are rows of data."""
    n = len(found.labels)
    figure = _canvas.new_figure(4.2)
    axes = figure.add_subplot()
    axes.set_title(clean(set_name, 36))
    axes.set(xlim=(-0.5, n - 0.5), ylim=(n - 0.5, -0.5), xlabel="Named by the model", ylabel="Label of the data")
    for i, row in enumerate(found.counts):
        total = sum(row)
        for j, value in enumerate(row):
            share = value / total if total else 0.0
            axes.add_patch(_rectangle(j, i, share))
            if value:
                axes.text(j, i, f"{value:,}", ha="center", va="center", fontsize=8.5 if value < 1000 else 7,
                          color=_style.PAPER if share > 0.5 else _style.INK)
    labels = [short_category(label) for label in found.labels]
    axes.set_xticks(range(n), labels, rotation=90)
    axes.set_yticks(range(n), labels)
    axes.grid(visible=False)
    axes.tick_params(length=0)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    said = "; ".join(f"{labels[i]}: {row[i]} of {sum(row)} named so" for i, row in enumerate(found.counts) if sum(row))
    alt = f"Category confusion on {clean(set_name, 60)}. {said or 'No rows'}. Accuracy {percent(found.accuracy)} percent."
    caption = f"Category confusion, {clean(set_name, 60)}: accuracy {percent(found.accuracy)} %."
    return Figure(caption, _canvas.to_svg(figure, name, alt), alt)


def _rectangle(x: float, y: float, share: float) -> object:
    from matplotlib.patches import Rectangle
    return Rectangle((x - 0.47, y - 0.47), 0.94, 0.94, linewidth=0, facecolor=_style.STRICT if share else _style.GRID,
                     alpha=0.12 + 0.88 * share if share else 0.35)
