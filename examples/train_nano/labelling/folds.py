"""Folds for cross-annotation: nobody annotates what he has learnt from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np


def fold_of(group: str, n_folds: int) -> int:
    """The fold of a group of rows (the same prompt, the same family of translations): a hash of its name."""
    return int.from_bytes(hashlib.sha256(group.encode("utf-8")).digest()[:4], "big") % n_folds


def out_of_fold(folds: np.ndarray, fit_and_predict: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
    """Predictions for every row by a model that was fitted on the other folds.

    folds: int [n]. fit_and_predict(train, test) takes two boolean masks [n] and returns predictions [sum(test), ...].
    """
    out: np.ndarray | None = None
    for f in np.unique(folds):
        test = folds == f
        part = fit_and_predict(~test, test)
        if out is None:
            out = np.zeros((len(folds), *part.shape[1:]), part.dtype)
        out[test] = part
    if out is None:
        raise ValueError("out_of_fold: there are no rows")
    return out
