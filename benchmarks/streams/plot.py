# SPDX-License-Identifier: Apache-2.0
"""The lines of figure9_bench (standard input) as an SVG: python plot.py OUT.svg"""

import json
import sys

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402  the backend is chosen first

STYLES = {
    "resubmit": ("Gen, resubmitted every 32 tokens", "#a23b2a", "o"),
    "reuse": ("Gen behind a stream, every 32 tokens", "#c08a2d", "s"),
    "stream": ("Stream, every token", "#1f6f8b", "^"),
}


def main(path: str) -> None:
    rows = [json.loads(line) for line in sys.stdin if line.strip()]
    plt.rcParams.update({"svg.hashsalt": "streams", "font.size": 9})
    figure, axes = plt.subplots(1, 2, figsize=(10, 4))
    for method, (label, color, marker) in STYLES.items():
        mine = [row for row in rows if row["method"] == method]
        lengths = [row["tokens"] for row in mine]
        axes[0].plot(lengths, [row["total_ms"] / 1000 for row in mine], color=color, marker=marker, markersize=3,
                     label=label)
        axes[1].plot(lengths, [row["last_ms"] for row in mine], color=color, marker=marker, markersize=3)
    axes[0].set_title("Time spent on judging the response so far (s)")
    axes[1].set_title("Time of the last verdict (ms)")
    axes[1].set_yscale("log")
    for axis in axes:
        axis.set_xlabel("tokens of the response")
        axis.set_ylim(bottom=0 if axis is axes[0] else None)
        axis.grid(True, color="#dddddd", linewidth=0.5)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
