# SPDX-License-Identifier: Apache-2.0
"""Numbers taken from results.json, for the table and the plot."""

import math
from dataclasses import dataclass
from statistics import median

# Bytes of a packed weight with its share of the scales: int8 has a bfloat16 scale for 64 columns, int4 for 32.
PACKED_BYTES = {"int8": 1 + 2 / 64, "int4": 0.5 + 2 / 32}
BOUND_FACTOR = 1.15  # a token should cost at most this much more than reading the weights once


@dataclass(frozen=True)
class Figure:
    """Milliseconds, or whatever the field holds: the best (smallest) and the median of n runs."""

    best: float
    median: float
    n: int

    @staticmethod
    def of(values: list[float]) -> "Figure | None":
        return Figure(min(values), median(values), len(values)) if values else None


def times(results: dict, variant: str, work: str) -> Figure | None:
    runs = results["variants"].get(variant, [])
    return Figure.of([ms for run in runs for ms in run["ms"].get(work, [])])


def field(results: dict, variant: str, name: str) -> Figure | None:
    runs = results["variants"].get(variant, [])
    return Figure.of([run[name] for run in runs if run.get(name) is not None])


def decode_without_vocabulary(results: dict, variant: str) -> tuple[Figure | None, bool]:
    """One token after some history; True when the variant could not leave out the vocabulary."""
    for work in ("chunk_1", "decode_headless"):
        figure = times(results, variant, work)
        if figure:
            return figure, False
    return times(results, variant, "decode"), True


def stream_weights(config: dict) -> int:
    """Weights that a Stream model reads for one token: all matrices except the embedding."""
    c = config
    q, kv = c["num_attention_heads"] * c["head_dim"], c["num_key_value_heads"] * c["head_dim"]
    layer = c["hidden_size"] * (2 * q + 2 * kv + 3 * c["intermediate_size"])
    inner = c["guard_inner_size"]
    heads = 2 * inner * c["hidden_size"] + inner * (c["num_risk_level"] + c["num_category"] +
                                                    c["num_query_risk_level"] + c["num_query_category"])
    return c["num_hidden_layers"] * layer + heads


def read_speed(results: dict) -> float | None:
    """GB/s, the best that our own program measured in any run."""
    speeds = [run["facts"]["peaks"].get("read_gb_s") for runs in results["variants"].values() for run in runs
              if run["facts"].get("peaks")]
    speeds = [speed for speed in speeds if speed]
    return max(speeds) if speeds else None


def stream_bound_ms(results: dict, precision: str) -> float | None:
    speed = read_speed(results)
    if speed is None:
        return None
    n_bytes = stream_weights(results["config"]) * PACKED_BYTES[precision]
    return BOUND_FACTOR * n_bytes / (speed * 1e9) * 1e3


def short(value: float) -> str:
    """Three significant digits."""
    if value == 0 or not math.isfinite(value):
        return str(value)
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{digits}f}"
