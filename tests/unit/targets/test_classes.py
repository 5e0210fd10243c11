"""Targets of classes: the short form, the class that raises no alarm, and what pages are given."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from dsray.base import RequestError, explain
from dsray.data import DataConfig
from dsray.targets import ClassesSpec, ClassesTarget

INPUT = {
    "image": {"column": "picture", "size": 8},
    "source": {"kind": "parquet", "train": "a.parquet", "test": "b.parquet"},
}


def config(**section) -> DataConfig:
    return DataConfig.model_validate(INPUT | section)


def fitted(column, **settings) -> ClassesSpec:
    return ClassesTarget(column="y", **settings).fit(pa.table({"y": column}))


def test_the_short_form_means_classes_and_is_written_back():
    short = config(label="kind")
    assert short.target == ClassesTarget(column="kind") == config(target={"column": "kind"}).target
    written = short.model_dump(mode="json")
    assert written["label"] == "kind" and "target" not in written
    assert DataConfig.model_validate(written) == short


def test_what_is_said_beside_the_column_is_written_out():
    both = config(label="kind", target={"normal": "ok"})
    written = both.model_dump(mode="json")
    assert "label" not in written
    assert written["target"] == {"kind": "classes", "column": "kind", "normal": "ok", "abstain": None}
    assert DataConfig.model_validate(written) == both


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({}, "label: name the column that holds the class"),
        ({"label": "a", "target": {"column": "b"}}, "label: names a column, and target does too; keep one of the two"),
        ({"label": "picture"}, "column 'picture' is the label and an input; the model would read its answer"),
        ({"target": {"kind": "clases", "column": "a"}}, "target: unknown kind 'clases'; did you mean 'classes'?"),
        ({"target": {"column": "a", "norml": "ok"}}, "target.norml: unknown key; did you mean 'normal'?"),
    ],
)
def test_what_does_not_fit_is_one_sentence(section, said):
    with pytest.raises(ValidationError) as error:
        config(**section)
    assert said in explain(error.value, "data")


def test_the_commoner_of_two_uneven_classes_is_normal():
    assert fitted(["ok", "ok", "ok", "bad"]).normal == "ok"
    assert fitted(["ok", "bad"]).normal is None
    assert fitted(["a", "b", "b", "b", "c"]).normal is None
    assert fitted(["a", "b", "c"], normal="c").normal == "c"
    with pytest.raises(RequestError, match=r"data.target.normal: no training row has class 'd'; valid: a, b, c"):
        fitted(["a", "b", "c"], normal="d")


def test_weights_are_balanced_or_named():
    spec = fitted(["a", "a", "a", "b"])
    assert spec.weights("balanced", np.array([3, 1]), "w") == pytest.approx([4 / 6, 2.0])
    assert spec.weights({"b": 5.0}, np.array([3, 1]), "w") == pytest.approx([1.0, 5.0])
    with pytest.raises(RequestError, match=r"w.c: there is no such class; valid: a, b"):
        spec.weights({"c": 5.0}, np.array([3, 1]), "w")


def test_pairs_stand_in_for_the_matrix_of_many_classes():
    spec = ClassesSpec(column="y", classes=tuple(str(i) for i in range(10_000)))
    target = np.arange(2000)
    answer = np.where(target % 4 == 0, 7, target)
    logits = np.full((2000, 10_000), -1, np.float16)
    logits[np.arange(2000), answer] = 1
    found = spec.detail(logits, target)
    assert "confusion" not in found and found["wrong"] == 500 and len(found["confused"]) == 200
    assert found["confused"][0] == [0, 7, 1]
    assert len(json.dumps(found)) < 2e6
