"""The promises of targets: of their configs, and of the specs that these learn."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from dsray.base import RequestError
from dsray.base.figures import listed
from dsray.targets import TargetConfig, TargetSpec
from dsray.testing.likelihoods import check_likelihood
from dsray.testing.settings import check_round_trip

ROWS = 60
NOBODY = "no such name"


def check_target(config: TargetConfig, train: pa.Table) -> None:
    """It learns one spec from the training rows, knows it again, and the spec keeps the promises of `check_target_spec`.

    train: a few rows with its column, all of them with a target.
    """
    check_round_trip(config)
    kind = train.schema.field(config.column).type
    said = config.fault(kind)
    assert said is None, f"it calls the column unreadable ({said})"
    said = config.fault(pa.map_(pa.string(), pa.int8()))
    assert isinstance(said, str) and said, "it says nothing against a column of maps"
    spec = config.fit(train)
    assert type(spec) is config.gives(), f"it learns a {type(spec).__name__}, and says {config.gives().__name__}"
    assert config.fit(train) == spec, "it learns something else from the same rows"
    assert config.learnt(spec), "it does not know again what it learnt"
    codes = config.codes(train.column(config.column))
    assert codes.shape == (len(train),) and codes.min() == 0, "codes are numbers from 0, one a row"
    check_target_spec(spec, train)


def check_target_spec(spec: TargetSpec, rows: pa.Table) -> None:
    """Targets are encoded in the shape that `tensor` says, null as no target; what is known is labelled.

    Its likelihood keeps the promises of `check_likelihood`, its figures have lines, and what it answers is what its
    likelihood says, in JSON. rows: as in `check_target`.
    """
    check_round_trip(spec)
    column = rows.column(spec.column)
    target = spec.encode(column)
    assert target.shape == (len(rows), *spec.tensor.shape) and target.dtype == spec.tensor.dtype, "encoded otherwise"
    assert spec.labelled(target).all() and spec.known(target).all(), "a training row has no known target"
    none = spec.encode(pa.chunked_array([pa.nulls(2, column.type)]))
    assert not spec.labelled(none).any() and not spec.known(none).any(), "null is a target"
    assert np.array_equal(none, spec.unlabelled(2), equal_nan=none.dtype.kind == "f"), "null is not `unlabelled`"
    target = np.resize(target, (ROWS, *target.shape[1:]))
    logits = 2 * np.random.default_rng(0).standard_normal((ROWS, spec.outputs), np.float32)
    _check_strata(spec, target)
    likelihood, none = spec.likelihood(), spec.unlabelled(ROWS)
    check_likelihood(likelihood, *map(torch.from_numpy, (logits, target, none)))
    _check_figures(spec, logits, target)
    _check_answers(spec, logits, target)
    _check_words(spec, logits, target)


def _check_strata(spec: TargetSpec, target: np.ndarray) -> None:
    strata, counts, names = spec.strata(target), spec.counts(target), spec.strata_names
    assert strata.shape == (len(target),) and strata.dtype.kind == "i" and strata.min() >= 0, (
        "strata are numbers from 0"
    )
    assert not names or strata.max() < len(names), "a stratum has no name"
    assert counts.ndim == 1 and counts.dtype.kind == "i" and counts.min() >= 0, "counts are whole numbers from 0"
    _check_refused("where", lambda: spec.where(target, [NOBODY], "tasks.a"), "tasks.a")
    _check_refused("weights", lambda: spec.weights({NOBODY: 2.0}, counts, "train.weights"), "train.weights")


def _check_refused(name: str, call: Callable[[], Any], field: str) -> None:
    said = None
    try:
        call()
    except RequestError as error:
        said = str(error)
    except Exception as error:  # a plug-in may fail in any way
        raise AssertionError(
            f"{name} raises {type(error).__name__} of an unknown name, needs a RequestError"
        ) from error
    assert said is not None, f"{name} knows a name that is not there"
    assert said.startswith(field), f"what {name} says of an unknown name does not begin with the field"


def _check_figures(spec: TargetSpec, logits: np.ndarray, target: np.ndarray) -> None:
    """Each has a line, and those that policies may watch stand in every validation."""
    likelihood, given = spec.likelihood(), (torch.from_numpy(logits), torch.from_numpy(target))
    watchable, ranked = likelihood.figures(likelihood.tally(*given)), likelihood.ranked(*given)
    for name in (*watchable, *ranked):
        assert name in spec.figures, f"`figures` does not name {name}"
    for line in spec.own_figures:
        assert line.name in spec.figures, f"own_figures has a line for {line.name}, which `figures` does not name"
        assert listed(line.name) is None, f"dsray has a line for {line.name}; give the figure another name"
    for name in spec.figures:
        assert listed(f"test_{name}", spec.own_figures), (
            f"{name} has no line, neither in own_figures nor in dsray's table"
        )
    watched = spec.watched()
    for name in spec.figures:
        if name in watched:
            assert name in watchable, f"{name} is watched, and no validation holds it"
            found = listed(name, spec.own_figures)
            assert found is not None and found.better, f"{name} is watched, and neither way is better"
    own = spec.own_figure(spec.counts(target))
    assert own in watched, f"its own figure, {own}, is not watched"


def _check_answers(spec: TargetSpec, logits: np.ndarray, target: np.ndarray) -> None:
    answers = spec.answers(logits)
    assert len(answers) == len(logits), "it does not answer each row"
    for answer in answers:
        _json(answer, "an answer")
        read = spec.answer.model_validate(answer)
        assert read.model_dump() == answer, "an answer has other fields than `answer` says"
    given = torch.from_numpy(logits)
    sure = spec.likelihood().confidence(given).numpy()
    told = np.array([answer["confidence"] for answer in answers])
    assert np.allclose(told, sure, atol=1e-4), "an answer tells another confidence than the likelihood"
    wrong = spec.likelihood().wrong(given, torch.from_numpy(target)).numpy()
    right = spec.right(answers, target)
    assert right.shape == wrong.shape and right.dtype == bool, "right is not one bool a row"
    assert np.array_equal(right, ~wrong), "an answer is right here and wrong there"
    assert not spec.right(answers, spec.unlabelled(len(answers))).any(), "an answer to a row without a target is right"
    again = spec.answers(logits[[7, 2]])
    assert [_json(answer, "an answer") for answer in again] == [_json(answers[i], "an answer") for i in (7, 2)], (
        "the answer to a row depends on its company"
    )
    columns = spec.predictions(answers)
    assert {"prediction", "confidence"} <= set(columns), "predictions lack the columns prediction and confidence"
    assert {len(column) for column in columns.values()} == {len(answers)}, "predictions are not one a row"


def _check_words(spec: TargetSpec, logits: np.ndarray, target: np.ndarray) -> None:
    _json(spec.show(target[0]), "what it shows of a target")
    assert spec.show(target[0]) is not None, "it shows nothing of a known target"
    assert spec.show(spec.unlabelled(1)[0]) is None, "it shows a target where there is none"
    assert isinstance(spec.show_answer(spec.answers(logits[:1])[0]), str), "show_answer gives no words"
    _json(spec.about(), "what clients are told")
    assert spec.asked(), "it does not say what it asks for"
    words = {
        **spec.rows(target),
        **{str(i): said for i, said in enumerate(spec.remarks(dict.fromkeys(("train", "validation", "test"), target)))},
    }
    assert all(isinstance(said, str) and said for said in words.values()), "what it tells of rows is no words"
    constant = spec.constant(target, logits)
    assert 0 <= constant.accuracy <= 1 and constant.given is None, (
        "what a constant answer reaches is no share, or is one here"
    )
    same = spec.constant(target, np.repeat(logits[:1], len(logits), 0))
    assert same.given is not None, "one answer to every row goes unnoticed"
    _json(spec.detail(logits, target), "the detail for reports")
    chosen = spec.calibrated(logits, target)
    check_round_trip(chosen)
    assert chosen.uncalibrated() == spec.uncalibrated(), "calibration changes what was learnt"


def _json(value: Any, what: str) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise AssertionError(f"{what} is not JSON ({error})") from error
