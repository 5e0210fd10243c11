"""A head that breaks a promise is found out."""

from __future__ import annotations

import pytest
import torch
from broken import broken
from torch import nn

from dsray.models.heads import HeadConfig
from dsray.testing import check_head


class Linear(nn.Module):
    """One linear layer over the answer token, written so that a part of it can be replaced."""

    gain = 1.0

    def __init__(self, width, outputs):
        super().__init__()
        self.linear = nn.Linear(width, outputs)

    def forward(self, tokens):
        return self.linear(tokens[:, 0])


class LinearConfig(HeadConfig):
    """Right: the plain way."""

    kind: str = "linear"

    def build(self, width, classes):
        return Linear(width, classes)


def test_a_head_of_another_package_keeps_its_promises():
    check_head(LinearConfig())


def drifting(self, tokens):
    if self.training:
        self.gain *= 1.1
    return self.linear(tokens[:, 0]) * self.gain


def opaque(self, tokens):
    logits = self.linear(tokens[:, 0])
    return logits + torch.from_numpy(tokens.detach().numpy()[:, 0, : logits.shape[1]])


@pytest.mark.parametrize(
    ("forward", "promise"),
    [
        (lambda self, tokens: self.linear(tokens), r"logits of shape \(6, 5, 2\), needs \(6, 2\)"),
        (lambda self, tokens: self.linear(tokens.mean(1)), "depend on other tokens than the first"),
        (lambda self, tokens: self.linear(tokens[:, 0] - tokens[:, 0].mean(0)), "depend on its company"),
        (lambda self, tokens: self.linear(tokens[:, 0].detach()), "no gradient reaches the answer token"),
        (lambda self, tokens: self.linear(tokens[:, 0]).detach(), "no gradient passes the head"),
        (lambda self, tokens: self.linear(tokens[:, 0]) / 0, "not finite"),
        (lambda self, tokens: self.linear(tokens[:, 0]) + torch.rand(()), "differ when asked for again"),
        (drifting, "the head that comes back from disk gives other logits"),
        (opaque, "the head does not come back from ONNX as it was"),
    ],
)
def test_a_broken_head_is_found_out(forward, promise):
    head = type("Broken", (Linear,), {"forward": forward})
    with pytest.raises(AssertionError, match=promise):
        check_head(broken(LinearConfig, build=lambda self, width, outputs: head(width, outputs)))


def test_a_head_that_reads_weights_in_build_is_found_out():
    def build(self, width, outputs):
        head = Linear(width, outputs)
        float(head.linear.weight.sum())
        return head

    with pytest.raises(AssertionError, match="build does not work on the meta device"):
        check_head(broken(LinearConfig, build=build))


def test_a_head_that_every_exit_shares_is_found_out():
    kept = {}

    def build(self, width, outputs):
        where = torch.empty(0).device
        return kept.setdefault((where, outputs), Linear(width, outputs))

    with pytest.raises(AssertionError, match="two exits share parameters"):
        check_head(broken(LinearConfig, build=build))
