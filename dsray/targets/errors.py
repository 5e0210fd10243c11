"""What a report shows of answers that are numbers: errors and intervals by the size of the truth, and both together."""

from __future__ import annotations

from typing import Any

import numpy as np

from dsray.targets.numbers import tolerated, written

PARTS, CELLS = 10, 12


def errors_by_truth(
    truth: np.ndarray, answer: np.ndarray, half: np.ndarray | None, tolerance: float, scale: float
) -> dict[str, Any]:
    """A table of the tenths of the rows by truth. All (rows,) float64 in units of the column, NaN for no truth; half: of
    the width of the interval, None where there is none."""
    there = np.isfinite(truth)
    truth, error = truth[there], (answer - truth)[there]
    edges = np.quantile(truth, np.arange(1, PARTS) / PARTS) if len(truth) else truth
    tenth = np.searchsorted(np.unique(edges), truth, side="right")
    rows = []
    for one in np.unique(tenth):
        part = np.flatnonzero(tenth == one)
        bias, size = written(error[part].mean(), scale), written(np.abs(error[part]).mean(), scale)
        near = float((np.abs(error[part]) <= tolerance).mean())
        line = [_range(truth[part], scale), len(part), bias, size, near]
        if half is not None:
            within = half[there][part]
            line += [float((np.abs(error[part]) <= within).mean()), written(2 * within.mean(), scale)]
        rows.append(line)
    columns = [["truth", None], ["rows", "count"], ["mean error", None], ["mean absolute error", None]]
    columns.append([f"within {tolerated(tolerance, scale)}", "share"])
    return {
        "title": "Errors by size of the truth",
        "columns": columns + ([["within the interval", "share"], ["mean width", None]] if half is not None else []),
        "rows": rows,
        "note": "Each line is a tenth of the rows, or more where truths are equal. The interval holds the truth as often as it "
        "should over all rows, not in each line.",
    }


def _range(truth: np.ndarray, scale: float) -> str:
    low, high = written(truth.min(), scale), written(truth.max(), scale)
    return low if low == high else f"{low} to {high}"


def truth_and_answer(truth: np.ndarray, answer: np.ndarray, tolerance: float, scale: float) -> dict[str, Any]:
    """A heat map of rows counted by truth and answer, over the range in which 98 % of either lie; the others are at its rim."""
    there = np.isfinite(truth) & np.isfinite(answer)
    both = np.concatenate([truth[there], answer[there]])
    low, high = np.quantile(both, [0.01, 0.99]) if len(both) else (0.0, 1.0)
    edges = np.linspace(low, high if high > low else low + 1, CELLS + 1)
    cells = [
        np.clip(np.searchsorted(edges, values[there], side="right") - 1, 0, CELLS - 1) for values in (truth, answer)
    ]
    counts = np.bincount(cells[0] * CELLS + cells[1], minlength=CELLS**2).reshape(CELLS, CELLS)
    names = [written(value, scale) for value in (edges[:-1] + edges[1:]) / 2]
    return {
        "title": "Truth and answer",
        "values": counts.tolist(),
        "rows": names,
        "columns": names,
        "row_name": "truth",
        "column_name": "answer",
        "note": f"Rows counted; an answer that is the truth is on the diagonal, and right within {tolerated(tolerance, scale)} of it.",
    }
