"""A depth policy that breaks a promise is found out."""

from __future__ import annotations

import pytest
import torch
from broken import broken

from dsray.models.depth import Depth, DepthConfig
from dsray.testing import check_depth


class AfterOneConfig(DepthConfig):
    """Right: out after the first block where the largest logit is large, else after the last."""

    kind: str = "after_one"

    def check(self, blocks):
        if blocks < 2:
            raise self.refuse("kind", self.kind, "needs two blocks")

    def build(self, blocks):
        return Large((1,), blocks, 1.0)


class Large(Depth):
    def leaves(self, confidence):
        return 2 * confidence > self.threshold


def test_a_depth_policy_of_another_package_keeps_its_promises():
    check_depth(AfterOneConfig())


def refusing(self, blocks):
    raise self.refuse("kind", self.kind, "no")


def failing(self, blocks):
    raise RuntimeError("what?")


@pytest.mark.parametrize(
    ("replaced", "promise"),
    [
        ({"check": refusing}, "no trunk of 1 to 6 blocks fits it"),
        ({"check": failing}, "check fails for 1 blocks"),
        ({"build": lambda self, blocks: Depth((1,), blocks + 1, 0.9)}, "neither an exit nor the end"),
        ({"build": lambda self, blocks: Depth((1, 1), blocks, 0.9)}, "do not ascend"),
        ({"build": lambda self, blocks: Depth((blocks,), blocks, 0.9)}, "do not lie in 1 to 1 in a trunk of 2"),
        ({"build": lambda self, blocks: Depth((0,), blocks, 0.9)}, "do not lie in 1 to"),
    ],
)
def test_a_broken_depth_policy_is_found_out(replaced, promise):
    with pytest.raises(AssertionError, match=promise):
        check_depth(broken(AfterOneConfig, **replaced))


def writing(self, confidence):
    return confidence.add_(1) > 1


def opaque(self, confidence):
    return torch.from_numpy(confidence.detach().numpy() > 0.5)


@pytest.mark.parametrize(
    ("leaves", "promise"),
    [
        (lambda self, confidence: confidence, "leaves gave torch.float32"),
        (lambda self, confidence: confidence[:, None] > 0, r"leaves gave torch.bool \(32, 1\)"),
        (lambda self, confidence: confidence > confidence.mean(), "depends on its company"),
        (lambda self, confidence: torch.rand(len(confidence)) > 0.5, "decides otherwise when asked again"),
        (writing, "wrote into the confidence"),
        (opaque, "the depth policy does not come back from ONNX as it was"),
    ],
)
def test_rows_that_leave_wrongly_are_found_out(leaves, promise):
    depth = type("Broken", (Depth,), {"leaves": leaves})
    with pytest.raises(AssertionError, match=promise):
        check_depth(broken(AfterOneConfig, build=lambda self, blocks: depth((1,), blocks, 0.9)))
