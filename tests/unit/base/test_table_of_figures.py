"""The table of figures: every key that a record holds is in it, with its unit and which way is better."""

from __future__ import annotations

import pytest
import torch
from constructed import METRICS, TIMINGS

from dsray.base.figures import COMMON, Figure, figure, listed
from dsray.engine.evaluate import Evaluation, Routes
from dsray.likelihoods import Classes, Number
from dsray.record.figures import called
from dsray.record.judgements import KEPT
from dsray.record.words import headed, hidden, spoken
from dsray.report.comparison import Cell, written
from dsray.spaces.config import TuneConfig
from dsray.targets import ClassesSpec, NumberSpec

RARE = [
    *("test_rows_unlabelled", "val_accuracy_known", "val_rows_unknown", "val_robust_accuracy"),
    *("retention", "forgetting", "learning_accuracy", "task_accuracy/1"),
    *("tune_best_value", "tune_default_value", "tune_overhead_per_trial_s"),
]
"""What not every run writes."""


@pytest.mark.parametrize("name", [*METRICS, *TIMINGS, *KEPT, *RARE])
def test_what_a_record_holds_is_in_the_table(name: str):
    assert listed(name) is not None


def test_what_an_evaluation_finds_is_in_the_table():
    none = torch.zeros(2, dtype=torch.int64)
    found = Evaluation(torch.eye(2), none, none, Classes(), Routes(none, torch.zeros(1, 0), 1))
    assert [name for name in found.metrics() if listed(f"test_{name}") is None] == []
    told = Evaluation(torch.eye(2), torch.zeros(2), none, Number(0.5, interval=1.0))
    assert [name for name in told.metrics() if listed(f"test_{name}") is None] == []


@pytest.mark.parametrize("name", ["test_", "test_accuracy_without_", "robust_rows", "accuracies/1", "a/b", ""])
def test_what_nobody_writes_is_not(name: str):
    assert listed(name) is None


def test_what_a_sweep_maximises_is_better_when_higher():
    (objectives,) = (a for a in TuneConfig.model_fields["objective"].annotation.__args__ if a is not type(None))
    assert {figure(name).better for name in objectives.__args__} == {"higher"}


def test_what_may_be_watched_has_a_direction():
    assert (*COMMON, "balanced_accuracy", "macro_f1") == ClassesSpec.watched()
    assert (*COMMON, "mae", "rmse", "r2") == NumberSpec.watched()
    assert [figure(name).gain(2.0) for name in ("mae", "rmse", "r2")] == [-2.0, -2.0, 2.0]
    assert [figure(name).gain(2.0) for name in ClassesSpec.watched()] == [2.0, 2.0, -2.0, 2.0, 2.0, 2.0]
    assert figure("loss").gain(float("nan")) == -float("inf")
    with pytest.raises(ValueError, match="steps has no better"):
        figure("steps").gain(1.0)


def test_a_line_of_a_target_stands_for_its_figure_of_the_test_rows_too():
    own = (Figure("distance", "mean distance", "number", "lower", watched=True), Figure("accuracy", "mine", "count"))
    for name in ("distance", "test_distance", "distance/epsilon 0.1"):
        assert figure(name, own).label == "mean distance" and figure(name, own).gain(2.0) == -2.0
    assert listed("distance") is None and listed("distances", own) is None
    assert figure("accuracy", own).label == "accuracy"
    assert spoken("test_distance", 0.25, own) == written("test_distance", Cell(0.25, None, None, ()), own=own) == "0.25"
    assert called("test_distance", own) == "mean distance (lower is better)" and called("test_loss", own) == "test loss"


@pytest.mark.parametrize(
    ("name", "value", "alone", "beside_others"),
    [
        ("test_accuracy", 0.974, "97.4 %", "97.4 %"),
        ("robust_accuracy/epsilon 0.05", 0.5, "50.0 %", "50.0 %"),
        ("task_accuracy/2", 0.5, "50.0 %", "50.0 %"),
        ("test_macro_f1", 0.9715, "97.2 %", "0.9715"),
        ("skip_rate", 0.318, "31.8 %", "31.8 %"),
        ("size_ratio", 0.2784, "28 %", "0.2784"),
        ("skip_loss_points", 0.1, "+0.1 points", "0.1"),
        ("seconds/train", 75, "1 min 15 s", "1 min 15 s"),
        ("speed/int8/batch1", 0.431, "0.431 ms", "0.431"),
        ("parameters", 187468, "187,468", "187,468"),
        ("of_a_later_version", 0.12345, "0.1235", "0.1235"),
    ],
)
def test_a_figure_is_written_by_its_unit(name, value, alone, beside_others):
    assert spoken(name, value) == alone
    assert written(name, Cell(value, None, None, (value,))) == beside_others


def test_labels():
    names = ["test_accuracy", "robust_accuracy", "int8_accuracy", "size_ratio", "skip_rate", "seconds_total"]
    headings = ["Accuracy", "Robust accuracy", "int8 accuracy", "int8 size", "Blocks skipped", "Time"]
    assert [headed(name) for name in names] == headings
    assert (
        hidden("test_accuracy_without_text", {"data": {"inputs": {"text": "question"}}}) == "with the question hidden"
    )
    assert hidden("test_accuracy_without_text", {}) == "with the text hidden"
    assert hidden("test_accuracy", {}) is None
