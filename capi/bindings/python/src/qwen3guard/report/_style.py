# SPDX-License-Identifier: Apache-2.0
"""Colours and sizes of the plots. Colours are names of the page's own, so that a plot is dark where the page is: what matplotlib
draws in the stand-in colour `#fe00NN` becomes `var(--name)`."""

from typing import Any, Dict

# Blue, orange, green, purple: told apart by those who see red or green badly, too. Shapes and dashes tell them apart as well.
_NAMES = ("ink", "soft", "grid", "paper", "strict", "loose", "third", "fourth")
STAND_INS: Dict[str, str] = {f"#fe00{i:02x}": f"var(--{name})" for i, name in enumerate(_NAMES)}
INK, SOFT, GRID, PAPER, STRICT, LOOSE, THIRD, FOURTH = STAND_INS

LIGHT = {"ink": "#1b1f24", "soft": "#57606a", "grid": "#d5d9de", "paper": "#ffffff", "strict": "#0065a8", "loose": "#c34f00",
         "third": "#00795a", "fourth": "#9b4f86", "panel": "#f5f6f8", "alarm": "#fff0e6", "alarm-edge": "#c34f00"}
DARK = {"ink": "#e8eaed", "soft": "#a3abb5", "grid": "#3a4049", "paper": "#14171b", "strict": "#5cb4f0", "loose": "#ff9248",
        "third": "#35c79a", "fourth": "#dd9bcb", "panel": "#1d2127", "alarm": "#3a2212", "alarm-edge": "#ff9248"}

WIDTH_INCHES = 4.4
"""So that a telephone of 360 pixels shows a plot's text in the size it has here, 9 to 10 pixels."""

PARAMETERS: Dict[str, Any] = {
    "svg.fonttype": "none", "svg.hashsalt": "qwen3guard", "text.parse_math": False, "axes.formatter.use_mathtext": False,
    "axes.unicode_minus": True, "font.size": 10, "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"],
    "axes.titlesize": 11, "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.labelsize": 10, "xtick.labelsize": 9,
    "ytick.labelsize": 9, "legend.fontsize": 9, "legend.frameon": False, "text.color": INK, "axes.labelcolor": INK,
    "axes.titlecolor": INK, "axes.edgecolor": SOFT, "xtick.color": SOFT, "ytick.color": SOFT, "xtick.labelcolor": INK,
    "ytick.labelcolor": INK, "grid.color": GRID, "grid.linewidth": 0.8, "axes.grid": True, "axes.axisbelow": True,
    "axes.spines.top": False, "axes.spines.right": False, "axes.facecolor": "none", "figure.facecolor": "none",
    "savefig.facecolor": "none", "legend.labelcolor": INK,
}
