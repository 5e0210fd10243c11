"""Rows whose class the training rows do not have are wrong and counted; rows without a label are in no figure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch

from dsray.base import RequestError
from dsray.data import DataConfig, DigitsConfig, Prepared, known, prepare
from dsray.engine import JudgeConfig
from dsray.experiment import Experiment
from dsray.models import RoutedConfig
from dsray.runner.evaluate import _detail
from dsray.runner.figures import clean_figures, validation_figures
from dsray.runner.judge import judged_rows, movable_rows, threat_of
from dsray.targets.names import UNLABELLED
from dsray.verbs.check import _rows


@pytest.fixture
def partly(digits: Prepared) -> Prepared:
    """The digits with a third of the rows of test and validation unknown."""
    target = digits.columns["target"].copy()
    for split in ("validation", "test"):
        target[digits.splits[split][::3]] = -1
    return replace(digits, columns={**digits.columns, "target": target})


@pytest.fixture
def model(digits: Prepared):
    torch.manual_seed(0)
    model = RoutedConfig().build(digits.schema)
    with torch.no_grad():
        model.head.linear.bias[np.bincount(digits.columns["target"]).argmax()] = 9.0  # so that some answers are right
    return model


def test_accuracy_is_of_all_rows_and_other_figures_of_the_known_ones(digits, partly, model):
    rows = known(partly, partly.splits["test"])
    everyone = digits.splits["test"]
    assert len(rows) == len(everyone) - len(everyone[::3])
    only = clean_figures(model, replace(digits, splits={**digits.splits, "test": rows}))[0]
    figures, found = clean_figures(model, partly)
    assert found.rows.tolist() == everyone.tolist()
    assert figures["test_rows_unknown"] == len(everyone[::3]) and only["test_rows_unknown"] == 0
    assert figures["test_accuracy_known"] == only["test_accuracy"] == only["test_accuracy_known"] > 0
    for name in ("test_accuracy", "test_accuracy_full", "test_accuracy_without_text", "test_accuracy_without_image"):
        assert figures[name] == pytest.approx(only[name] * len(rows) / len(everyone)), name
    for name in ("test_balanced_accuracy", "test_macro_f1", "test_calibration_error", "test_loss"):
        assert figures[name] == pytest.approx(only[name]), name
    detail = _detail(partly, model, found)
    assert sum(map(sum, detail["confusion"])) == len(rows)
    assert sum(part["rows"] for part in detail["reliability"]) == len(rows)
    groups = detail["groups"]["digit"].values()
    assert sum(part["rows"] for part in groups) == sum(detail["answered"]) == len(everyone)
    assert sum(part["rows"] * part["accuracy"] for part in groups) / len(everyone) == pytest.approx(
        figures["test_accuracy"]
    )


def test_rows_without_a_label_are_in_no_figure_and_counted(digits, model):
    rows = digits.splits["test"]
    target = digits.columns["target"].copy()
    target[rows[::3]] = UNLABELLED
    partly = replace(digits, columns={**digits.columns, "target": target})
    only = replace(digits, splits={**digits.splits, "test": np.setdiff1d(rows, rows[::3])})
    figures, found = clean_figures(model, partly)
    assert figures == clean_figures(model, only)[0] | {"test_rows_unlabelled": len(rows[::3])}
    assert len(found.rows) == len(rows) - len(rows[::3])


def test_unknown_rows_are_judged_as_wrong_and_never_attacked(partly):
    threat = threat_of(JudgeConfig(), partly)
    for split in ("validation", "test"):
        assert judged_rows(partly, split, 10_000, threat).tolist() == partly.splits[split].tolist()
        assert movable_rows(partly, split, 10_000, threat).tolist() == known(partly, partly.splits[split]).tolist()


def test_choices_are_made_by_all_rows_that_have_a_label(digits, partly, model):
    experiment = Experiment.parse({"data": {"source": "digits"}, "model": {}})
    only = replace(digits, splits={**digits.splits, "validation": known(partly, digits.splits["validation"])})
    found, known_alone = (validation_figures(experiment, model, data) for data in (partly, only))
    unknown = len(digits.splits["validation"][::3])
    assert found["val_rows_unknown"] == unknown and known_alone["val_rows_unknown"] == 0
    assert found["val_accuracy_known"] == known_alone["val_accuracy"] > 0
    share = 1 - unknown / len(digits.splits["validation"])
    assert found["val_accuracy"] == pytest.approx(share * known_alone["val_accuracy"])


def test_the_plan_counts_an_unknown_class_as_none(digits, partly):
    balance = list(_rows(partly).columns[3].cells)[2]
    names, target = digits.schema.target.classes, partly.columns["target"][known(partly, partly.splits["test"])]
    rare = np.bincount(target, minlength=len(names))
    assert balance.startswith(f"{names[rare.argmin()]} {rare.min():,}, ")


class _Source(DigitsConfig):
    lost: str

    def tables(self) -> dict[str, pa.Table]:
        tables = super().tables()
        none = pa.array([None] * len(tables[self.lost]), pa.string())
        tables[self.lost] = tables[self.lost].drop_columns("answer").append_column("answer", none)
        return tables


@pytest.mark.parametrize("split", ["test", "validation"])
def test_a_split_without_a_known_class_is_refused(split):
    with pytest.raises(RequestError, match=f"data.label: no {split} row has one of the 12 classes .* has null; give"):
        prepare(DataConfig(source=_Source(lost=split)))
