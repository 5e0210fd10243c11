"""When a stage ends, by which figure, and with which weights."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from dsray.base import RequestError
from dsray.data import Facts, to_batch
from dsray.engine import LocalWorker, TrainConfig, TrainState, evaluate
from dsray.engine.policies import Decision, PlateauConfig, ReachConfig, ReduceRateConfig
from dsray.experiment import Experiment
from dsray.runner.files import TrainingFiles, resume_history
from dsray.runner.training import cadence_of, new_model, train
from dsray.testing.subjects import facts

TREE = {
    "data": {"source": "digits"},
    "model": {"width": 16, "trunk": {"hidden": 16, "heads": 2, "experts": {"hidden": 16}}},
}


class Killed(Exception):
    pass


def experiment(steps, *policies, rate=0.03, **sections):
    rates = {"schedule": rate}
    settings = {"steps": steps, "batch": 32, "validate_every": 4, "checkpoint_every": 3, "log_every": 1}
    return Experiment.parse(TREE | {"train": settings | {"rates": rates, "policies": policies}} | sections)


def trained(x, digits, folder=None, die_at=None):
    """The model, the stages as executed, and the lines of the history."""
    lines = []

    def on_line(line):
        lines.append(line)
        if line["kind"] == "step" and line["step"] == die_at:
            raise Killed

    files = TrainingFiles(folder) if folder else None
    if files:
        resume_history(files)
    model = train(x, LocalWorker(digits, x.augment, seed=0, folder=folder, on_line=on_line), files=files)
    ends = [line for line in lines if line["kind"] == "stage" and line["event"] == "end"]
    return model, ends, lines


def decisions(policy, figure, values):
    """The decision after each of the validations."""
    return [policy([{figure: v} for v in values[: n + 1]]) for n in range(len(values))]


def test_plateau_stops_where_its_figure_no_longer_gets_better():
    rising = decisions(PlateauConfig(patience=2).build(facts()), "accuracy", [0.5, 0.6, 0.6, 0.55])
    assert [d.stop_stage for d in rising] == [None, None, None, "accuracy flat for 2 validations"]
    falling = decisions(PlateauConfig(metric="loss", patience=2).build(facts()), "loss", [2.0, 1.5, 1.0, 0.8, 0.9, 1.4])
    assert [d.stop_stage for d in falling] == [None] * 5 + ["loss flat for 2 validations"]
    once = decisions(PlateauConfig(patience=1).build(facts()), "accuracy", [0.5, 0.5])
    assert once[-1].stop_stage == "accuracy flat for 1 validation"
    slow = decisions(PlateauConfig(metric="loss", patience=2, tolerance=0.5).build(facts()), "loss", [2.0, 1.8, 1.6])
    assert slow[-1].stop_stage == "loss flat for 2 validations"


def test_plateau_names_the_best_weights_by_its_figure():
    def best(policy, figure, values):
        return [d.best_by for d in decisions(policy.build(facts()), figure, values)]

    assert best(PlateauConfig(), "accuracy", [0.5, 0.4, 0.5, 0.6]) == ["accuracy", None, None, "accuracy"]
    assert best(PlateauConfig(metric="loss"), "loss", [1.0, 1.2, 0.9]) == ["loss", None, "loss"]
    assert best(PlateauConfig(metric="loss"), "loss", [float("nan"), 1.2, float("nan")]) == ["loss", "loss", None]
    assert best(PlateauConfig(keep="last"), "accuracy", [0.5, 0.6]) == [None, None]


def test_reach_stops_at_a_goal_from_its_own_side():
    accuracy, loss = ReachConfig(value=0.9).build(facts()), ReachConfig(metric="loss", value=0.3).build(facts())
    assert decisions(accuracy, "accuracy", [0.89, 0.9]) == [Decision(), Decision("accuracy reached 0.9")]
    assert decisions(loss, "loss", [2.3, 0.31, 0.3]) == [Decision(), Decision(), Decision("loss reached 0.3")]


@pytest.mark.parametrize("policy", [{"kind": "plateau"}, {"kind": "reach", "value": 1}], ids=lambda p: p["kind"])
@pytest.mark.parametrize(
    ("metric", "hint"), [("acuracy", "did you mean 'accuracy'?"), ("Loss", "did you mean 'loss'?"), ("f1", "valid: ")]
)
def test_an_unknown_figure_is_refused_by_its_path(policy, metric, hint):
    with pytest.raises(RequestError) as error:
        experiment(8, {"kind": "reach", "value": 1}, policy | {"metric": metric})
    said = f"train.policies.1.metric: must be a figure of the validations; got '{metric}'; {hint}"
    assert str(error.value).startswith(said)


def test_every_figure_of_a_validation_may_be_watched(digits):
    for name in digits.schema.target.watched():
        _, (end,), _ = trained(experiment(4, {"kind": "plateau", "metric": name, "patience": 1}), digits)
        assert end["best"]["figure"] == name


def test_no_metric_is_the_figure_that_the_target_calls_its_own():
    """Balanced accuracy where the commonest class has more than 1.5 times the rows of the rarest."""
    even, uneven = facts(), facts(uneven=True)
    assert (even.counts.tolist(), uneven.counts.tolist()) == ([16, 16, 16], [16, 8, 8])
    flat = [{"accuracy": 0.1 * n, "balanced_accuracy": 0.5} for n in range(4)]
    for policy in (PlateauConfig(patience=2), PlateauConfig(metric=None, patience=2)):
        assert policy.build(even)(flat) == Decision(best_by="accuracy")
        assert policy.build(uneven)(flat) == Decision("balanced_accuracy flat for 2 validations")
    assert ReachConfig(value=0.5).build(uneven)(flat[:1]) == Decision()
    goal = ReachConfig(metric=None, value=0.5)
    assert goal.build(uneven)(flat[:1]) == Decision("balanced_accuracy reached 0.5")
    assert ReduceRateConfig().build(uneven)(flat).set == {"rate": 0.5}
    assert ReduceRateConfig().build(even)(flat).set == {}


def test_a_stage_of_uneven_classes_keeps_its_best_by_balanced_accuracy(digits):
    """Two answers of the questions are far more frequent than the ten digits."""
    x, rows = experiment(4, {"kind": "plateau"}), digits.splits["train"]
    _, (end,), _ = trained(x, digits)
    assert end["best"]["figure"] == "balanced_accuracy"
    even = Facts.of(digits, rows, 1).counts < 1.5 * Facts.of(digits, rows, 1).counts.min()
    assert even.sum() >= 2
    part = digits.splits | {"train": rows[even[digits.columns["target"][rows]]]}
    _, (end,), _ = trained(x, replace(digits, splits=part))
    assert end["best"]["figure"] == "accuracy"


def test_two_policies_that_keep_weights_are_refused():
    both = {"kind": "plateau"}, {"kind": "reach", "value": 1}, {"kind": "plateau", "metric": "loss"}
    with pytest.raises(RequestError, match=r"train\.policies\.2\.keep: policy 0 keeps the best weights already"):
        experiment(8, *both)
    assert len(experiment(8, *both[:2], both[2] | {"keep": "last"}).train.policies) == 3


def test_a_loss_that_falls_stops_no_stage(digits):
    _, (end,), lines = trained(experiment(60, {"kind": "plateau", "metric": "loss", "patience": 2}, rate=0.003), digits)
    losses = [line["loss"] for line in lines if line["kind"] == "validation"]
    assert losses[-1] < 0.8 * losses[0]
    assert (end["reason"], end["steps"]) == ("steps done", 60)


def test_a_stage_ends_with_its_best_weights(digits):
    """They are those of a training that ends where they were found; a rate that leaps makes later ones worse."""
    parts = [{"share": 0.6, "schedule": 0.01}, {"share": 0.4, "schedule": 1.0}]
    leap = {"kind": "joined", "parts": parts}
    watch = {"kind": "plateau", "metric": "accuracy", "patience": 9}
    model, (end,), lines = trained(experiment(40, watch, rate=leap), digits)
    found = {line["step"]: line["accuracy"] for line in lines if line["kind"] == "validation"}
    best = end["best"]
    assert best["step"] <= 24 < end["step"] == 40
    assert best["value"] == max(found.values()) > found[40]
    assert best["step"] == min(step for step, accuracy in found.items() if accuracy == best["value"])

    short, _, _ = trained(experiment(40, {"kind": "reach", "value": best["value"]}, rate=leap), digits)
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), short.state_dict().values(), strict=True))
    batch = to_batch(digits.take(digits.splits["validation"]), digits.schema)
    assert evaluate(model, [batch]).accuracy == pytest.approx(best["value"])

    last, (plain,), _ = trained(experiment(40, watch | {"keep": "last"}, rate=leap), digits)
    assert "best" not in plain
    assert evaluate(last, [batch]).accuracy == pytest.approx(found[40])


def test_best_weights_outlive_a_kill_and_are_those_of_one_stage(digits, tmp_path):
    x = experiment(40, {"kind": "plateau", "patience": 2}, finetune={"unfreeze": [["head", "exits"], ["*"]]})
    whole, ends, _ = trained(x, digits, tmp_path / "whole")
    assert any(end["best"]["step"] < end["step"] for end in ends)
    for die_at in (8, 11, ends[0]["step"] + 1, ends[0]["step"] + 7):
        with pytest.raises(Killed):
            trained(x, digits, tmp_path / "killed", die_at)
    again, _, _ = trained(x, digits, tmp_path / "killed")
    assert all(torch.equal(a, b) for a, b in zip(whole.state_dict().values(), again.state_dict().values(), strict=True))
    executed = [
        json.loads((tmp_path / name / "model/training.json").read_text())["executed"] for name in ("whole", "killed")
    ]
    assert executed[0] == executed[1]
    assert [about["stage"] for about in executed[0]] == ["unfreeze1/clean", "unfreeze2/clean"]
    assert executed[0][1]["best"]["step"] > executed[0][0]["steps"]


def test_a_stage_that_attacks_its_rows_ends_with_its_last_weights(digits):
    """Clean validations would choose those that the attack has not reached yet."""
    stage = {"name": "pgd", "steps": 20, "attack": {"kind": "pgd", "steps": 3}, "epsilon": 0.2}
    sections = {"adversarial": {"stages": [stage], "baseline": False}}
    found = {}
    for keep in ("best", "last"):
        watch = {"kind": "plateau", "metric": "accuracy", "patience": 9, "keep": keep}
        found[keep] = trained(experiment(20, watch, **sections), digits)
    model, ends, lines = found["best"]
    clean = {line["step"]: line["accuracy"] for line in lines if line["kind"] == "validation"}
    assert max(clean[step] for step in clean if 20 < step < 40) > clean[40]
    assert "best" in ends[0] and "best" not in ends[1]
    last = found["last"][0]
    assert ends[0]["best"]["step"] == 20  # so that both attacked stages began with the same weights
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), last.state_dict().values(), strict=True))


def test_the_optimiser_goes_on_as_it_is(digits):
    x = experiment(4)
    state = TrainState(new_model(x, LocalWorker(digits, x.augment, seed=0)))
    state.optimizer = torch.optim.Adam(state.model.parameters(), lr=0.1)
    state.history = [{"accuracy": 0.5}]
    state.keep_best("accuracy")
    kept = {name: value.clone() for name, value in state.model.state_dict().items()}
    batch = to_batch(digits.take(digits.splits["train"][:8]), digits.schema)
    state.model.classify(batch).sum().backward()
    state.optimizer.step()
    moments = [state.optimizer.state[p]["exp_avg"].clone() for p in state.optimizer.state]
    assert state.settle().value == 0.5 and state.best is None
    assert all(torch.equal(kept[name], value) for name, value in state.model.state_dict().items())
    assert all(torch.equal(m, s["exp_avg"]) for m, s in zip(moments, state.optimizer.state.values(), strict=True))
    assert state.settle() is None


@pytest.mark.parametrize(
    ("every", "steps", "expected"),
    [(100, 944, 100), (100, 500, 100), (100, 499, 99), (100, 12, 2), (6, 12, 2), (3, 4, 1)],
)
def test_a_short_training_validates_at_least_five_times(every, steps, expected):
    assert cadence_of(TrainConfig(validate_every=every), steps).validate == expected


def test_twelve_steps_are_validated_six_times(digits):
    _, _, lines = trained(experiment(12).replace(train=TrainConfig(steps=12, batch=32)), digits)
    assert [line["step"] for line in lines if line["kind"] == "validation"] == [2, 4, 6, 8, 10, 12]
