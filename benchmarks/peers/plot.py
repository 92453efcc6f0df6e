# SPDX-License-Identifier: Apache-2.0
"""results.json as a plot: one panel of bars for each work, ours in another colour."""

from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402  the backend is chosen first
from figures import decode_without_vocabulary, field, stream_bound_ms, times  # noqa: E402

OURS, THEIRS, BOUND = "#1f6f8b", "#c4bbaf", "#a23b2a"


def panels(results: dict) -> list[tuple[str, dict[str, float]]]:
    """Title and a figure for each variant that has it."""

    def best(get, names):
        found = {name: get(name) for name in names}
        return {name: figure.best for name, figure in found.items() if figure}

    variants = list(results["variants"])
    lms = [name for name in variants if not name.startswith("ours-stream")]
    streams = [name for name in variants if not name.startswith("ours-gen")]
    speed = best(lambda name: times(results, name, "prefill_128"), lms)
    return [
        ("Prefill of 128 tokens (tokens/s, more is better)", {name: 128e3 / ms for name, ms in speed.items()}),
        ("Verdict, prefix kept (ms)", best(lambda name: times(results, name, "verdict_prefix_all"), lms)),
        ("Verdict as the model card does it (ms)", best(lambda name: times(results, name, "verdict_whole"), lms)),
        ("One Stream token (ms)", best(lambda name: decode_without_vocabulary(results, name)[0], streams)),
        ("Loading (ms)", best(lambda name: field(results, name, "load_ms"), lms)),
        ("Peak memory (MiB)", best(lambda name: field(results, name, "peak_rss_mb"), lms)),
    ]


def write_svg(results: dict, path: Path) -> None:
    plt.rcParams.update({"svg.hashsalt": "peers", "font.size": 8, "axes.titlesize": 9})
    figure, axes = plt.subplots(2, 3, figsize=(13, 7))
    for axis, (title, bars) in zip(axes.flat, panels(results)):
        names = list(bars)[::-1]
        drawn = axis.barh(names, [bars[name] for name in names],
                          color=[OURS if name.startswith("ours") else THEIRS for name in names])
        axis.bar_label(drawn, fmt="%.4g", padding=2)
        axis.margins(x=0.18)
        axis.set_title(title)
        axis.spines[["top", "right"]].set_visible(False)
        if title.startswith("One Stream"):
            for precision in ("int8", "int4"):
                bound = stream_bound_ms(results, precision)
                if bound:
                    axis.axvline(bound, color=BOUND, linewidth=1, linestyle="--")
                    axis.annotate(f"bound {precision}", (bound, -0.45), color=BOUND, fontsize=7, rotation=90)
    figure.suptitle(f"Qwen3Guard {results['shape']}, {results['threads']} threads, {results['machine']['cpu']}")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
