"""Figures of refusal on made-up answers."""

from __future__ import annotations

import pytest
import torch

from dsray.base.figures import listed
from dsray.engine import Evaluation
from dsray.likelihoods import Classes
from dsray.runner.refusal import refusal_detail, refusal_figures
from dsray.targets import Abstain, ClassesSpec
from dsray.targets.abstain import WorkingPoint

POINT = WorkingPoint(threshold=0.6, coverage=0.5, error_rate=0.0, rows=40)
SPEC = ClassesSpec(column="label", classes=("no", "yes"), abstain=Abstain(coverage=0.5))


def _found(confidence: list[float], target: list[int]) -> Evaluation:
    """Every answer is yes, of the given confidence."""
    p = torch.tensor(confidence)
    logits = torch.stack([torch.zeros_like(p), (p / (1 - p)).log()], 1)
    return Evaluation(logits, torch.tensor(target), torch.arange(len(p)), Classes(("no", "yes")))


def test_coverage_and_accuracy_of_what_is_answered() -> None:
    found = _found([0.9, 0.8, 0.7, 0.55], [1, 1, 0, 0])
    figures = refusal_figures(found, SPEC.replace(working_point=POINT))

    assert figures == pytest.approx({"coverage": 0.75, "accuracy_answered": 2 / 3, "aurc": (0 + 0 + 1 / 3 + 1 / 2) / 4})
    assert all(listed(f"test_{name}") for name in figures)


def test_rows_of_an_unknown_class_are_out_of_scope() -> None:
    found = _found([0.9, 0.8, 0.7, 0.55], [1, -1, 1, -1])
    figures = refusal_figures(found, SPEC.replace(working_point=POINT))

    assert figures["auroc_out_of_scope"] == 0.75
    assert figures["accuracy_answered"] == pytest.approx(2 / 3)


def test_where_all_is_refused_there_is_no_accuracy_of_what_is_answered() -> None:
    point = WorkingPoint(threshold=None, coverage=0.0, error_rate=None, rows=40)
    figures = refusal_figures(_found([0.9, 0.8], [1, 0]), SPEC.replace(working_point=point))

    assert figures["coverage"] == 0.0 and "accuracy_answered" not in figures


def test_a_model_that_answers_every_row_has_a_curve_and_no_figures() -> None:
    found = _found([0.9, 0.8, 0.7, 0.55], [1, 1, 0, 0])

    assert refusal_figures(found, SPEC) == {}
    assert refusal_detail(found, SPEC) == {
        "curve": [[0.25, 0.0], [0.5, 0.0], [0.75, 1 / 3], [1.0, 0.5]],
        "working_point": None,
    }
