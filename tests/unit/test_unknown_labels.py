"""Rows whose class the training rows do not have count neither as right nor as wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch

from dsray.base import RequestError
from dsray.data import DataConfig, DigitsConfig, Prepared, known, prepare
from dsray.experiment import Experiment
from dsray.judge import clean_figures, judged_rows, validation_figures
from dsray.models import ModelConfig
from dsray.plan import _rows
from dsray.steps.evaluate import _detail


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
    return ModelConfig().build(digits.schema)


def test_figures_are_of_the_known_rows(digits, partly, model):
    rows = known(partly, partly.splits["test"])
    assert len(rows) == len(digits.splits["test"]) - len(digits.splits["test"][::3])
    only = replace(digits, splits={**digits.splits, "test": rows})
    figures, found = clean_figures(model, partly)
    assert figures == clean_figures(model, only)[0]
    assert found.rows.tolist() == rows.tolist()
    detail = _detail(partly, model, found)
    assert sum(map(sum, detail["confusion"])) == len(rows)
    assert sum(part["rows"] for part in detail["groups"]["digit"].values()) == len(rows)
    assert sum(part["rows"] for part in detail["reliability"]) == len(rows)


def test_no_unknown_row_is_attacked(partly):
    for split in ("validation", "test"):
        rows = judged_rows(partly, split, 10_000)
        assert rows.tolist() == known(partly, partly.splits[split]).tolist()


def test_choices_are_made_by_the_known_rows(digits, partly, model):
    experiment = Experiment.parse({"data": {"source": "digits"}, "model": {}})
    only = replace(digits, splits={**digits.splits, "validation": known(partly, digits.splits["validation"])})
    assert validation_figures(experiment, model, partly) == validation_figures(experiment, model, only)


def test_the_plan_counts_an_unknown_class_as_none(digits, partly):
    balance = list(_rows(partly).columns[3].cells)[2]
    names, target = digits.schema.classes, partly.columns["target"][known(partly, partly.splits["test"])]
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
