"""Labels: what a column of sets may hold, how it is encoded, thresholds by F1, and what is answered."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError
from sklearn.metrics import f1_score, precision_recall_curve

from dsray.base import RequestError
from dsray.targets import LabelsSpec, LabelsTarget
from dsray.targets.thresholds import FEWEST, best_thresholds, cuts_of

SETS = [["cat", "dog"], [], ["dog"], ["cat", "ant", "cat"], ["dog"]]
WORDS = ["dog; cat", "", "dog", "cat;ant;cat", "dog;"]
MATRIX = [[0, 1, 1], [0, 0, 0], [0, 0, 1], [1, 1, 0], [0, 0, 1]]


def fit(values: Any, **settings: Any) -> LabelsSpec:
    return LabelsTarget(column="tags", **settings).fit(pa.table({"tags": values}))


@pytest.mark.parametrize(
    "values",
    [
        SETS,
        WORDS,
        pa.array(SETS, pa.large_list(pa.large_string())),
        pa.array(WORDS).dictionary_encode(),
        pa.chunked_array([pa.array(SETS[:2]), pa.array(SETS[2:])]),
    ],
)
def test_lists_and_separated_text_are_the_same_sets(values: Any) -> None:
    spec = fit(values)
    assert spec.labels == ("ant", "cat", "dog") and spec.rows_of_each == (1, 2, 3)
    found = spec.encode(pa.table({"tags": values}).column("tags"))
    assert found.tolist() == MATRIX and found.dtype == np.float32
    assert spec.known(found).all() and spec.counts(found).tolist() == [5, 1, 2, 3]


def test_numbers_are_labels_in_order_of_value() -> None:
    assert fit([[10, 9], [2], [2, 10]]).labels == ("2", "9", "10")
    assert fit(["a|b", "c"], separator="|").labels == ("a", "b", "c")


def test_null_is_no_target_and_a_label_of_no_training_row_is_unknown() -> None:
    spec = fit(SETS)
    found = spec.encode(pa.chunked_array([[["cat"], None, ["cat", "emu"], []]]))
    assert spec.labelled(found).tolist() == [True, False, True, True]
    assert spec.known(found).tolist() == [True, False, False, True]
    assert [spec.show(row) for row in found] == [["cat"], None, None, []]
    answers = [{"labels": labels} for labels in (["cat"], [], ["cat"], ["dog"])]
    assert spec.right(answers, found).tolist() == [True, False, False, False]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ([["a"], None], "is null in 1 training rows"),
        ([["a"], [None]], "hold 1 nulls"),
        ([[], []], "holds 0 different labels"),
        ([[f"{i}" for i in range(10_001)]], "holds 10,001 different labels .* needs 1 to 10,000"),
    ],
)
def test_what_cannot_be_learnt_is_refused(values: Any, sentence: str) -> None:
    with pytest.raises(RequestError, match=f"data.target: .*{sentence}"):
        fit(values)


@pytest.mark.parametrize("kind", [pa.int64(), pa.float32(), pa.bool_(), pa.binary(), pa.list_(pa.float64())])
def test_a_column_that_is_neither_list_nor_text_is_refused(kind: pa.DataType) -> None:
    assert "lists" in str(LabelsTarget(column="tags").fault(kind))


@pytest.mark.parametrize("settings", [{"threshold": 0}, {"threshold": 1}, {"separator": ""}])
def test_a_threshold_is_a_probability(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LabelsTarget(column="tags", **settings)


def test_thresholds_reach_the_highest_f1_of_each_label() -> None:
    random = np.random.default_rng(0)
    truth = random.random((400, 6)) < np.array([0.5, 0.3, 0.1, 0.05, 0.9, 0.005])
    logits = (3 * truth + random.normal(size=truth.shape) * 2 - 2).round(1).astype(np.float32)
    thresholds = best_thresholds(logits, truth)
    assert truth[:, 5].sum() < FEWEST and thresholds[5] == 0.5
    for i in range(5):
        precision, recall, _ = precision_recall_curve(truth[:, i], logits[:, i])
        best = (2 * precision * recall / np.maximum(precision + recall, 1e-12)).max()
        assert f1_score(truth[:, i], logits[:, i] > cuts_of(thresholds)[i]) == pytest.approx(best, abs=1e-12)


def test_of_equal_thresholds_the_one_nearest_a_half_is_taken() -> None:
    truth = np.array([[True] * 3] * 5 + [[False] * 3] * 5)
    logits = np.where(truth, [1.0, 3.0, -1.0], [-1.0, 1.0, -3.0]).astype(np.float32)
    assert np.allclose(cuts_of(best_thresholds(logits, truth)), [0, 2, -2])


def test_a_label_of_two_thousand_costs_no_pass_of_its_own() -> None:
    random = np.random.default_rng(0)
    truth = random.random((300, 2000)) < 0.1
    logits = (truth * 2 + random.normal(size=truth.shape)).astype(np.float32)
    thresholds = best_thresholds(logits, truth)
    some = best_thresholds(logits[:, 1500:1501], truth[:, 1500:1501])
    assert thresholds.shape == (2000,) and thresholds[1500] == some[0]


def test_a_calibrated_spec_answers_by_its_thresholds() -> None:
    spec = fit(SETS).replace(thresholds=(0.2, 0.9, 0.5))
    logits = np.array([[0.0, 1.0, -1.0]], np.float32)
    answer = spec.answers(logits)[0]
    p = 1 / (1 + np.exp(-logits[0]))
    assert answer["labels"] == ["ant"] and list(answer["probabilities"]) == ["cat", "ant", "dog"]
    assert answer["confidence"] == pytest.approx(float(p[0] * (1 - p[1]) * (1 - p[2])))
    assert spec.uncalibrated() == fit(SETS)
    assert fit(SETS, threshold=0.2).answers(logits)[0]["labels"] == ["ant", "cat", "dog"]


def test_strata_are_the_rarest_label_of_a_row() -> None:
    spec = fit(SETS)
    assert spec.strata(np.array(MATRIX, np.float32)).tolist() == [2, 0, 3, 1, 3]
    codes = LabelsTarget(column="tags").codes(pa.chunked_array([SETS]))
    assert codes[2] == codes[4] and len(set(codes.tolist())) == 4


def test_weights_are_of_rows_that_have_the_label() -> None:
    spec = fit(SETS)
    assert spec.weights("balanced", np.array([10, 2, 5, 10]), "weights").tolist() == [4, 1, 1]
    assert spec.weights({"cat": 3}, np.array([10, 2, 5, 10]), "weights").tolist() == [1, 3, 1]
    with pytest.raises(RequestError, match=r"weights\.cow: there is no such label"):
        spec.weights({"cow": 3}, np.array([10, 2, 5, 10]), "weights")


def test_doubts_are_said() -> None:
    spec = fit(["a,b", "c"])
    target = spec.encode(pa.chunked_array([["a,b", "c"]]))
    found = list(spec.remarks(dict.fromkeys(("train", "validation", "test"), target)))
    assert "no training row has more than one label in column 'tags'; some hold ','" in found[0]
    assert "2 of the 2 labels ('a,b', 'c') have fewer than 5 validation rows and keep a threshold of 0.5" in found[1]
    with pytest.raises(RequestError, match=r"data.target.threshold: is chosen by at least 5 .* there are 4"):
        spec.check_rows(4)


def test_a_model_that_says_the_same_of_every_row_is_told() -> None:
    spec, target = fit(SETS), np.array(MATRIX, np.float32)
    always = np.array([[-1.0, 1.0, 1.0]] * 5, np.float32)
    assert spec.detail(always, target)["one_answer"] == "cat, dog"
    assert spec.constant(target, always) == (0.4, "cat, dog")
    always[0, 0] = 1
    assert "one_answer" not in spec.detail(always, target)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            [["cat", "dog"], ["dog", "cat", "cat"]],
            "holds the same labels in every training row \\(cat, dog\\); there is nothing",
        ),
        ([["cat", ""], ["dog", " "]], "lists of column 'tags' hold 2 labels without a letter; remove them"),
    ],
)
def test_sets_that_cannot_be_learnt_are_refused(values: Any, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        fit(values)


def test_a_single_label_that_a_row_has_or_not_is_nothing_to_remark() -> None:
    spec = fit([["cat"], [], ["cat"], []], threshold=0.5)
    target = spec.encode(pa.table({"tags": [["cat"], []]}).column("tags"))
    assert list(spec.remarks(dict.fromkeys(("train", "validation", "test"), target))) == []
