"""Which class is taken for which, and precision, recall and F1 of each."""

from __future__ import annotations

from typing import Any

import numpy as np

from dsray.base.balance import uneven

MOST_DRAWN = 100
"""Classes up to which the whole matrix is kept; beyond, the pairs that are mixed up most often."""
PAIRS = 200


def class_detail(classes: tuple[str, ...], answer: np.ndarray, target: np.ndarray) -> dict[str, Any]:
    """What a report shows. answer, target: (rows,) numbers of classes; a target below 0 is of none.

    `answered` is of all rows, the rest of those of known class.
    """
    n, known = len(classes), target >= 0
    given, true = answer[known], target[known]
    pairs, times = np.unique(true * n + given, return_counts=True)
    rows, answers = (np.bincount(values, minlength=n) for values in (true, given))
    return {
        "classes": list(classes),
        "answered": np.bincount(answer, minlength=n).tolist(),
        "uneven": uneven(rows.tolist()),
        **_confused(pairs, times, n),
        "per_class": _per_class(classes, rows, answers, np.bincount(true[true == given], minlength=n)),
    }


def _confused(pairs: np.ndarray, times: np.ndarray, n: int) -> dict[str, Any]:
    """pairs: class * n + answer, each once; times: how often."""
    if n <= MOST_DRAWN:
        matrix = np.zeros(n * n, dtype=np.int64)
        matrix[pairs] = times
        return {"confusion": matrix.reshape(n, n).tolist()}
    wrong = pairs // n != pairs % n
    order = np.argsort(-times[wrong], kind="stable")[:PAIRS]
    worst = zip((pairs[wrong] // n)[order], (pairs[wrong] % n)[order], times[wrong][order], strict=True)
    return {"confused": [[int(c), int(a), int(k)] for c, a, k in worst], "wrong": int(times[wrong].sum())}


def _per_class(
    classes: tuple[str, ...], rows: np.ndarray, answers: np.ndarray, right: np.ndarray
) -> list[dict[str, Any]]:
    precision, recall, f1 = (_share(*of) for of in ((right, answers), (right, rows), (2 * right, rows + answers)))
    columns = (precision.tolist(), recall.tolist(), f1.tolist(), rows.tolist())
    return [
        {"class": name, "precision": p, "recall": r, "f1": f, "rows": k}
        for name, p, r, f, k in zip(classes, *columns, strict=True)
    ]


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """0 where there is nothing to have a share of."""
    return part.astype(np.float32) / np.maximum(whole, 1).astype(np.float32)
