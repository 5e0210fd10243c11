"""What policies set: factors on the rate, the radius and the share of a stage, which outlive a kill."""

from __future__ import annotations

import json
from typing import Literal

import numpy as np
import pytest
import torch

from dsray.base import RequestError, RunFailure
from dsray.data import Facts
from dsray.engine import LocalWorker, TrainState
from dsray.engine.policies import CONTINUE, Decision, PolicyConfig, ReduceRateConfig
from dsray.engine.ready import ReadyStage
from dsray.experiment import Experiment
from dsray.runner.files import TrainingFiles, resume_history
from dsray.runner.training import train
from dsray.testing.subjects import facts

TREE = {
    "data": {"source": "digits"},
    "model": {"width": 16, "trunk": {"hidden": 16, "heads": 2, "experts": {"hidden": 16}}},
}
ATTACKED = {"name": "pgd", "steps": 12, "attack": {"kind": "pgd", "steps": 1}, "epsilon": 0.1, "share": 0.5}
FLAT = {"kind": "reduce_rate", "patience": 1, "tolerance": 1.0, "least": 0.1}
"""No accuracy improves by more than 1: the rate halves at each validation but the first, down to a tenth."""
STEP = {"kind": "joined", "parts": [{"share": 1 / 3, "schedule": 0.01}, {"share": 2 / 3, "schedule": 0.005}]}


class Killed(Exception):
    pass


class After(PolicyConfig):
    """Sets its controls at the second validation of a stage."""

    kind: Literal["test_controls:After"] = "test_controls:After"
    factors: dict[str, float]
    named: tuple[str, ...] | None = None

    @property
    def sets(self):
        return tuple(self.factors) if self.named is None else self.named

    def build(self, facts):
        return lambda history: Decision(set=self.factors) if len(history) == 2 else CONTINUE


def experiment(*policies, rate=0.01, **sections):
    settings = {"steps": 12, "batch": 32, "validate_every": 2, "checkpoint_every": 3, "log_every": 1}
    return Experiment.parse(TREE | {"train": settings | {"rates": {"schedule": rate}, "policies": policies}} | sections)


def run(x, digits, folder=None, die_at=None):
    lines = []

    def on_line(line):
        lines.append(line)
        if die_at is not None and line["kind"] == "step" and line["step"] >= die_at:
            raise Killed

    files = TrainingFiles(folder) if folder else None
    if files:
        resume_history(files)
    return train(x, LocalWorker(digits, x.augment, seed=0, folder=folder, on_line=on_line), files=files), lines


def steps(lines, name, stage="clean"):
    return [line[name] for line in lines if line["kind"] == "step" and line["stage"] == stage]


def reduced(config, values):
    """The factor on the rate after each of the validations."""
    policy = config.build(facts())
    return [
        policy([{config.metric or "accuracy": v} for v in values[: n + 1]]).set.get("rate", 1.0)
        for n in range(len(values))
    ]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("metric", "mode"), [("accuracy", "max"), ("loss", "min")])
@pytest.mark.parametrize(("patience", "tolerance", "factor", "least"), [(1, 0.0, 0.5, 0.1), (3, 0.05, 0.3, 0.0)])
def test_reduce_rate_is_that_of_torch(seed, metric, mode, patience, tolerance, factor, least):
    values = np.random.default_rng(seed).random(40).round(2).tolist()
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, mode, factor, patience - 1, tolerance, "abs", min_lr=least, eps=0
    )
    expected = []
    for value in values:
        theirs.step(value)
        expected.append(optimizer.param_groups[0]["lr"])
    config = ReduceRateConfig(metric=metric, patience=patience, tolerance=tolerance, factor=factor, least=least)
    found = reduced(config, values)
    assert found == pytest.approx(expected, rel=1e-12)
    assert found[-1] < found[0] == 1.0


def test_what_is_not_a_number_is_no_improvement():
    assert reduced(ReduceRateConfig(patience=2), [0.5, 0.6, float("nan"), float("nan")]) == [1, 1, 1, 0.5]


def test_the_rate_of_the_steps_is_the_reduced_one_and_each_stage_begins_anew(digits):
    _, lines = run(experiment(FLAT, finetune={"unfreeze": [["head", "exits"], ["*"]]}), digits)
    for stage in ("unfreeze1/clean", "unfreeze2/clean"):
        assert steps(lines, "rate", stage) == pytest.approx([0.01] * 4 + [0.005] * 2)
    said = {line["step"]: line["control/rate"] for line in lines if "control/rate" in line}
    assert said == {4: 0.5, 6: 0.25, 10: 0.5, 12: 0.25}
    _, lines = run(experiment(FLAT), digits)
    factors = [1.0] * 4 + [0.5] * 2 + [0.25] * 2 + [0.125] * 2 + [0.1] * 2
    assert steps(lines, "rate") == pytest.approx([0.01 * factor for factor in factors])


def test_a_reduced_rate_trains_as_a_schedule_that_says_the_same(digits):
    found = [run(experiment(*p, rate=rate), digits)[0] for p, rate in (((FLAT | {"least": 0.5},), 0.01), ((), STEP))]
    assert all(torch.equal(a, b) for a, b in zip(*(model.parameters() for model in found), strict=True))
    constant = run(experiment(), digits)[0]
    assert not all(torch.equal(a, b) for a, b in zip(found[0].parameters(), constant.parameters(), strict=True))


def test_radius_and_share_follow_their_controls(digits):
    sections = {"adversarial": {"stages": [ATTACKED], "baseline": False}}
    _, lines = run(experiment(After(factors={"epsilon": 0.5, "share": 1.5}), **sections), digits)
    assert steps(lines, "epsilon", "pgd") == pytest.approx([0.1] * 4 + [0.05] * 8)
    x = experiment(**sections)
    state = TrainState(x.model.build(digits.schema))
    ready = ReadyStage(x.stages(digits)[1], state, Facts.of(digits, digits.splits["train"], 8), 0)
    counts = []
    for share in (1.0, 0.5, 0.0, 1.5, 9.0):
        state.controls = {"share": share}
        counts.append(len(ready.attacked(state)))
    assert counts == [16, 8, 0, 24, 32]


@pytest.mark.parametrize("uneven", [False, True])
def test_a_killed_run_goes_on_with_what_was_set(digits, tmp_path, uneven):
    """And, for uneven classes, with the same balanced rows, weights and focal losses."""
    sections = {"adversarial": {"stages": [ATTACKED], "baseline": False}}
    x = experiment(FLAT, After(factors={"epsilon": 0.5, "share": 1.5}), **sections)
    if uneven:
        x = x.replace(
            train=x.train.replace(sampler="balanced", task={"kind": "task", "weights": {"1": 3.0}, "focal": 2})
        )
    whole, lines = run(x, digits, tmp_path / "whole")
    for die_at in (6, 11, 17, 20, 23):
        with pytest.raises(Killed):
            run(x, digits, tmp_path / "killed", die_at)
    again, _ = run(x, digits, tmp_path / "killed")
    assert all(torch.equal(a, b) for a, b in zip(whole.state_dict().values(), again.state_dict().values(), strict=True))
    texts = [(tmp_path / name / "history.jsonl").read_text().splitlines() for name in ("whole", "killed")]
    read = [[{k: v for k, v in json.loads(t).items() if k not in ("time_s", "crc")} for t in text] for text in texts]
    assert read[0] == read[1]


def test_a_checkpoint_of_an_older_version_has_nothing_set(digits):
    x = experiment()
    state = TrainState(x.model.build(digits.schema), controls={"rate": 0.5})
    tensors, plain = state.state_dict()
    again = TrainState(x.model.build(digits.schema))
    again.load_state_dict(tensors, plain)
    assert again.controls == {"rate": 0.5}
    again.load_state_dict(tensors, {k: v for k, v in plain.items() if k != "controls"})
    assert again.controls == {}


@pytest.mark.parametrize(
    ("policies", "said"),
    [
        (
            [After(factors={"speed": 1})],
            r"^train\.policies\.0: sets 'speed', which nothing reads; valid: rate, epsilon, share",
        ),
        ([FLAT, After(factors={"epsilon": 1})], r"^train\.policies\.1: sets epsilon, which only a stage that attacks"),
        (
            [After(factors={"share": 1})],
            r"^train\.policies\.0: sets share, which only a stage that attacks its rows reads; add adv",
        ),
        ([FLAT, FLAT | {"metric": "loss"}], r"^train\.policies\.1: policy 0 sets rate already; keep one of them"),
    ],
)
def test_a_control_that_nothing_reads_or_two_set_is_refused(policies, said):
    with pytest.raises(RequestError, match=said):
        experiment(*policies)


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (After(factors={"rate": 1}, named=()), "policy test_controls:After set 'rate', which its `sets` does not name"),
        (After(factors={"rate": -1}), "set rate to -1.0; a control is a factor of 0 or more"),
    ],
)
def test_a_policy_that_breaks_its_word_ends_the_training(digits, policy, said):
    with pytest.raises(RunFailure, match=said):
        run(experiment(policy), digits)
