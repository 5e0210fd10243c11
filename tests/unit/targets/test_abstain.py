"""Refusal: what the file may say, the threshold that is chosen by it, and what becomes of an answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from dsray.base import RequestError
from dsray.data import DataConfig
from dsray.targets import Abstain, ClassesSpec, ClassesTarget

SPEC = ClassesSpec(column="label", classes=("no", "yes"))


def _answers(rows: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """Logits of rising confidence, and targets of which the five least sure and one of the surest are not met."""
    logits = np.stack([np.zeros(rows), np.linspace(0.1, 4, rows)], 1).astype(np.float32)
    target = np.ones(rows, dtype=np.int64)
    target[[0, 1, 2, 3, 4, rows - 10]] = 0
    return logits, target


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({}, "give one of coverage and error_rate, a share between 0 and 1"),
        ({"coverage": 0.9, "error_rate": 0.1}, "give one of coverage and error_rate, not both"),
        ({"coverage": 1.0}, "less than 1"),
        ({"coverage": 0}, "greater than 0"),
        ({"error_rate": -0.1}, "greater than 0"),
        ({"error_rate": 1.5}, "less than 1"),
        ({"share": 0.9}, "unknown key share"),
    ],
)
def test_one_share_between_0_and_1(said: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        DataConfig.model_validate({"source": "digits", "target": {"abstain": said}})


def test_the_short_form_may_stand_beside_refusal_and_is_written_back_without_it_alone() -> None:
    said = {"source": "digits", "label": "digit"}
    plain = DataConfig.model_validate(said)
    refusing = DataConfig.model_validate({**said, "target": {"abstain": {"coverage": 0.9}}})

    assert plain.model_dump()["label"] == "digit"
    assert refusing.target == ClassesTarget(column="digit", abstain=Abstain(coverage=0.9))
    dumped = refusing.model_dump(mode="json")
    assert "label" not in dumped and DataConfig.model_validate(dumped) == refusing


def test_the_highest_threshold_that_answers_the_share() -> None:
    logits, target = _answers()
    spec = SPEC.replace(abstain=Abstain(coverage=0.95)).calibrated(logits, target)

    point = spec.working_point
    assert point is not None and point.coverage == 0.95 and point.rows == 100
    assert point.error_rate == pytest.approx(1 / 95)
    assert [answer["refused"] for answer in spec.replies(logits)] == 5 * [True] + 95 * [False]


def test_the_lowest_threshold_that_keeps_to_the_error_rate() -> None:
    logits, target = _answers()
    spec = SPEC.replace(abstain=Abstain(error_rate=0.03)).calibrated(logits, target)

    point = spec.working_point
    assert point is not None and point.error_rate is not None
    answered = round(point.coverage * 100)
    assert answered == 96 and point.error_rate == pytest.approx(2 / 96)  # 3 of 97 would be more than 3 %


def test_where_no_threshold_keeps_to_the_error_rate_nothing_is_answered() -> None:
    logits, target = _answers()
    spec = SPEC.replace(abstain=Abstain(error_rate=0.01)).calibrated(logits, np.zeros_like(target))

    assert spec.working_point is not None
    assert spec.working_point.threshold is None and spec.working_point.coverage == 0.0
    assert all(answer["refused"] for answer in spec.replies(logits))


def test_a_refused_answer_keeps_confidence_and_probabilities() -> None:
    logits, target = _answers()
    spec = SPEC.replace(abstain=Abstain(coverage=0.5)).calibrated(logits, target)

    first, last = (spec.replies(logits)[row] for row in (0, -1))

    assert first["refused"] is True and first["label"] is None
    assert first["confidence"] == pytest.approx(0.525, abs=0.001) and len(first["probabilities"]) == 2
    assert last["refused"] is False and last["label"] == "yes"
    assert spec.predictions([first, last])["prediction"].to_pylist() == [None, "yes"]


def test_an_answer_alone_is_refused_as_it_is_among_others() -> None:
    logits, target = _answers()
    spec = SPEC.replace(abstain=Abstain(coverage=0.5)).calibrated(logits, target)

    together = [answer["refused"] for answer in spec.replies(logits)]
    assert [spec.replies(logits[i : i + 1])[0]["refused"] for i in range(100)] == together
    assert sum(together) == 50


def test_a_confidence_that_is_not_a_number_is_refused() -> None:
    logits, target = _answers()
    spec = SPEC.replace(abstain=Abstain(coverage=0.5)).calibrated(logits, target)
    logits[-1] = np.nan

    assert spec.replies(logits)[-1]["refused"] is True


@pytest.mark.parametrize(
    ("said", "needed"), [({"coverage": 0.99}, 100), ({"error_rate": 0.01}, 100), ({"coverage": 0.6}, 20)]
)
def test_too_few_validation_rows(said: dict[str, float], needed: int) -> None:
    logits, target = _answers(needed - 1)
    with pytest.raises(RequestError, match=rf"^data.target.abstain.\w+: .* needs at least {needed} validation rows"):
        SPEC.replace(abstain=Abstain(**said)).calibrated(logits, target)


def test_without_calibration_it_is_as_it_was_learnt_and_answers_say_nothing_of_refusal() -> None:
    train = pa.table({"label": ["no", "yes"]})
    spec = ClassesTarget(column="label", abstain=Abstain(coverage=0.9)).learn(train)
    logits, target = _answers()

    assert spec.abstain == Abstain(coverage=0.9)
    assert spec.calibrated(logits, target).uncalibrated() == spec
    assert "refused" not in SPEC.calibrated(logits, target).replies(logits)[0]
