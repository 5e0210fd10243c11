"""The size of the logits hides no gradient, and a model that has none is refused or its rows are counted."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dsray.attacks import (
    FgsmConfig,
    Judgement,
    PgdConfig,
    RandomSearchConfig,
    cross_entropy,
    judge_batches,
    robust_accuracy,
    scaled_cross_entropy,
)
from dsray.base import RequestError
from dsray.base.batch import Batch

PGD = PgdConfig(steps=10)
SEARCH = RandomSearchConfig(queries=100)


class Of(nn.Module):
    """`change` of the logits of a net."""

    def __init__(self, net, change):
        super().__init__()
        self.net, self.change = net, change

    def forward(self, x):
        return self.change(self.net(x))


def learnt(classes: int) -> tuple[nn.Module, Tensor, Tensor]:
    """A small net that knows in which column of the image it is bright."""
    torch.manual_seed(0)
    labels = torch.arange(120) % classes
    images = torch.rand(120, 1, 6, 6) * 0.5
    images[torch.arange(120), 0, :, labels] += 0.2
    net = nn.Sequential(nn.Flatten(), nn.Linear(36, 24), nn.ReLU(), nn.Linear(24, classes))
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(200):
        optimizer.zero_grad()
        F.cross_entropy(net(images), labels).backward()
        optimizer.step()
    return net.eval().requires_grad_(False), images, labels


def batch_of(images: Tensor, labels: Tensor) -> Batch:
    rows = torch.arange(len(labels))
    return Batch({"image": images}, labels, rows, torch.zeros_like(rows))


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("factor", [1e4, 100, 1e-3])
@pytest.mark.parametrize(
    "attacks",
    [[FgsmConfig()], [PGD], [PgdConfig(steps=5, restarts=2)], [PgdConfig(steps=10, loss="margin")], [PGD, SEARCH]],
    ids=["fgsm", "pgd", "restarts", "margin", "ensemble"],
)
def test_larger_and_smaller_logits_give_the_same_robust_accuracy(classes, factor, attacks):
    net, images, labels = learnt(classes)
    own = robust_accuracy(net, images, labels, epsilon=0.08, attacks=attacks)
    assert 0.05 < own < 0.9
    scaled = robust_accuracy(Of(net, lambda z: factor * z), images, labels, epsilon=0.08, attacks=attacks)
    assert scaled == pytest.approx(own, abs=0.01)  # one row of 120, by rounding


@pytest.mark.parametrize("value", [-1e4, -1e9, torch.finfo(torch.float32).min])
@pytest.mark.parametrize("masked", [1, 6])
@pytest.mark.parametrize(
    "attacks", [[FgsmConfig()], [PGD], [PgdConfig(steps=5, restarts=2)]], ids=["fgsm", "pgd", "x2"]
)
def test_classes_that_a_model_masks_are_no_defence(value, masked, attacks):
    net, images, labels = learnt(5)

    def with_masked(z):
        return F.pad(z, (0, masked), value=value)

    own = robust_accuracy(net, images, labels, epsilon=0.08, attacks=attacks)
    found = robust_accuracy(Of(net, with_masked), images, labels, epsilon=0.08, attacks=attacks)
    assert 0.05 < own < 0.9 and found == pytest.approx(own, abs=0.01)


def test_a_linear_model_of_any_certainty_gets_its_exact_robust_accuracy():
    """Right by a margin m, it falls at epsilon = m / |w|_1 and not before."""
    torch.manual_seed(1)
    net = nn.Sequential(nn.Flatten(), nn.Linear(16, 2)).requires_grad_(False)
    images = 0.3 + 0.4 * torch.rand(300, 1, 4, 4)
    labels = net(images).argmax(1)
    weight = net[1].weight[1] - net[1].weight[0]
    distance = (net(images) @ torch.tensor([-1.0, 1.0])).abs() / weight.abs().sum()
    epsilon = float(distance.median())
    exact = float((distance > epsilon).float().mean())
    for factor in (1.0, 1e6):
        found = robust_accuracy(Of(net, lambda z, f=factor: f * z), images, labels, epsilon=epsilon, attacks=[PGD])
        assert found == pytest.approx(exact, abs=0.01)


def test_the_loss_points_where_cross_entropy_points_and_does_not_vanish():
    torch.manual_seed(0)
    logits = torch.randn(50, 4, dtype=torch.float64)
    logits = 6 * (logits - logits.mean(1, keepdim=True)) / logits.std(1, correction=0, keepdim=True)
    target = torch.arange(50) % 4

    def direction(loss, factor=1.0):
        z = logits.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(loss(factor * z, target).sum(), z)
        return gradient / gradient.norm(dim=1, keepdim=True)

    assert torch.allclose(direction(scaled_cross_entropy), direction(cross_entropy), atol=1e-9)
    for factor in (1e-6, 1e6):
        assert torch.allclose(direction(scaled_cross_entropy, factor), direction(cross_entropy), atol=1e-9)
    assert scaled_cross_entropy(torch.zeros(2, 3), torch.tensor([0, -1])).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda z: (100 * z).softmax(-1), "model: gives probabilities, whose gradient vanishes .*; give the logits"),
        (lambda z: z.softmax(-1), "model: gives probabilities"),
        (lambda z: z.bfloat16().softmax(-1), "model: gives probabilities"),
        (
            lambda z: (z[:, 1] - z[:, 0])[:, None],
            r"model: gives one column, .* torch.stack\(\[torch.zeros_like\(z\), z\], -1\)",
        ),
        (lambda z: z[:, 1] - z[:, 0], "model: gives one column"),
        (lambda z: z[:, None], r"model: gives \(120, 1, 2\) for 120 rows; needs logits of shape \(rows, classes\)"),
        (lambda z: z[:60], r"model: gives \(60, 2\) for 120 rows"),
        (lambda z: z.argmax(1, keepdim=True) * torch.arange(2), "model: gives torch.int64; needs logits"),
        (lambda z: z.where(z > z.median(), torch.inf), "model: gives logits that are not finite on .* of 120 rows"),
        (lambda z: {"logits": z}, r"model: gives a dict; needs a tensor of logits, \(rows, classes\)"),
        (lambda z: z * torch.nan, "model: gives logits that are not finite on 120 of 120 rows"),
    ],
)
def test_what_is_no_logits_is_refused(change, sentence):
    net, images, labels = learnt(2)
    with pytest.raises(RequestError, match=sentence):
        robust_accuracy(Of(net, change), images, labels, epsilon=0.1)


def test_one_logit_stacked_as_the_sentence_says_is_judged():
    net, images, labels = learnt(2)

    def stacked(logits):
        z = logits[:, 1] - logits[:, 0]
        return torch.stack([torch.zeros_like(z), z], -1)

    own = robust_accuracy(net, images, labels, epsilon=0.08, attacks=[PGD])
    assert robust_accuracy(Of(net, stacked), images, labels, epsilon=0.08, attacks=[PGD]) == pytest.approx(
        own, abs=0.01
    )


class Staircase(nn.Module):
    """A net whose gradient is zero for images with a bright first pixel."""

    def __init__(self, net, bright):
        super().__init__()
        self.net, self.bright = net, bright

    def forward(self, x):
        steps = torch.round(x * 64) / 64 + 0 * x
        return self.net(torch.where(x[:, :, :1, :1] > self.bright, steps, x))


def test_a_model_without_any_gradient_is_refused_unless_a_search_judges_it():
    net, images, labels = learnt(5)
    stairs = Staircase(net, -1.0)
    for attacks in ([PGD], [FgsmConfig(), PgdConfig(steps=3, loss="margin")]):
        with pytest.raises(
            RequestError, match=r"gradient of all .* rows .* is zero in every pixel, .* use kind 'random_search'"
        ):
            robust_accuracy(stairs, images, labels, epsilon=0.08, attacks=attacks)
    found = judge_batches(stairs, [batch_of(images, labels)], [PGD, SEARCH], 0.08)
    assert found.blind.sum() == found.climbed.sum() == found.clean_correct.sum() > 100
    with pytest.warns(UserWarning, match=rf"{found.blind.sum()} of {found.climbed.sum()} rows .* had no gradient"):
        robust_accuracy(stairs, images, labels, epsilon=0.08, attacks=[PGD, SEARCH])
    seen = robust_accuracy(net, images, labels, epsilon=0.08, attacks=[SEARCH])
    assert found.robust_accuracy == pytest.approx(seen, abs=0.1) and found.robust_accuracy < found.clean_accuracy - 0.1


def test_rows_without_a_gradient_are_counted():
    net, images, labels = learnt(5)
    found = judge_batches(
        Staircase(net, 0.4), [batch_of(images, labels)], [PgdConfig(steps=5, random_start=False)], 0.02
    )
    blind = (images[:, 0, 0, 0] > 0.4).numpy() & found.clean_correct
    assert 5 < blind.sum() < 100
    assert found.blind.tolist() == blind.tolist() and found.robust[blind].all()
    assert found.climbed.tolist() == found.clean_correct.tolist() and not found.searched.any()


def test_shards_of_a_judgement_are_refused_together_or_not_at_all():
    """One shard without a gradient is no reason where another has one."""
    net, images, labels = learnt(5)
    dark, bright = images.clone(), images.clone()
    dark[:, 0, 0, 0], bright[:, 0, 0, 0] = 0.0, 1.0
    stairs = Staircase(net, 0.5)
    with pytest.raises(RequestError, match="is zero in every pixel"):
        judge_batches(stairs, [batch_of(bright, labels)], [PGD], 0.02)
    found = judge_batches(stairs, [batch_of(bright, labels), batch_of(dark, labels)], [PGD], 0.02)
    assert isinstance(found, Judgement) and found.blind[:120].sum() == found.blind.sum() > 0
