"""What a training says of its steps: the mean epsilon, every term, and the load of the experts."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from dsray.base.schedules import ConstantConfig
from dsray.data import Facts, to_batch
from dsray.engine import Cadence, LocalWorker, TrainState, fit
from dsray.engine.compile import undefended
from dsray.engine.context import Context
from dsray.engine.executions import SingleProcess, loss_of
from dsray.engine.ready import ReadyStage
from dsray.engine.terms import MadryConfig, TaskConfig, TradesConfig
from dsray.experiment import Experiment
from dsray.runner.files import TrainingFiles, resume_history
from dsray.runner.training import new_model, train

MODEL = {"width": 16, "trunk": {"hidden": 16, "heads": 2, "experts": {"hidden": 16}}}


class Killed(Exception):
    pass


def experiment(train=(), **stage):
    attacked = {"name": "pgd", "steps": 9, "attack": {"kind": "pgd", "steps": 1}, "epsilon": 0.1, **stage}
    tree = {
        "data": {"source": "digits"},
        "model": MODEL,
        "train": {"steps": 3, "batch": 32, "checkpoint_every": 2, **dict(train)},
        "adversarial": {"stages": [attacked]},
    }
    return Experiment.parse(tree)


def trained(x, digits, folder, die_at=None):
    def on_line(line):
        if line["kind"] == "step" and line["step"] == die_at:
            raise Killed

    files = TrainingFiles(folder)
    resume_history(files)
    train(x, LocalWorker(digits, x.augment, seed=0, folder=folder, on_line=on_line), files=files)
    return json.loads((files.model / "training.json").read_text())["mean_epsilon"]


def test_the_mean_epsilon_is_that_of_all_steps_and_not_of_the_logged_ones(digits, tmp_path):
    x = experiment(epsilon={"kind": "linear", "start": 0.0, "end": 0.08, "share": 0.25})
    radii = [x.stages(digits)[1].perturb.epsilon.build(9)(step) for step in range(9)]
    assert len(set(radii)) > 2
    mean = trained(x, digits, tmp_path / "whole")
    assert mean == pytest.approx(np.mean(radii), abs=1e-12)
    lines = [json.loads(line) for line in (tmp_path / "whole" / "history.jsonl").read_text().splitlines()]
    assert np.mean([line["epsilon"] for line in lines if "epsilon" in line]) != pytest.approx(mean, abs=1e-3)


def test_the_mean_epsilon_of_a_killed_training_is_that_of_an_undisturbed_one(digits, tmp_path):
    x = experiment({"log_every": 1}, epsilon={"kind": "linear", "start": 0.01, "end": 0.1})
    for die_at in (6, 9):
        with pytest.raises(Killed):
            trained(x, digits, tmp_path / "killed", die_at)
    assert trained(x, digits, tmp_path / "killed") == trained(x, digits, tmp_path / "whole")


def test_the_mean_epsilon_is_of_the_steps_that_ran(digits, tmp_path):
    """A stage that a policy ends has no more epsilons; a training without attack has none."""
    policies = [{"kind": "reach", "value": 0.0}]
    x = experiment({"policies": policies, "validate_every": 1}, epsilon={"kind": "linear", "start": 0.02, "end": 0.1})
    assert trained(x, digits, tmp_path / "stopped") == pytest.approx(0.02)
    assert trained(experiment(), digits, tmp_path / "constant") == 0.1
    assert trained(x.replace(adversarial=None), digits, tmp_path / "clean") is None


def states(digits, x, stages):
    """Step lines and final weights of a training of these stages."""
    lines = []
    worker = LocalWorker(digits, x.augment, seed=0, on_line=lines.append)
    state = TrainState(new_model(x, worker))
    fit(state, stages, worker, SingleProcess(state.model), seed=0, cadence=Cadence(log=1))
    return [line for line in lines if line["kind"] == "step"], state.model.state_dict()


def test_two_terms_of_one_kind_both_count(digits):
    x = experiment()
    clean = x.stages(digits)[0]
    half = ConstantConfig(value=0.5)
    lines, weights = states(digits, x, [clean])
    twice, same = states(digits, x, [clean.replace(terms=(TaskConfig(weight=half), TaskConfig(weight=half)))])
    for one, two in zip(lines, twice, strict=True):
        assert two["loss"] == pytest.approx(one["loss"], abs=1e-6)
        assert two["term/task"] == two["term/task-2"] == pytest.approx(one["loss"] / 2, abs=1e-6)
    assert all(
        torch.allclose(a.float(), b.float(), atol=1e-4) for a, b in zip(weights.values(), same.values(), strict=True)
    )


def test_the_twin_of_a_stage_keeps_every_term_that_needs_no_attack(digits):
    x = experiment()
    soft = TaskConfig(label_smoothing=0.1)
    stage = x.stages(digits)[0].replace(terms=(TaskConfig(), soft))
    assert undefended([stage], x.train)[0].terms == (TaskConfig(), soft)
    assert undefended(x.stages(digits), x.train)[1].terms == (x.train.task,)


def batch_of(digits, blind=0):
    columns = digits.take(digits.splits["train"][:32])
    columns["present.image"][:blind] = False
    return to_batch(columns, digits.schema)


def test_terms_of_one_name_are_refused(digits):
    x = experiment()
    context = Context(new_model(x, LocalWorker(digits, x.augment, seed=0)), batch_of(digits), 0)
    term = ("task", ConstantConfig(value=1.0).build(1), TaskConfig().build(Facts.of(digits, digits.splits["train"], 1)))
    with pytest.raises(ValueError, match="two terms have one name: task, task"):
        loss_of(context, [term, term], 32)


@pytest.mark.parametrize("loss", [MadryConfig(), MadryConfig(clean_share=0.0), TradesConfig()], ids=repr)
@pytest.mark.parametrize(
    ("epsilon", "share", "blind", "passes"),
    [(0.0, 1.0, 0, 32), (0.1, 1.0, 0, 64), (0.1, 0.5, 0, 48), (0.1, 1.0, 4, 60), (0.1, 0.125, 4, 32)],
    ids=["epsilon 0", "all", "half", "some without an image", "only those"],
)
def test_a_row_that_is_the_same_in_both_passes_is_loaded_once(digits, loss, epsilon, share, blind, passes):
    """`per: sample` and top 1: each row is one choice in each block."""
    x = experiment(epsilon={"kind": "constant", "value": epsilon}, share=share, loss=loss.model_dump(mode="json"))
    state = TrainState(new_model(x, LocalWorker(digits, x.augment, seed=0)).train())
    ready, batch = (
        ReadyStage(x.stages(digits)[1], state, Facts.of(digits, digits.splits["train"], 8), 0),
        batch_of(digits, blind),
    )
    context = ready.context(state, batch, state.model)
    (term,) = (term for _, _, term in ready.terms)
    found = term(context)
    expected = 32 if loss.kind == "madry" and loss.clean_share == 0 else passes
    assert context.expert_load().sum(1).tolist() == [expected] * 3

    moved = context.adversarial_batch
    apart = Context(state.model, batch, 0, perturbation=lambda *_: moved)  # two whole passes
    assert torch.allclose(found, term(apart), atol=1e-6)
    if epsilon and share < 1 and not blind:
        assert torch.equal(moved.inputs["image"][16:], batch.inputs["image"][16:])


def test_gradients_are_those_of_two_whole_passes(digits):
    x = experiment(share=0.5)
    state = TrainState(new_model(x, LocalWorker(digits, x.augment, seed=0)).train())
    ready, batch = (
        ReadyStage(x.stages(digits)[1], state, Facts.of(digits, digits.splits["train"], 8), 0),
        batch_of(digits),
    )
    context = ready.context(state, batch, state.model)
    apart = Context(state.model, batch, 0, perturbation=lambda *_: context.adversarial_batch)
    found = []
    for each in (context, apart):
        SingleProcess(state.model).forward_backward(each, ready.terms, 32)
        found.append({n: p.grad for n, p in state.model.named_parameters() if p.grad is not None})
        state.model.zero_grad(set_to_none=True)
    assert found[0].keys() == found[1].keys() and len(found[0]) > 20
    assert all(torch.allclose(found[0][name], found[1][name], atol=1e-6) for name in found[0])
