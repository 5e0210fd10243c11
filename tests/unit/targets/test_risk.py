"""Risk against coverage, the area under it, and the AUROC."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from dsray.targets.risk import auroc, risk_coverage


def test_the_curve_has_a_point_for_each_confidence() -> None:
    curve = risk_coverage(np.array([0.9, 0.5, 0.9, 0.7]), np.array([True, False, True, False]))

    assert curve.confidence.tolist() == [0.9, 0.7, 0.5]
    assert curve.coverage.tolist() == [0.5, 0.75, 1.0]
    assert curve.risk.tolist() == pytest.approx([0, 1 / 3, 0.5])


def test_the_area_is_the_mean_risk_over_the_rows_and_knows_no_order_among_equals() -> None:
    confidence, right = np.array([0.9, 0.8, 0.7, 0.7]), np.array([True, False, True, False])

    area = risk_coverage(confidence, right).area

    assert area == pytest.approx((0 + 1 / 2 + 1.5 / 3 + 2 / 4) / 4)
    assert risk_coverage(confidence[::-1], right[::-1]).area == area


def test_the_area_of_many_rows_is_that_of_the_definition() -> None:
    numbers = np.random.default_rng(0)
    confidence = numbers.random(2000)
    right = numbers.random(2000) < confidence
    wrong = np.cumsum(~right[np.argsort(-confidence)])

    assert risk_coverage(confidence, right).area == pytest.approx(float((wrong / np.arange(1, 2001)).mean()))


def test_a_hundred_points_stand_for_any_number_of_rows() -> None:
    numbers = np.random.default_rng(0)
    points = risk_coverage(numbers.random(5000), numbers.random(5000) < 0.8).points(100)

    assert len(points) == 100
    assert points[0][0] == pytest.approx(0.01) and points[-1][0] == 1.0


def test_what_is_not_a_number_is_the_least_sure() -> None:
    curve = risk_coverage(np.array([np.nan, 0.1]), np.array([False, True]))

    assert curve.risk.tolist() == [0.0, 0.5]


def test_auroc_is_scikit_learns_also_with_ties() -> None:
    numbers = np.random.default_rng(0)
    score, positive = numbers.integers(0, 20, 500) / 20, numbers.random(500) < 0.3

    assert auroc(score, positive) == pytest.approx(roc_auc_score(positive, score))
