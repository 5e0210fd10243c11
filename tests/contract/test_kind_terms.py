"""A term that breaks a promise is found out."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from broken import broken
from torch.nn import functional as F

from dsray.engine.terms import TermConfig
from dsray.engine.views import ADVERSARIAL, CLEAN, ViewConfig
from dsray.testing import check_term


def plain(context):
    return F.cross_entropy(context[CLEAN].logits, context.batch.target, reduction="none")


class PlainConfig(TermConfig):
    """Right: cross-entropy of the final answer."""

    kind: str = "plain"

    def build(self, facts):
        return plain


def test_a_term_of_another_package_keeps_its_promises():
    check_term(PlainConfig())


def learning(context):
    loss = plain(context)
    loss.sum().backward(retain_graph=True)
    return loss


def frozen(context):
    context.model.answer.requires_grad_(False)
    return plain(context)


def evaluating(context):
    context.model.eval()
    return plain(context)


def balancing(context):
    context.model.balance(context[CLEAN].expert_load)
    return plain(context)


def writing(context):
    loss = plain(context)
    context.batch.inputs["image"].zero_()
    return loss


def adversarial(context):
    return F.cross_entropy(context[ADVERSARIAL].logits, context.batch.target, reduction="none")


class Mixed(ViewConfig):
    """The clean logits, doubled."""

    kind: str = "mixed"

    def run(self, context):
        return replace(context[CLEAN], logits=2 * context[CLEAN].logits)


def mixing(context):
    return F.cross_entropy(context[Mixed()].logits, context.batch.target, reduction="none")


@pytest.mark.parametrize(
    ("term", "promise"),
    [
        (lambda context: plain(context).mean(), r"losses of shape \(\), needs one per row, \(12,\)"),
        (lambda context: plain(context) - plain(context).mean(), "depends on its company"),
        (lambda context: plain(context) / 0, "losses that are not finite"),
        (lambda context: (plain(context) * 0).sqrt(), "a gradient that is not finite"),
        (lambda context: plain(context) * 0, "no gradient reaches the model"),
        (lambda context: plain(context).detach(), "no gradient reaches the model"),
        (lambda context: plain(context) + torch.rand(()), "differ when asked for again"),
        (learning, "changed the model"),
        (frozen, "changed the model"),
        (evaluating, "changed the model"),
        (balancing, "changed the model"),
        (writing, "wrote into its batch"),
        (adversarial, "reads the view 'adversarial', which views does not name"),
        (mixing, "reads Mixed, which views does not name"),
    ],
)
def test_a_broken_term_is_found_out(term, promise):
    with pytest.raises(AssertionError, match=promise):
        check_term(broken(PlainConfig, build=lambda self, facts: term))


def test_what_a_term_needs_is_said_truly():
    attacked = {"views": property(lambda self: (ADVERSARIAL,))}
    check_term(broken(PlainConfig, build=lambda self, facts: adversarial, **attacked))
    with pytest.raises(AssertionError, match="views names 'adversarial', which it does not read"):
        check_term(broken(PlainConfig, views=property(lambda self: (CLEAN, ADVERSARIAL))))


def test_a_term_need_not_name_what_its_view_reads():
    check_term(broken(PlainConfig, build=lambda self, facts: mixing, views=property(lambda self: (Mixed(),))))
