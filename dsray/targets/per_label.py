"""What is told of labels: precision, recall, F1 and average precision of each, and what is doubtful about a column of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from dsray.targets.thresholds import FEWEST

MOST_LISTED = 100
_OTHER_SEPARATORS = ",;|/ \t"


def labels_detail(
    labels: Sequence[str], thresholds: Sequence[float], logits: np.ndarray, given: np.ndarray, truth: np.ndarray
) -> dict[str, Any]:
    """A table of the labels for a report, of the worst ones by F1 where there are many. logits: (rows, labels). given,
    truth: (rows, labels) bool."""
    from dsray.likelihoods.ranking import average_precisions

    right, answers, rows = (values.sum(0) for values in (given & truth, given, truth))
    precision, recall, f1 = (_share(*of) for of in ((right, answers), (right, rows), (2 * right, rows + answers)))
    ranked = average_precisions(logits, truth)
    shown = np.flatnonzero((rows > 0) | (answers > 0))
    shown = shown[np.argsort(f1[shown], kind="stable")][:MOST_LISTED]
    cells = [
        [labels[i], *(float(v[i]) for v in (recall, precision, f1)), *_there(ranked[i]), thresholds[i], int(rows[i])]
        for i in sorted(shown.tolist())
    ]
    said = [f"The {len(cells)} labels of the lowest F1 of {len(labels):,}."] if len(shown) < len(labels) else []
    said.append("A label is given where its probability is above the threshold.")
    columns = [["label", None], ["recall", "share"], ["precision", "share"], ["F1", "share"]]
    columns += [["average precision", "share"], ["threshold", "number"], ["rows", "count"]]
    return {"tables": [{"title": "By label", "columns": columns, "rows": cells, "note": " ".join(said)}]}


def rare_labels(labels: Sequence[str], validation: np.ndarray) -> Iterator[str]:
    """A sentence where labels keep a threshold of 0.5. validation: (labels,) validation rows of each."""
    rare = np.flatnonzero(validation < FEWEST)
    if len(rare):
        some = ", ".join(repr(labels[i]) for i in rare[:3]) + (", ..." if len(rare) > 3 else "")
        have = "has" if len(rare) == 1 else "have"
        yield (
            f"{len(rare):,} of the {len(labels):,} labels ({some}) {have} fewer than {FEWEST} validation rows and "
            f"{'keeps' if len(rare) == 1 else 'keep'} a threshold of 0.5"
        )


def single_labels(column: str, separator: str, labels: Sequence[str], train: np.ndarray) -> Iterator[str]:
    """A sentence where every training row has one label at most. train: (rows, labels) bool."""
    if train.sum(-1).max(initial=0) > 1:
        return
    other = [sign for sign in _OTHER_SEPARATORS if sign != separator and any(sign in name for name in labels)]
    if len(labels) == 1 and not other:
        return  # a label that a row has or not
    hint = f"some hold '{other[0]}', and data.target.separator is '{separator}'" if other else "data.label asks for one"
    yield f"no training row has more than one label in column '{column}'; {hint}"


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """0 where there is nothing to have a share of."""
    return part / np.maximum(whole, 1)


def _there(value: float) -> list[float | None]:
    return [None if np.isnan(value) else float(value)]
