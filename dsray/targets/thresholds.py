"""The threshold of each label that makes its F1 on some rows highest."""

from __future__ import annotations

import numpy as np

FEWEST = 5
"""Rows with a label below which its threshold stays 0.5: the highest F1 of fewer says little of other rows."""
BLOCK = 512
"""Labels that are sorted at a time, which bounds the memory."""
FAR = 30.0
"""Logits between which thresholds lie, so that a probability in double precision tells them apart."""


def best_thresholds(logits: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(labels,) float64 in (0, 1): a label is given where its probability is above the threshold.

    logits: (rows, labels). truth: (rows, labels) bool. Of thresholds with the same F1 the one nearest 0.5; a label of
    fewer than FEWEST rows keeps 0.5.
    """
    found = [_cuts(logits[:, i : i + BLOCK], truth[:, i : i + BLOCK]) for i in range(0, logits.shape[1], BLOCK)]
    cuts = np.concatenate(found).astype(np.float64)
    return np.where(truth.sum(0) < FEWEST, 0.5, 1 / (1 + np.exp(-np.clip(cuts, -FAR, FAR))))


def cuts_of(thresholds: np.ndarray) -> np.ndarray:
    """(labels,) float32: the logits of such thresholds."""
    return (np.log(thresholds) - np.log1p(-thresholds)).astype(np.float32)


def _cuts(logits: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(labels,): the logit above which a label is given. Place k of the sorted logits stands for giving the k + 1 highest."""
    order = np.argsort(-logits, axis=0, kind="stable")
    high = np.take_along_axis(logits, order, 0)
    low = np.concatenate([high[1:], np.minimum(high[-1:], 0) - 1])
    right = np.cumsum(np.take_along_axis(truth, order, 0), axis=0)
    f1 = 2 * right / (np.arange(1, len(logits) + 1)[:, None] + truth.sum(0))
    f1[high == low] = -1  # equal logits are given together
    middle = (high + low) / 2
    cut = np.where((low <= 0) & (high > 0), 0, np.where(middle < high, middle, low))
    best = f1 >= f1.max(0) - 1e-12
    nearest = np.where(best, np.abs(cut), np.inf).argmin(0)
    return np.take_along_axis(cut, nearest[None], 0)[0]
