"""How well a score puts the rows that matter before the others."""

from __future__ import annotations

import numpy as np
from torch import Tensor

FALSE_ALARMS = 0.01
BLOCK = 512
"""Labels that are sorted at a time, which bounds the memory."""


def ranking(score: Tensor, alarm: Tensor) -> dict[str, float]:
    """average_precision, and recall_at_1pct: the share of alarms found while at most 1 % of the other rows are called one.

    score: (rows,), higher is more suspicious. alarm: (rows,) bool, with rows of both kinds.
    """
    from sklearn.metrics import average_precision_score, roc_curve  # a second of imports that training does not need

    truth, values = alarm.numpy(), score.double().numpy()
    false, found, _ = roc_curve(truth, values, drop_intermediate=False)
    return {
        "average_precision": float(average_precision_score(truth, values)),
        "recall_at_1pct": float(np.max(found[false <= FALSE_ALARMS])),
    }


def average_precisions(scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(labels,) float64: average precision of each label over the rows, NaN for one that no row has.

    scores: (rows, labels), higher is likelier. truth: (rows, labels) bool. Rows of equal score come in together.
    """
    blocks = range(0, scores.shape[1], BLOCK)
    return np.concatenate([_average_precisions(scores[:, i : i + BLOCK], truth[:, i : i + BLOCK]) for i in blocks])


def _average_precisions(scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
    rows = len(scores)
    order = np.argsort(-scores, axis=0, kind="stable")
    ordered, true = (np.take_along_axis(values, order, 0) for values in (scores, truth))
    precision = np.cumsum(true, axis=0) / np.arange(1, rows + 1)[:, None]
    place = np.broadcast_to(np.arange(rows)[:, None], ordered.shape)
    ends = np.where(np.concatenate([ordered[1:] != ordered[:-1], np.ones_like(true[:1])]), place, rows)
    ends = np.minimum.accumulate(ends[::-1], axis=0)[::-1]  # where the rows of the same score end
    with np.errstate(invalid="ignore"):
        return (true * np.take_along_axis(precision, ends, 0)).sum(0) / true.sum(0)
