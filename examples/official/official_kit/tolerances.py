# SPDX-License-Identifier: Apache-2.0
"""How far two correct float32 forwards of the same weights may be apart; the derivation is docs/numerics.md, "The bound".

u = 2^-24 is float32's unit roundoff. A product over K columns has an error of about sqrt(K) u relative to its result's
natural scale, a layer has seven products, and the layers' errors add up as independent ones: sqrt(7 L K) u relative to the
residual stream, and the same relative to the logits' scale. Both sides make it: times sqrt(2). transformers also rounds rotary
angles to float32, where this runtime has double: at position T an error of T u f for a pair of frequency f, in each layer;
over a head's pairs that is T u rms(f).

The largest of N independent normal errors exceeds z sigma with a probability of at most N exp(-z^2 / 2); z makes that one in
a million. Nothing is fitted: the figures only ask for config.json, the tokens and how many logits are compared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

UNIT_ROUNDOFF = 2.0**-24
PRODUCTS_PER_LAYER = 7
CHANCE = 1e-6  # that a correct runtime fails a check


@dataclass(frozen=True)
class LogitTolerance:
    """Absolute errors, for logits whose standard deviation is the scale given."""

    expected: float  # standard deviation of the difference
    largest: float  # of all logits compared

    @property
    def mean(self) -> float:
        """Of the mean absolute difference: the root of the mean square is never below it."""
        return 2 * self.expected

    @property
    def probability(self) -> float:
        """A softmax's entry moves by at most half of what each logit may move: p (1 - p) <= 1/4, two logits."""
        return self.largest / 2

    @property
    def kl(self) -> float:
        """KL of two softmaxes whose logits differ by e is half the variance of e under p, at most half the largest e squared."""
        return self.largest**2 / 2

    @property
    def margin(self) -> float:
        """Two logits that are closer may change places."""
        return 2 * self.largest


def rope_theta(config: dict) -> float:
    parameters = config.get("rope_parameters") or {}
    return float(config.get("rope_theta") or parameters.get("rope_theta") or 10000.0)


def frequency_rms(config: dict) -> float:
    """Root of the mean square of a head's rotary frequencies."""
    half = config["head_dim"] // 2
    return math.sqrt(sum(rope_theta(config) ** (-2 * i / half) for i in range(half)) / half)


def logit_tolerance(config: dict, n_tokens: int, n_values: int, scale: float) -> LogitTolerance:
    """n_tokens: of the longest sequence; n_values: logits that are compared in all; scale: their standard deviation."""
    columns = max(config["hidden_size"], config["intermediate_size"], config["num_attention_heads"] * config["head_dim"])
    products = 2 * PRODUCTS_PER_LAYER * columns
    angles = (n_tokens * frequency_rms(config)) ** 2
    expected = UNIT_ROUNDOFF * math.sqrt(config["num_hidden_layers"] * (products + angles)) * scale
    z = math.sqrt(2 * math.log(n_values / CHANCE))
    return LogitTolerance(expected, z * expected)


def log_softmax(logits: np.ndarray) -> np.ndarray:
    logits = logits.astype(np.float64)
    logits = logits - logits.max(axis=-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def kl_divergence(reference: np.ndarray, ours: np.ndarray) -> np.ndarray:
    """In nats, over the last axis."""
    p, q = log_softmax(reference), log_softmax(ours)
    return np.maximum((np.exp(p) * (p - q)).sum(axis=-1), 0.0)


def margin(logits: np.ndarray) -> np.ndarray:
    """Between the best and the second best entry, over the last axis."""
    best = np.partition(logits, -2, axis=-1)
    return best[..., -1] - best[..., -2]
