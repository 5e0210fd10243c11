"""The promises of terms."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dsray.base.batch import Batch
from dsray.base.protocols import Term
from dsray.engine.context import Context, View
from dsray.engine.terms import TermConfig
from dsray.engine.views import ADVERSARIAL, AVERAGED
from dsray.learning import Anchor
from dsray.models import RoutedModel
from dsray.testing.settings import check_round_trip
from dsray.testing.subjects import NAME, batch_of, facts, prepared, routed, same, trace

ROWS = 12


def check_term(config: TermConfig) -> None:
    """A finite loss per row (batch,), a row's own, whose gradient reaches the model and which changes nothing itself.

    It reads the views that `views` names and no other, and is the same when it is asked again.
    """
    check_round_trip(config)
    step = _Step(config)
    before = trace(step.model)
    losses = step.losses(step.batch)
    assert losses.shape == (ROWS,), f"gave losses of shape {tuple(losses.shape)}, needs one per row, {(ROWS,)}"
    assert losses.is_floating_point() and torch.isfinite(losses).all(), "gave losses that are not finite"
    assert same(before, trace(step.model)), "the term changed the model: parameters, buffers, gradients, flags or mode"
    assert same(step.given, _values(step.batch)), "the term wrote into its batch"
    assert torch.equal(step.losses(step.batch), losses), "the losses differ when asked for again"
    part = torch.tensor([7, 2, 9])
    alone = step.losses(step.batch.select(part))
    assert torch.allclose(alone, losses[part], atol=1e-5), "a row's loss depends on its company"
    assert losses.requires_grad, "no gradient reaches the model"
    losses.sum().backward()
    gradients = [parameter.grad for parameter in step.model.parameters() if parameter.grad is not None]
    assert all(torch.isfinite(gradient).all() for gradient in gradients), "gave a gradient that is not finite"
    assert any(gradient.any() for gradient in gradients), "no gradient reaches the model"
    unread = [view.kind for view in config.views if view not in step.seen]
    assert not unread, f"views names '{', '.join(unread)}', which it does not read"


class _Step:
    """A step of a stage with a model that is away from its anchor, and which attacks where the term reads adversarial rows."""

    def __init__(self, config: TermConfig):
        self.config = config
        self.seen: tuple[View, ...] = ()
        self.model: RoutedModel = routed().train()
        self.batch = batch_of(prepared(), ROWS)
        self.given = _values(self.batch)
        self.term: Term = config.build(facts())
        config.weight.build(10)
        fisher = {name: torch.ones_like(value) for name, value in self.model.named_parameters()}
        self.average = routed(seed=2).state_dict()
        self.anchor = Anchor.of(routed(seed=1), fisher)

    def losses(self, batch: Batch) -> Tensor:
        """The term's losses of these rows."""
        context = self._context(batch)
        try:
            losses = self.term(context)
        except RuntimeError as error:
            if ADVERSARIAL in self.config.views or "adversarial" not in str(error):
                raise
            raise AssertionError("it reads the view 'adversarial', which views does not name") from None
        named = self._context(batch)
        for view in self.config.views:
            named[view]
        unnamed = [type(view).__name__ for view in context.seen if view not in named.seen]
        assert not unnamed, f"it reads {', '.join(unnamed)}, which views does not name"
        self.seen = context.seen
        return losses

    def _context(self, batch: Batch) -> Context:
        attack = _inverted if ADVERSARIAL in self.config.views else None
        average = self.average if AVERAGED in self.config.views else None
        return Context(self.model, batch, 3, perturbation=attack, anchors=[self.anchor], average=average)


def _inverted(context: Context) -> Batch:
    """Adversarial rows: the pictures inverted."""
    return context.batch.with_input(NAME, 1 - context.batch.inputs[NAME])


def _values(batch: Batch) -> dict[str, Any]:
    tensors = {"target": batch.target, "rows": batch.rows, "epochs": batch.epochs, **batch.inputs}
    return {name: values.clone() for name, values in tensors.items()}
