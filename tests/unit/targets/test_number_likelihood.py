"""The likelihood of a number: a normal distribution, what training minimises, what attacks climb."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from torch.distributions import Normal, kl_divergence

from dsray.base import RequestError
from dsray.base.spread import WIDEST
from dsray.likelihoods import Number


def rows(count=500, seed=0):
    draw = torch.Generator().manual_seed(seed)
    logits = torch.randn(count, 2, generator=draw)
    return logits, logits[:, 0] + torch.randn(count, generator=draw)


def normal(logits):
    return Normal(logits[:, 0], (WIDEST * torch.tanh(logits[:, 1] / WIDEST)).exp())


def test_it_is_a_normal_distribution():
    likelihood, (logits, target), (clean, _) = Number(0.5), rows(), rows(seed=1)
    assert torch.allclose(likelihood.log_likelihood(logits, target), normal(logits).log_prob(target), atol=1e-4)
    expected = kl_divergence(normal(clean), normal(logits))
    assert torch.allclose(likelihood.divergence(clean, logits), expected, rtol=1e-4, atol=1e-5)
    assert torch.allclose(likelihood.divergence(clean, clean), torch.zeros(500), atol=1e-6)


def test_the_loss_weighs_each_row_by_its_spread():
    """The gradient of the mean is error / spread, that of the plain likelihood error / spread² (beta 0.5)."""
    logits, target = rows(5)
    logits.requires_grad_()
    (plain,) = torch.autograd.grad(-Number(0.5).log_likelihood(logits, target).sum(), logits)
    (found,) = torch.autograd.grad(Number(0.5).loss(logits, target).sum(), logits)
    assert torch.allclose(found, plain * normal(logits).scale.detach()[:, None], atol=1e-6)


def test_rows_without_a_number_are_wrong_and_cost_nothing():
    likelihood, (logits, target) = Number(0.5), rows(4)
    target[1] = math.nan
    logits.requires_grad_()
    for value in (likelihood.loss(logits, target), likelihood.ascent(logits, target)):
        (gradient,) = torch.autograd.grad(value.sum(), logits)
        assert value[1] == 0 and not gradient[1].any() and torch.isfinite(gradient).all()
    assert likelihood.wrong(logits, target)[1] and likelihood.known(target).tolist() == [True, False, True, True]
    assert likelihood.wrong(torch.tensor([[math.nan, 0.0], [0.0, math.nan]]), torch.zeros(2)).all()


def test_what_attacks_climb_is_the_error_whose_gradient_vanishes_nowhere():
    likelihood = Number(0.5)
    logits = torch.tensor([[1.0, 3.0], [-1.0, -9.0], [0.0, 0.0], [0.75, 0.0]], requires_grad=True)
    target = torch.zeros(4)
    margin = likelihood.margin(logits, target)
    assert margin.tolist() == [0.5, 0.5, -0.5, 0.25]
    assert torch.equal(margin > 0, likelihood.wrong(logits, target))
    (gradient,) = torch.autograd.grad(likelihood.ascent(logits, target).sum(), logits)
    assert gradient[:, 0].tolist() == [1.0, -1.0, 1.0, 1.0] and not gradient[:, 1].any()


def test_drawn_numbers_have_the_distribution():
    logits = torch.tensor([[2.0, 0.5]]).expand(100_000, 2).clone().requires_grad_()
    uniform = torch.rand(100_000, 2, generator=torch.Generator().manual_seed(0))
    uniform[0] = 0.0
    drawn = Number(0.5).sample(logits, uniform)
    spread = float(normal(logits[:1].detach()).scale)
    assert not drawn.requires_grad and drawn.dtype == torch.float32 and torch.isfinite(drawn).all()
    assert float(drawn.mean()) == pytest.approx(2.0, abs=0.03) and float(drawn.std()) == pytest.approx(spread, rel=0.01)
    below = [float((drawn < 2 + k * spread).double().mean()) for k in (-2, -1, 1, 2)]
    assert below == pytest.approx([0.0228, 0.1587, 0.8413, 0.9772], abs=0.005)


@pytest.mark.parametrize("offset", [0.0, 1e4], ids=["centred", "far from the training mean"])
def test_figures_are_those_of_scikit_learn(offset):
    logits, target = rows(1000)
    logits[:, 0], target = (logits[:, 0] + offset).float(), (target + offset).float()
    likelihood = Number(0.5, scale=30.0, interval=1.6)
    halves = [likelihood.tally(logits[a:b], target[a:b]) for a, b in ((0, 0), (0, 300), (300, 1000))]
    found = likelihood.figures(sum(halves[1:], halves[0]))
    truth, answer = 30.0 * target.double().numpy() + 50, 30.0 * logits[:, 0].double().numpy() + 50
    assert found["mae"] == pytest.approx(mean_absolute_error(truth, answer), rel=1e-9)
    assert found["rmse"] == pytest.approx(root_mean_squared_error(truth, answer), rel=1e-9)
    assert found["r2"] == pytest.approx(r2_score(truth, answer), rel=1e-7)
    half = 30.0 * 1.6 * normal(logits.double()).scale.numpy()
    assert found["interval_coverage"] == pytest.approx(np.mean(np.abs(truth - answer) <= half), abs=2e-3)
    assert found["interval_width"] == pytest.approx(2 * half.mean(), rel=1e-9)
    assert "interval_width" not in Number(0.5).figures(likelihood.tally(logits, target))


def test_of_one_number_nothing_is_explained():
    tally = Number(0.5).tally(torch.tensor([[0.5, 0.0]]), torch.tensor([0.25]))
    assert Number(0.5).figures(tally) == {"mae": 0.25, "rmse": 0.25, "r2": 0.0}


def test_of_one_number_nothing_is_explained_whatever_its_square_is_rounded_to():
    likelihood = Number(0.5)
    for value in np.random.default_rng(0).standard_normal(100, np.float32):
        tally = likelihood.tally(torch.zeros(300, 2), torch.full((300,), float(value)))
        assert likelihood.figures(tally)["r2"] == 0.0


def test_confidence_stays_a_probability():
    logits = torch.tensor([[0.0, x] for x in (-1e9, -20.0, 0.0, 20.0, 1e9)])
    confidence = Number(0.5).confidence(logits)
    assert torch.isfinite(confidence).all() and (confidence >= 0).all() and (confidence <= 1).all()
    assert (confidence.diff() <= 0).all() and confidence[0] > 0.999 > 0.01 > confidence[-1]


def test_answers_of_another_shape_are_refused():
    with pytest.raises(RequestError, match=r"gives \(3, 1\) for 3 rows; needs \(rows, 2\), the mean of each number"):
        Number(0.5).check(torch.zeros(3, 1), torch.zeros(3))
    with pytest.raises(RequestError, match="not finite on 1 of 3 rows"):
        Number(0.5).check(torch.tensor([[0.0, 0.0], [math.inf, 0.0], [0.0, 0.0]]), torch.zeros(3))
