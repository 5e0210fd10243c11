"""A model that breaks a promise is found out."""

from __future__ import annotations

import pytest
import torch
from broken import broken
from torch import nn

from dsray.base.protocols import Output
from dsray.base.routed import Exportable, Routed, Routing
from dsray.models import ModelConfig
from dsray.testing import check_model


class Linear(Routed):
    """One linear layer over the image, written so that a part of it can be replaced."""

    gain = 1.0
    routing = None

    def __init__(self, likelihood):
        super().__init__()
        self.likelihood, self.linear = likelihood, nn.Linear(64, likelihood.outputs)

    def forward(self, inputs, present, *, full=False):
        logits = self.logits(inputs["image"], present["image"])
        return Output(logits, (logits,))

    def logits(self, image, present):
        return self.linear(image.masked_fill(~present[:, None, None, None], 0).flatten(1))

    def exportable(self):
        return ExportableLinear(self)


class ExportableLinear(Exportable):
    tensors, present, outputs = ("image",), ("image",), ("logits",)

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, image, present):
        return self.model.logits(image, present)


class LinearConfig(ModelConfig):
    """Right: the plain way."""

    kind: str = "linear"

    def build(self, schema):
        return Linear(schema.target.likelihood())


def test_a_model_of_another_package_keeps_its_promises():
    check_model(LinearConfig())


def plain(self, image, present):
    return Linear.logits(self, image, present)


def drifting(self, image, present):
    if self.training:
        self.gain *= 1.1
    return plain(self, image, present) * self.gain


@torch.no_grad()
def learning(self, image, present):
    self.linear.bias += 0.01
    return plain(self, image, present)


def opaque(self, image, present):
    image = image.masked_fill(~present[:, None, None, None], 0)
    return plain(self, image, present) + torch.from_numpy(image.detach().numpy().mean((1, 2, 3)))[:, None]


def without_gradient(self, image, present):
    return plain(self, image.detach(), present)


@pytest.mark.parametrize(
    ("logits", "promise"),
    [
        (lambda self, image, present: plain(self, image, present)[:, :2], r"gave logits of shape \(24, 2\)"),
        (lambda self, image, present: plain(self, image, present) / 0, "not finite"),
        (lambda self, image, present: plain(self, image, present) + torch.rand(()), "differ when asked for again"),
        (lambda self, image, present: plain(self, image - image.mean(0), present), "depends on its company"),
        (
            lambda self, image, present: plain(self, image, present | True),
            "what a hidden input holds changes the answer",
        ),
        (lambda self, image, present: plain(self, image, present).detach(), "no gradient reaches the model"),
        (without_gradient, "no gradient reaches the values that an attack moves"),
        (learning, "differ when asked for again|changed the model"),
        (drifting, "the model that comes back from disk gives other logits"),
        (opaque, "the model does not come back from ONNX as it was"),
    ],
)
def test_a_broken_model_is_found_out(logits, promise):
    model = type("Broken", (Linear,), {"logits": logits})
    with pytest.raises(AssertionError, match=promise):
        check_model(broken(LinearConfig, build=lambda self, schema: model(schema.target.likelihood())))


def test_a_model_that_reads_weights_in_build_is_found_out():
    def build(self, schema):
        model = Linear(schema.target.likelihood())
        float(model.linear.weight.sum())
        return model

    with pytest.raises(AssertionError, match="build does not work on the meta device"):
        check_model(broken(LinearConfig, build=build))


def test_what_a_model_tells_of_its_routing_is_true():
    model = type("Broken", (Linear,), {"routing": Routing(2, 0, 2, None)})
    with pytest.raises(AssertionError, match="it has routing, and tells of no blocks and experts"):
        check_model(broken(LinearConfig, build=lambda self, schema: model(schema.target.likelihood())))
