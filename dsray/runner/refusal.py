"""What refusal comes to on a split: risk against coverage, and how well confidence tells rows that are out of scope."""

from __future__ import annotations

from typing import Any

import numpy as np

from dsray.engine import Evaluation
from dsray.targets import TargetSpec
from dsray.targets.risk import auroc, risk_coverage

POINTS = 100
"""Of the curve that the report draws."""


def refusal_figures(found: Evaluation, target: TargetSpec) -> dict[str, float]:
    """coverage, accuracy_answered (where anything is), aurc, and auroc_out_of_scope where rows of both kinds are there.

    Empty of a model that answers every row. A row whose target the model does not know is out of scope, and its answer
    wrong. target: as it was calibrated on the model.
    """
    if target.working_point is None:
        return {}
    answered = ~target.refused(found.logits.numpy())
    confidence, right, known = found.confidence.numpy(), found.right.numpy(), target.known(found.target.numpy())
    figures = {"coverage": float(answered.mean()), "aurc": risk_coverage(confidence, right).area}
    if answered.any():
        figures["accuracy_answered"] = float(right[answered].mean())
    if known.any() and not known.all():
        figures["auroc_out_of_scope"] = auroc(np.nan_to_num(confidence, nan=-1.0), known)
    return figures


def refusal_detail(found: Evaluation, target: TargetSpec) -> dict[str, Any]:
    """`curve`: at most 100 [coverage, risk]; `working_point`: where refusal begins, and what it came to when chosen."""
    curve = risk_coverage(found.confidence.numpy(), found.right.numpy()).points(POINTS)
    point = target.working_point
    return {"curve": curve, "working_point": point and point.model_dump(mode="json")}
