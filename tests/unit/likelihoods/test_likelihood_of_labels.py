"""The likelihood of labels beside torch's own distributions, and its figures beside scikit-learn on the same answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, average_precision_score, f1_score
from torch.distributions import Bernoulli, Independent, kl_divergence
from torch.nn import functional as F

from dsray.engine.evaluate import Evaluation
from dsray.likelihoods import Labels
from dsray.targets.thresholds import cuts_of

NAMES = tuple("abcde")
CUTS = cuts_of(np.array([0.5, 0.3, 0.7, 0.5, 0.1]))


def answers(rows: int = 300, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits with ties, and targets in which the last label does not occur."""
    draw = torch.Generator().manual_seed(seed)
    target = (torch.rand(rows, 5, generator=draw) < torch.tensor([0.5, 0.3, 0.2, 0.05, 0.0])).float()
    logits = 3 * target - 1.5 + 2 * torch.randn(rows, 5, generator=draw)
    return (logits * 10).round() / 10 + 0.01, target


def test_it_is_that_of_independent_coins() -> None:
    logits, target = answers()
    likelihood, other = Labels(NAMES), logits.flip(0)
    coins = Independent(Bernoulli(logits=logits), 1)
    assert torch.allclose(likelihood.log_likelihood(logits, target), coins.log_prob(target), atol=1e-5)
    divergence = kl_divergence(coins, Independent(Bernoulli(logits=other), 1))
    assert torch.allclose(likelihood.divergence(logits, other), divergence, atol=1e-4)
    given = (logits > 0).float()
    assert torch.allclose(likelihood.confidence(logits), coins.log_prob(given).exp(), atol=1e-6)


def test_weights_smoothing_and_focal_are_of_each_label() -> None:
    logits, target = answers()
    likelihood, weights = Labels(NAMES), torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    each = F.binary_cross_entropy_with_logits(logits, target, pos_weight=weights, reduction="none")
    assert torch.allclose(likelihood.loss(logits, target, weights=weights), each.sum(1), atol=1e-5)
    each = F.binary_cross_entropy_with_logits(logits, target * 0.8 + 0.1, reduction="none")
    assert torch.allclose(likelihood.loss(logits, target, smoothing=0.2), each.sum(1), atol=1e-5)
    p = torch.where(target > 0, logits.sigmoid(), 1 - logits.sigmoid())
    assert torch.allclose(likelihood.loss(logits, target, focal=2), (-((1 - p) ** 2) * p.log()).sum(1), atol=1e-4)


def test_wrong_is_any_label_and_the_margin_is_that_of_the_worst() -> None:
    logits, target = answers()
    likelihood = Labels(NAMES, CUTS)
    wrong = likelihood.wrong(logits, target)
    assert torch.equal(wrong, likelihood.margin(logits, target) > 0)
    assert torch.equal(~wrong, torch.tensor(((logits.numpy() > CUTS) == target.numpy().astype(bool)).all(1)))
    logits[0, 2] = float("nan")
    assert likelihood.wrong(logits, target)[0]


def test_what_attacks_climb_has_a_gradient_where_the_model_is_certain() -> None:
    logits, target = answers()
    certain = (100 * (2 * target - 1) + logits).requires_grad_()
    likelihood = Labels(NAMES, CUTS)
    assert not likelihood.wrong(certain, target).any()
    likelihood.ascent(certain, target).sum().backward()
    assert certain.grad is not None
    norms = certain.grad.abs().sum(1)
    assert torch.allclose(norms, torch.ones_like(norms), atol=1e-5)  # the weights of the margins add up to 1


def test_rows_without_a_known_target_have_no_loss_and_no_gradient() -> None:
    logits, target = answers()
    target[0], target[1] = -1, float("nan")
    logits.requires_grad_()
    likelihood = Labels(NAMES)
    found = likelihood.loss(logits, target, focal=1)
    assert found[:2].tolist() == [0, 0] and likelihood.wrong(logits, target)[:2].all()
    (found.sum() + likelihood.ascent(logits, target).sum()).backward()
    assert logits.grad is not None and torch.isfinite(logits.grad).all() and not logits.grad[:2].any()


@pytest.mark.parametrize("focal", [0.25, 0.5, 1.0, 2.0])
def test_a_label_that_is_sure_has_a_focal_loss_and_a_slope_of_none(focal: float) -> None:
    logits = torch.tensor([[200.0, -200.0]], requires_grad=True)
    loss = Labels(NAMES[:2]).loss(logits, torch.tensor([[1.0, 0.0]]), focal=focal)
    loss.sum().backward()
    assert loss.item() == 0 and logits.grad is not None and logits.grad.tolist() == [[0, 0]]


def test_samples_have_the_probabilities_of_the_logits() -> None:
    likelihood, logits = Labels(NAMES), torch.tensor([[-2.0, 0.0, 0.5, 3.0, -9.0]])
    uniform = torch.rand(20_000, *likelihood.draws, generator=torch.Generator().manual_seed(0))
    drawn = likelihood.sample(logits.expand(20_000, -1), uniform)
    assert torch.allclose(drawn.mean(0), logits.sigmoid()[0], atol=0.02)


def test_thresholds_change_answers_and_no_early_exit() -> None:
    logits, _ = answers()
    assert not torch.equal(Labels(NAMES, CUTS).confidence(logits), Labels(NAMES).confidence(logits))
    assert torch.equal(Labels(NAMES, CUTS).exit_confidence(logits), Labels(NAMES).confidence(logits))


def test_the_figures_are_those_of_scikit_learn() -> None:
    logits, target = answers()
    found = Evaluation(logits, target, torch.arange(300), Labels(NAMES, CUTS)).metrics()
    given, truth = logits.numpy() > CUTS, target.numpy() > 0
    assert given[:, 4].any() and not truth[:, 4].any()
    assert found["macro_f1"] == pytest.approx(f1_score(truth, given, average="macro", zero_division=0), abs=1e-12)
    assert found["micro_f1"] == pytest.approx(f1_score(truth, given, average="micro"), abs=1e-12)
    assert found["accuracy"] == accuracy_score(truth, given)
    precision = average_precision_score(truth[:, :4], logits[:, :4].numpy(), average="macro")
    assert found["average_precision"] == pytest.approx(precision, abs=1e-12)


def test_tallies_of_parts_add_up_and_one_answer_is_said() -> None:
    logits, target = answers()
    likelihood = Labels(NAMES, CUTS)
    parts = sum(likelihood.tally(logits[i::3], target[i::3]) for i in range(3))
    assert torch.equal(parts, likelihood.tally(logits, target))
    assert "one_answer" not in likelihood.said(parts)
    always = torch.tensor([[9.0, -9.0, 9.0, -9.0, -9.0]]).expand(300, -1)
    assert likelihood.said(likelihood.tally(always, target))["one_answer"] == "a, c"


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_labels_that_are_nearly_sure_have_their_slope_in_mixed_precision(precision) -> None:
    """sigmoid(z) - y, of logits that are whole numbers in both."""
    logits, target = torch.tensor([[6.0, -7, 3]], dtype=precision, requires_grad=True), torch.tensor([[1.0, 0, 1]])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        Labels(("a", "b", "c")).loss(logits, target).sum().backward()
    assert torch.allclose(logits.grad.float(), logits.detach().float().sigmoid() - target, rtol=0.01, atol=0)
