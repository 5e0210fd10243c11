"""What the rows of each class, and easy and hard ones, count in the loss."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from dsray.base import RequestError
from dsray.data import Facts
from dsray.engine.context import Context
from dsray.engine.terms import MadryConfig, TaskConfig, TradesConfig
from dsray.experiment import Experiment
from dsray.runner.checks import check_experiment
from dsray.testing.subjects import NAME, batch_of, facts, prepared, routed

UNEVEN = facts(uneven=True)
BALANCED = torch.tensor([32 / 48, 32 / 24, 32 / 24])
"""n / (classes x rows of the class), for 16, 8 and 8 rows."""


@pytest.fixture(scope="module")
def batch():
    return batch_of(prepared(), 12)


def losses(config, batch, of_stage=UNEVEN):
    """(12,) the losses of a model in which every exit counts, beside an attack that inverts its images."""
    torch.manual_seed(0)
    context = Context(
        routed().eval(), batch, 0, perturbation=lambda given: given.batch.with_input(NAME, 1 - given.batch.inputs[NAME])
    )
    return config.build(of_stage)(context).detach()


def test_balanced_weights_make_classes_equal_and_leave_the_mean(batch):
    assert UNEVEN.counts.tolist() == [16, 8, 8]
    plain, weighted = losses(TaskConfig(), batch), losses(TaskConfig(weights="balanced"), batch)
    assert torch.allclose(weighted, BALANCED[batch.target] * plain, rtol=1e-6)
    assert float((BALANCED * torch.tensor(UNEVEN.counts)).sum() / 32) == pytest.approx(1)
    assert torch.equal(losses(TaskConfig(weights="balanced"), batch, facts()), plain)


def test_a_class_that_the_stage_does_not_have_counts_for_none_of_the_others(batch):
    of_task = Facts(UNEVEN.schema, np.array([9, 0, 3]), 10)
    expected = torch.tensor([12 / 18, 1, 12 / 6])[batch.target] * losses(TaskConfig(), batch)
    assert torch.allclose(losses(TaskConfig(weights="balanced"), batch, of_task), expected, rtol=1e-6)


def test_named_weights_are_factors_and_the_others_are_1(batch):
    plain, weighted = losses(TaskConfig(), batch), losses(TaskConfig(weights={"b": 3}), batch)
    assert torch.allclose(weighted, torch.tensor([1.0, 3.0, 1.0])[batch.target] * plain, rtol=1e-6)


def test_focal_is_the_formula_of_the_paper(batch):
    """(1 - p)^2 x -log p of the true class."""
    model = routed().eval()
    logits = model(batch.inputs, batch.present).logits.detach()
    log_p = F.log_softmax(logits, -1).gather(1, batch.target[:, None])[:, 0]
    assert torch.allclose(
        losses(TaskConfig(focal=2, exit_weight=0), batch), -((1 - log_p.exp()) ** 2) * log_p, atol=1e-6
    )


@pytest.mark.parametrize("kind", [TaskConfig, MadryConfig, TradesConfig])
def test_nothing_is_nothing_to_the_bit(batch, kind):
    plain = losses(kind(), batch)
    for config in (kind(weights=None, focal=0), kind(weights={}), kind(weights={"a": 1.0})):
        assert torch.equal(losses(config, batch), plain)


def test_weights_are_of_what_is_supervised(batch):
    """Of both parts of madry; not of the divergence of trades."""
    plain, weighted = losses(MadryConfig(), batch), losses(MadryConfig(weights="balanced"), batch)
    assert torch.allclose(weighted, BALANCED[batch.target] * plain, rtol=1e-5)
    clean = losses(TaskConfig(), batch)
    added = losses(TradesConfig(weights="balanced"), batch) - losses(TradesConfig(), batch)
    assert torch.allclose(added, (BALANCED[batch.target] - 1) * clean, atol=1e-5)


def experiment(weights, where="task"):
    tree = {"data": {"source": "digits"}, "model": {}, "train": {"steps": 2}}
    if where == "task":
        tree["train"]["task"] = {"weights": weights}
    else:
        stage = {"steps": 2, "epsilon": 0.1, "loss": {"kind": "trades", "weights": weights}}
        tree["adversarial"] = {"stages": [stage]}
    return Experiment.parse(tree)


@pytest.mark.parametrize(("where", "path"), [("task", "train.task"), ("loss", "adversarial.stages.0.loss")])
def test_weights_of_a_class_that_is_not_there_are_refused_by_their_path(digits, where, path):
    with pytest.raises(RequestError) as error:
        check_experiment(experiment({"10": 2.0}, where), digits)
    assert str(error.value).startswith(f"{path}.weights.10: there is no such class; did you mean")
    check_experiment(experiment({"1": 2.0}, where), digits)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({"1": 0}, "the factor of '1' must be a number above 0; got 0"),
        ({"1": -2}, "the factor of '1' must be a number above 0; got -2"),
        ({"1": "much"}, "the factor of '1' must be a number above 0; got 'much'"),
        ({1: 2.0}, "names are strings; write '1' in quotes"),
        ("balance", "must be balanced, or factors by name; got 'balance'"),
        (3, "must be balanced, or factors by name; got 3"),
    ],
)
def test_what_is_no_weight_is_refused(weights, said):
    with pytest.raises(RequestError) as error:
        experiment(weights)
    assert str(error.value) == f"train.task.weights: {said}"


def test_weights_are_written_and_read():
    x = experiment({"1": 2.0})
    assert Experiment.parse(x.tree()) == x


@pytest.mark.parametrize("loss", [{"kind": "trades"}, {"kind": "madry", "weights": "balanced", "focal": 1.5}])
def test_rows_count_in_the_undefended_twin_as_in_the_training_that_it_stands_beside(digits, loss):
    x = experiment({"1": 2.0})
    tree = x.tree() | {"adversarial": {"stages": [{"steps": 2, "epsilon": 0.1, "loss": loss}]}}
    clean, taught = Experiment.parse(tree).undefended_stages(digits)
    assert clean.terms == (x.train.task,)
    (term,) = taught.terms
    assert (term.kind, term.weights, term.focal) == ("task", loss.get("weights"), loss.get("focal", 0))


@pytest.mark.parametrize("where", ["task", "loss"])
def test_rare_classes_are_made_up_for_once(where):
    """By rows that are drawn more often or that weigh more: both would make them weigh more than the others."""
    path = "train.task" if where == "task" else "adversarial.stages.0.loss"
    tree = experiment("balanced", where).tree()
    tree["train"]["sampler"] = "balanced"
    with pytest.raises(RequestError) as error:
        Experiment.parse(tree)
    assert str(error.value) == (
        f"{path}.weights: balanced beside train.sampler: balanced makes up for rare classes twice; keep one"
    )
    for weights in ({"1": 2.0}, None):
        tree = experiment(weights, where).tree()
        tree["train"]["sampler"] = "balanced"
        assert Experiment.parse(tree).train.sampler.kind == "balanced"
