"""Fisher information is measured or refused, never zeros for want of a measurement, and leaves the model as it was."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dsray.base import RequestError
from dsray.optim import diagonal_fisher


@pytest.fixture
def net():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3))
    net.train()
    return net


@pytest.fixture
def loader():
    torch.manual_seed(1)
    return [(torch.rand(5, 1, 4, 4), torch.randint(0, 3, (5,))) for _ in range(2)]


def test_each_module_keeps_its_mode(net, loader):
    net[1].eval()
    statistics = net[1].running_mean.clone()
    diagonal_fisher(net, loader)
    assert [module.training for module in net] == [True, False, True, True]
    assert torch.equal(net[1].running_mean, statistics)


def test_it_is_measured_under_no_grad_too(net, loader):
    outside = diagonal_fisher(net, loader)
    with torch.no_grad():
        inside = diagonal_fisher(net, loader)
        assert not torch.is_grad_enabled()
    assert all(torch.equal(inside[name], outside[name]) and inside[name].sum() > 0 for name in outside)
    assert all(p.grad is None for p in net.parameters())


def test_no_rows_are_refused(net, loader):
    used_up = iter(loader)
    whole = diagonal_fisher(net, used_up)
    assert whole["3.bias"].sum() > 0
    for empty in (used_up, [], [(torch.rand(0, 1, 4, 4), torch.zeros(0, dtype=torch.int64))]):
        with pytest.raises(RequestError, match="batches: hold no rows to measure on"):
            diagonal_fisher(net, empty)


def test_a_model_in_which_nothing_learns_is_refused(net, loader):
    net.requires_grad_(False)
    with pytest.raises(RequestError, match="model: no parameter requires gradients"):
        diagonal_fisher(net, loader)


def test_answers_without_a_gradient_are_refused_and_a_parameter_beside_them_is_zero(net, loader):
    class Cut(nn.Module):
        """Answers with the net's logits; one parameter stands beside them."""

        def __init__(self, inner, detached):
            super().__init__()
            self.inner, self.detached, self.beside = inner, detached, nn.Parameter(torch.ones(2))

        def forward(self, images):
            logits = self.inner(images)
            return logits.detach() if self.detached else logits

    with pytest.raises(RequestError, match="its answers depend on no parameter that requires gradients"):
        diagonal_fisher(Cut(net, detached=True), loader)
    fisher = diagonal_fisher(Cut(net, detached=False), loader)
    assert fisher["beside"].tolist() == [0.0, 0.0]
    assert torch.equal(fisher["inner.3.bias"], diagonal_fisher(net, loader)["3.bias"])
