"""A view that breaks a promise is found out."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from broken import broken

from dsray.engine.views import ADVERSARIAL, CLEAN, ViewConfig
from dsray.testing import check_view


def mean(context):
    """Half of what is said of the rows as they came, and half of what is said of the adversarial ones."""
    clean, attacked = context[CLEAN], context[ADVERSARIAL]
    both = [
        (one + other) / 2
        for one, other in zip(clean.exits or (clean.logits,), attacked.exits or (attacked.logits,), strict=True)
    ]
    return replace(clean, logits=both[-1], exits=tuple(both) if clean.exits else ())


class MeanView(ViewConfig):
    """Right."""

    kind: str = "mean"

    def run(self, context):
        return mean(context)


def test_a_view_of_another_package_keeps_its_promises():
    check_view(MeanView())


def writing(context):
    output = context[CLEAN]
    context.batch.inputs["image"].zero_()
    return output


def evaluating(context):
    output = context[CLEAN]
    context.model.train(not context.model.training)
    return output


def noisy(context):
    return replace(context[CLEAN], logits=context[CLEAN].logits + torch.rand(()))


def centred(context):
    return replace(context[CLEAN], logits=context[CLEAN].logits - context[CLEAN].logits.mean(0))


@pytest.mark.parametrize(
    ("run", "promise"),
    [
        (lambda context: replace(context[CLEAN], logits=context[CLEAN].logits[:3]), r"logits of shape \(3, 3\)"),
        (lambda context: replace(context[CLEAN], exits=(context[CLEAN].logits[:3],)), r"exits of shapes \[\(3, 3\)\]"),
        (lambda context: replace(context[CLEAN], exits=()), "gave no exit in training mode"),
        (lambda context: replace(context[CLEAN], logits=context[CLEAN].logits / 0), "logits that are not finite"),
        (writing, "it wrote into its batch"),
        (evaluating, "the view changed the model"),
        (noisy, "says something else of an equal step"),
        (centred, "depends on its company"),
    ],
)
def test_a_broken_view_is_found_out(run, promise):
    with pytest.raises(AssertionError, match=promise):
        check_view(broken(MeanView, run=lambda self, context: run(context)))
