"""What a sweep may draw: refused before anything starts when it does not fit, valid experiments when it does."""

from __future__ import annotations

from typing import Any

import optuna
import pytest
from optuna.trial import FixedTrial

from dsray.base import RequestError
from dsray.experiment import Experiment
from dsray.sweep.drawing import check_space, drawn, objective_of, own_parameters

EPSILON = "adversarial.stages.0.epsilon"
LAYERS = "train.rates.layers"
PEAK = "train.rates.schedule.peak_value"
SPACE: dict[str, Any] = {
    EPSILON: {"kind": "epsilon_schedule"},
    LAYERS: {"kind": "layer_learning_rates", "groups": ["encoders", "trunk", "head"], "low": 0.5, "high": 2.0},
    PEAK: {"kind": "float", "low": 1e-3, "high": 1e-2, "log": True},
    "train.batch": {"kind": "int", "low": 16, "high": 128},
    "train.optimizer": {"kind": "choice", "options": [{"kind": "adamw"}, {"kind": "sgd", "momentum": 0.8}]},
}


def experiment(space: dict[str, Any] = SPACE, **tune: Any) -> Experiment:
    stage = {"steps": 4, "epsilon": {"kind": "linear", "end": 0.1, "share": 0.5}}
    return Experiment.parse(
        {
            "data": {"source": "digits"},
            "model": {"width": 16},
            "train": {"steps": 8},
            "adversarial": {"stages": [stage]},
            "tune": {"space": space, **tune},
        }
    )


def test_forty_draws_are_experiments_that_differ(digits):
    check_space(experiment(), digits)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    made = [drawn(experiment(), study.ask()) for _ in range(40)]
    assert len({repr(e) for e in made}) == 40
    epsilons = [e.adversarial.stages[0].epsilon for e in made]
    assert {s.kind for s in epsilons} == {"constant", "linear", "joined"}
    assert all(0.05 <= s.peak() <= 0.15 for s in epsilons)
    scales = [layer.scale for e in made for layer in e.train.rates.layers]
    assert 0.5 <= min(scales) < 0.6 and 1.7 < max(scales) <= 2.0
    assert sum(scale < 1 for scale in scales) / len(scales) == pytest.approx(0.5, abs=0.1)  # even in the logarithm
    assert {e.train.optimizer.kind for e in made} == {"adamw", "sgd"}
    assert all(e.tune is None for e in made)


def test_a_joined_schedule_waits_and_then_grows():
    name = EPSILON
    values = {"shape": "joined", "end": 0.12, "start": 0.25, "ramp": 0.5, "delay": 0.4}
    source = FixedTrial({f"{name}.{part}": value for part, value in values.items()})
    made = drawn(experiment({name: SPACE[name]}), source).adversarial.stages[0].epsilon.build(1000)
    assert made(0) == made(399) == pytest.approx(0.03)
    assert made(550) == pytest.approx(0.075, abs=1e-3)
    assert made(700) == pytest.approx(0.12, abs=1e-3) and made(999) == pytest.approx(0.12)


def test_the_drawn_rates_reach_the_parameters_of_each_group(digits):
    source = FixedTrial({f"{LAYERS}.encoders": 0.5, f"{LAYERS}.trunk": 1.0, f"{LAYERS}.head": 2.0})
    made = drawn(experiment({LAYERS: SPACE[LAYERS]}), source)
    names = [name for name, _ in made.model.build(digits.schema).named_parameters()]
    scales = made.train.rates.scales(names)
    assert {scales[n] for n in names if n.startswith("encoders.")} == {0.5}
    assert {scales[n] for n in names if n.startswith("trunk.")} == {1.0}
    assert {scales[n] for n in names if n.startswith("head.")} == {2.0}


def test_the_own_settings_are_known_as_parameters():
    assert own_parameters(experiment()) == {
        EPSILON: {f"{EPSILON}.shape": "linear", f"{EPSILON}.end": 0.1, f"{EPSILON}.start": 0.0, f"{EPSILON}.ramp": 0.5},
        LAYERS: {f"{LAYERS}.{group}": 1.0 for group in ("encoders", "trunk", "head")},
        PEAK: {PEAK: 3e-3},
        "train.batch": {"train.batch": 64},
        "train.optimizer": {"train.optimizer": "adamw"},
    }


def test_outer_paths_are_set_before_those_inside_them():
    inside, outside = "train.optimizer.weight_decay", "train.optimizer"
    space = {inside: {"kind": "float", "low": 0.1, "high": 0.2}, outside: SPACE[outside]}
    made = drawn(experiment(space), FixedTrial({inside: 0.15, outside: "sgd"}))
    assert (made.train.optimizer.kind, made.train.optimizer.weight_decay) == ("sgd", 0.15)


@pytest.mark.parametrize(
    ("path", "spec", "words"),
    [
        (
            "train.btach",
            {"kind": "int", "low": 1, "high": 2},
            "'train.btach' is not in the experiment; did you mean 'batch'",
        ),
        (
            "adversarial.stages.3.epsilon",
            {"kind": "epsilon_schedule"},
            "'adversarial.stages.3' is not in the experiment",
        ),
        ("adversarial.stages.0.rates.depth_decay", {"kind": "float", "low": 0.5, "high": 1}, "write its keys out"),
        ("train.rates.depth_decay", {"kind": "float", "low": 0.5, "high": 1.5}, "less than or equal to 1; got 1.5"),
        ("train.batch", {"kind": "float", "low": 16, "high": 64}, "train.batch"),
        ("train.batch", {"kind": "epsilon_schedule"}, "train.batch"),
        ("train.optimizer", {"kind": "choice", "options": ["adamw", "sdg"]}, "did you mean 'sgd'"),
        (EPSILON, {"kind": "choice", "options": [0.1, 8]}, "outside the input range"),
        (EPSILON, {"kind": "epsilon_schedule", "end_high": 8}, "outside the input range"),
        (LAYERS, {"kind": "layer_learning_rates", "groups": ["heads"]}, "pattern 'heads' matches no parameter"),
        (LAYERS, {"kind": "layer_learning_rates", "groups": ["head"], "high": 200}, "less than or equal to 100"),
        ("serve.port", {"kind": "int", "low": 8000, "high": 9000}, "does not change what a trial learns"),
    ],
)
def test_a_space_that_does_not_fit_is_refused_with_its_path(digits, path, spec, words):
    with pytest.raises(RequestError) as refused:
        check_space(experiment({path: spec}), digits)
    assert str(refused.value).startswith(f"tune.space.{path}: ")
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"kind": "float", "low": 2, "high": 1}, "must be in order"),
        ({"kind": "float", "low": 0, "high": 1, "log": True}, "above 0 with log"),
        ({"kind": "choice", "options": [1, 1]}, "differ"),
        ({"kind": "epsilon_schedule", "end_low": 0}, "greater than 0"),
        ({"kind": "flaot", "low": 0, "high": 1}, "did you mean 'float'"),
        ({"kind": "float", "low": 0, "hgih": 1}, "did you mean 'high'"),
    ],
)
def test_a_faulty_space_is_refused_when_the_file_is_read(spec, words):
    with pytest.raises(RequestError, match=words) as refused:
        experiment({"train.clip": spec})
    assert str(refused.value).startswith("tune.space.train.clip")


def test_the_objective_follows_the_experiment():
    whole = experiment()
    assert objective_of(whole) == "val_balanced_robustness"
    clean = whole.replace(adversarial=None)
    assert objective_of(clean) == "val_accuracy"
    with pytest.raises(RequestError, match=r"tune\.objective: val_robust_accuracy needs an adversarial section"):
        objective_of(experiment(objective="val_robust_accuracy").replace(adversarial=None))


def test_a_setting_of_a_module_that_the_file_leaves_out_is_to_be_written_out(digits):
    given = experiment({"model.settings.hidden": {"kind": "choice", "options": [4, 8]}})
    given = given.replace(model={"kind": "foreign_nets:Net"})
    with pytest.raises(
        RequestError, match=r"'model\.settings\.hidden' is not in the experiment; write it out before tuning it$"
    ):
        check_space(given, digits)
