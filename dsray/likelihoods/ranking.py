"""How well a score puts the rows that matter before the others."""

from __future__ import annotations

import numpy as np
from torch import Tensor

FALSE_ALARMS = 0.01


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
