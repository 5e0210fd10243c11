"""A target that is a number: what is learnt of its column, what is refused, what an answer says."""

from __future__ import annotations

import datetime
import decimal

import numpy as np
import pyarrow as pa
import pytest
import torch

from dsray.base import RequestError
from dsray.data import DataConfig
from dsray.likelihoods import Number
from dsray.targets import Abstain, NumberTarget
from dsray.targets.numbers import told, written
from dsray.testing import check_target


def table(values, kind=None):
    return pa.table({"age": pa.array(values, kind)})


def fitted(values, **settings):
    return NumberTarget(column="age", **settings).fit(table(values))


AGES = np.random.default_rng(0).gamma(4, 12, 400)


@pytest.mark.parametrize(
    "values",
    [
        AGES,
        AGES.astype(np.float32),
        AGES.astype(np.float16),
        AGES.astype(np.int8),
        AGES.astype(np.uint64) + 2**40,
        1_700_000_000_000_000_000 + (AGES * 1e15).astype(np.int64),
        AGES * 1e-200,
        AGES * 1e200,
    ],
    ids=lambda values: f"{values.dtype}-{values[0]:g}",
)
def test_it_keeps_the_promises_of_its_kind(values):
    check_target(NumberTarget(column="age"), table(values))


def test_decimals_and_dictionaries_are_numbers():
    decimals = table([decimal.Decimal("1.25"), decimal.Decimal("3.75"), decimal.Decimal("2.5")])
    check_target(NumberTarget(column="age"), decimals)
    spec = NumberTarget(column="age").fit(decimals)
    assert (spec.mean, spec.low, spec.high) == (2.5, 1.25, 3.75)
    repeated = pa.table({"age": pa.array([2.0, 4.0, 2.0]).dictionary_encode()})
    assert NumberTarget(column="age").fit(repeated).mean == pytest.approx(8 / 3)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["1", "2"], "column 'age' holds string; needs numbers"),
        ([[1.0], [2.0]], "column 'age' holds list<.*: double>; needs numbers"),
        ([True, False], "column 'age' holds bool; needs numbers"),
        ([datetime.date(2026, 1, 1)] * 2, r"column 'age' holds date32\[day\]; needs numbers"),
        ([1.0, None, float("nan"), 2.0], "column 'age' is null or NaN in 2 training rows; remove them"),
        ([1.0, float("inf"), 2.0], "column 'age' is infinite in 1 row; give numbers"),
        ([7, 7, 7], "column 'age' holds 7 in every training row; there is nothing to estimate"),
        ([1e16, 1e16 + 2, 1e16 + 4], "column 'age' holds numbers up to 1e.16 that lie 1.63299 from their mean"),
        ([-1e308, 1.7e308, 1e308], "float64 does not tell apart"),
        (pa.array([2**62 + 1, 2**62 + 2]), "float64 does not tell apart"),
    ],
)
def test_what_is_no_column_of_numbers_is_refused_in_one_sentence(tmp_path, values, said):
    import pyarrow.parquet as pq

    from dsray.data import prepare

    texts = ["a b", "b a", "a", "b"][: len(values)]
    for split in ("train", "validation", "test"):
        pq.write_table(pa.table({"age": pa.array(values), "note": texts}), tmp_path / f"{split}.parquet")
    source = {"kind": "parquet"} | {s: str(tmp_path / f"{s}.parquet") for s in ("train", "validation", "test")}
    config = {"source": source, "text": {"column": "note"}, "target": {"kind": "number", "column": "age"}}
    with pytest.raises(RequestError, match=f"^data.target: {said}" if said.startswith("column") else said):
        prepare(DataConfig.model_validate(config))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"tolerance": 0}, "tolerance"),
        ({"tolerance": float("inf")}, "tolerance"),
        ({"coverage": 1}, "coverage"),
        ({"coverage": 0.0}, "coverage"),
    ],
)
def test_settings_out_of_range_are_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        NumberTarget(column="age", **settings)


def test_a_tolerance_that_float32_does_not_hold_is_refused():
    with pytest.raises(RequestError, match=r"data.target.tolerance: must be at least .* got 1e-09"):
        fitted(AGES, tolerance=1e-9)


def test_whole_numbers_beyond_two_to_the_24_keep_their_differences():
    given = 2**30 + np.arange(1000)
    spec = fitted(given)
    target = spec.encode(table(given)["age"])
    assert target.dtype == np.float32 and len(np.unique(target)) == 1000
    assert [spec.show(t) for t in target[:3]] == [2**30, 2**30 + 1, 2**30 + 2]


def test_what_is_shown_is_what_was_given():
    spec = fitted(AGES)
    given = [0.0, 17.0, 42.125, -3.5]
    target = spec.encode(table([*given, None, float("nan")])["age"])
    assert [spec.show(t) for t in target] == [*given, None, None]
    assert spec.labelled(target).tolist() == [True] * 4 + [False] * 2
    assert told(1.2345678, 1e-9) == 1.2345678 and told(1e-290, 1e-290) == 1e-290
    assert written(1234.567, 40.0) == "1,234.6" and written(0.00123, 0.0004) == "0.001230"
    assert written(1.23456e-200, 1e-200) == "1.235e-200"


def test_what_no_float32_holds_is_refused():
    spec = fitted(AGES)
    with pytest.raises(RequestError, match=r"data.target: column 'age' holds 1e\+30, which float32 does not hold"):
        spec.encode(table([1.0, 1e30])["age"])
    with pytest.raises(RequestError, match=r"^'rows.csv': column 'age' is infinite in 1 row"):
        spec.of_file(table([1.0, float("inf")]), "'rows.csv'")


def test_the_tolerance_is_half_the_spread_unless_given():
    assert fitted(AGES).tolerance == pytest.approx(AGES.std() / 2)
    spec = fitted(AGES, tolerance=5)
    assert spec.tolerance == 5 and NumberTarget(column="age", tolerance=5).learnt(spec)
    assert not NumberTarget(column="age", tolerance=6).learnt(spec)
    assert not NumberTarget(column="age", coverage=0.5).learnt(spec)
    assert not NumberTarget(column="year").learnt(spec) and NumberTarget(column="age").learnt(spec)


def test_rows_are_even_over_the_range():
    spec = fitted(AGES)
    codes = NumberTarget(column="age").codes(table(AGES)["age"])
    assert np.bincount(codes).tolist() == [40] * 10
    assert np.bincount(spec.strata(spec.encode(table(AGES)["age"]))).tolist() == [40] * 10
    assert spec.counts(spec.encode(table([None, *AGES])["age"])).tolist() == [40] * 10
    assert spec.counts(spec.encode(table([0.0])["age"])).tolist() == [1] + [0] * 9
    ties = NumberTarget(column="age").codes(table([0] * 300 + [1] * 100)["age"])
    assert np.bincount(ties).tolist() == [300, 100]
    few = NumberTarget(column="age").codes(table([3, 1, 2, 5, 4])["age"])
    assert few.tolist() == [0] * 5


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Split conformal prediction: over rows that calibration has not seen, also where the model's spread is wrong."""
    draw = np.random.default_rng(1)
    spec = fitted(AGES, coverage=0.8)

    def rows(count):
        logits = draw.normal(0, 1, (count, 2)).astype(np.float32)
        noise = np.exp(0.5 * logits[:, 1]) * draw.standard_t(3, count)
        return logits, (logits[:, 0] + noise).astype(np.float32)

    found = [spec.calibrated(*rows(400)) for _ in range(20)]
    logits, target = rows(20_000)
    covered = []
    for own in found:
        answers = own.answers(logits)
        truth = own.mean + own.scale * target.astype(float)
        covered.append(np.mean([a["low"] <= t <= a["high"] for a, t in zip(answers, truth, strict=True)]))
    assert np.mean(covered) == pytest.approx(0.8, abs=0.01)
    tally = found[0].likelihood().tally(torch.from_numpy(logits), torch.from_numpy(target))
    assert found[0].likelihood().figures(tally)["interval_coverage"] == pytest.approx(covered[0], abs=1e-3)
    assert found[0].uncalibrated() == spec != found[0]


def test_the_least_rows_that_a_calibration_needs():
    """ceil((n + 1) c) of n: nine rows for 90 %, where the widest error is the interval."""
    spec = fitted(AGES)
    logits, target = np.zeros((9, 2), np.float32), np.arange(9, dtype=np.float32)
    assert spec.calibrated(logits, target).interval == 8.0
    assert fitted(AGES, coverage=0.5).calibrated(logits, target).interval == 4.0
    for coverage, least in {0.5: 1, 0.8: 4, 0.9: 9, 0.95: 19, 0.99: 99}.items():
        own, there = fitted(AGES, coverage=coverage), np.resize(logits, (least, 2))
        assert own.calibrated(there, there[:, 0]).interval == 0
        with pytest.raises(
            RequestError, match=rf"data.target.coverage: .* needs {least} validation rows .* are {least - 1};"
        ):
            own.calibrated(there[1:], there[1:, 0])


def test_an_answer_is_right_where_the_likelihood_says_so():
    spec = fitted(AGES, tolerance=4.0)
    draw = np.random.default_rng(2)
    logits = draw.normal(0, 0.3, (5000, 2)).astype(np.float32)
    target = draw.normal(0, 0.3, 5000).astype(np.float32)
    right = ~spec.likelihood().wrong(torch.from_numpy(logits), torch.from_numpy(target)).numpy()
    assert 0.1 < right.mean() < 0.9
    assert np.array_equal(spec.right(spec.answers(logits), target), right)
    confidence = spec.likelihood().confidence(torch.from_numpy(logits)).numpy()
    assert np.allclose([a["confidence"] for a in spec.answers(logits)], confidence, atol=1e-6)
    assert not spec.right(spec.answers(logits[:2]), np.full(2, np.nan, np.float32)).any()


def test_a_refused_answer_tells_neither_a_number_nor_an_interval():
    draw = np.random.default_rng(4)
    logits = draw.normal(0, 1, (400, 2)).astype(np.float32)
    target = (logits[:, 0] + np.exp(logits[:, 1]) * draw.normal(0, 1, 400)).astype(np.float32)
    spec = fitted(AGES).replace(abstain=Abstain(coverage=0.75)).calibrated(logits, target)
    replies = spec.replies(logits)
    assert sum(reply["refused"] for reply in replies) == 100
    found = spec.predictions(replies)
    assert [found[name].null_count for name in ("prediction", "low", "high", "confidence")] == [100, 100, 100, 0]
    told = np.array([not reply["refused"] for reply in replies])
    right = spec.right(spec.answers(logits), target)
    assert right[told].mean() > right.mean() + 0.05


def test_a_constant_answer_covers_what_its_tolerance_does():
    spec = fitted(AGES, tolerance=10.0)
    target = spec.encode(table([0, 1, 20, 30, 35, 40, 60])["age"])
    constant = spec.constant(target, np.zeros((7, 2), np.float32))
    assert constant.accuracy == pytest.approx(4 / 7)
    assert constant.given == written(spec.mean, spec.scale)
    assert spec.constant(target, np.arange(14, dtype=np.float32).reshape(7, 2)).given is None


def test_what_makes_no_sense_of_a_number_is_refused():
    spec = fitted(AGES)
    target = spec.encode(table(AGES)["age"])
    with pytest.raises(RequestError, match=r"^weights: a target of kind number has no classes to weigh"):
        spec.weights("balanced", spec.counts(target), "weights")
    with pytest.raises(RequestError, match=r"^rows.classes: column 'age' holds numbers, not classes"):
        spec.where(target, ["a"], "rows.classes")


def test_remarks_tell_of_rows_beyond_those_of_training():
    given = np.append(np.random.default_rng(3).normal(0, 1, 5000), 500.0)
    spec = fitted(given)
    targets = {"train": given, "validation": given[:9], "test": np.array([501.0, -600.0, 1.0])}
    said = list(spec.remarks({split: spec.encode(table(v)["age"]) for split, v in targets.items()}))
    assert (
        len(said) == 2 and "standard deviations from the mean" in said[0] and said[1].startswith("2 test rows hold a")
    )


def test_the_detail_of_a_report_counts_every_row():
    spec = fitted(AGES).replace(interval=1.5)
    target = spec.encode(table(AGES)["age"])
    logits = np.stack([target + 0.1, np.zeros_like(target)], 1)
    detail = spec.detail(logits, target)
    rows = detail["tables"][0]["rows"]
    assert [row[1] for row in rows] == [40] * 10 and {row[4] for row in rows} == {1.0}
    assert {row[2] for row in rows} == {written(0.1 * spec.scale, spec.scale)}
    assert sum(map(sum, detail["heat_maps"][0]["values"])) == 400


def test_equal_truths_stand_in_one_line_and_the_map_says_within_what_an_answer_is_right():
    given = np.array([50.0] * 60 + [70.0] * 30 + [90.0] * 10)
    spec = fitted(given, tolerance=5)
    target = spec.encode(table(given)["age"])
    detail = spec.detail(np.stack([target + 1 / spec.scale, np.zeros_like(target)], 1), target)
    assert [row[:2] for row in detail["tables"][0]["rows"]] == [["50.0", 60], ["70.0", 30], ["90.0", 10]]
    assert detail["heat_maps"][0]["note"].endswith("and right within 5.0 of it.")


@pytest.mark.parametrize(
    ("tolerance", "shown"), [(0.4, "0.4"), (2.5, "2.5"), (5, "5"), (250, "250"), (None, "291"), (1234567, "1,234,567")]
)
def test_a_tolerance_is_never_shown_as_another(tolerance, shown):
    given = np.linspace(0, 2008, 400)
    assert fitted(given, tolerance=tolerance).right_where() == f"within {shown} of the truth"


def test_a_truth_is_shown_in_the_words_of_the_answer():
    spec = fitted(AGES * 1000)
    target = spec.encode(table([51234.5])["age"])[0]
    assert (spec.show_target(target), spec.show(target)) == ("51,234", pytest.approx(51234.5, abs=0.01))
    assert spec.show_target(spec.unlabelled(1)[0]) is None


def test_one_row_that_is_most_of_the_spread_is_told_also_of_few_rows():
    given = np.append(np.random.default_rng(3).normal(0, 1, 200), 500.0)
    spec = fitted(given)
    told = list(spec.remarks({split: spec.encode(table(given)["age"]) for split in ("train", "validation", "test")}))
    assert len(told) == 1 and "14 standard deviations from the mean" in told[0]


def test_numbers_that_an_outlier_makes_equal_are_refused():
    with pytest.raises(
        RequestError, match="holds numbers up to 1e\\+30, beside which most others are the same in float32"
    ):
        fitted(np.append(AGES, 1e30))


def test_confidence_is_of_the_likelihood_that_stands_in_a_graph():
    """The share of truths within the tolerance, drawn from the model's own distribution."""
    likelihood = Number(0.5)
    logits = torch.tensor([[0.3, -0.4]]).expand(200_000, 2)
    uniform = torch.rand(200_000, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    drawn = likelihood.sample(logits, uniform)
    within = (drawn - 0.3).abs() <= 0.5
    assert float(likelihood.confidence(logits[:1])) == pytest.approx(float(within.double().mean()), abs=0.005)
