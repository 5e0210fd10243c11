"""The promises of terms."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dsray.base.batch import Batch
from dsray.base.protocols import Term
from dsray.engine.context import Context
from dsray.engine.terms import TermConfig
from dsray.learning import Anchor
from dsray.models import RoutedModel
from dsray.testing.settings import check_round_trip
from dsray.testing.subjects import NAME, batch_of, facts, prepared, routed, same, trace

ROWS = 12


def check_term(config: TermConfig) -> None:
    """A finite loss per row (batch,), a row's own, whose gradient reaches the model and which changes nothing itself.

    It asks for adversarial rows exactly where `needs_adversarial` says so, and is the same when it is asked again.
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
    assert step.asked or not config.needs_adversarial, "needs_adversarial is True, and it asks for no adversarial rows"


class _Step:
    """A step of a stage with a model that is away from its anchor, and with a perturbation where the term says it needs one."""

    def __init__(self, config: TermConfig):
        self.config, self.asked = config, False
        self.model: RoutedModel = routed().train()
        self.batch = batch_of(prepared(), ROWS)
        self.given = _values(self.batch)
        self.term: Term = config.build(facts())
        config.weight.build(10)
        fisher = {name: torch.ones_like(value) for name, value in self.model.named_parameters()}
        self.anchor = Anchor.of(routed(seed=1), fisher)

    def losses(self, batch: Batch) -> Tensor:
        """The term's losses of these rows."""
        perturbation = self._perturbed if self.config.needs_adversarial else None
        context = Context(self.model, batch, 3, perturbation=perturbation, anchors=[self.anchor])
        try:
            return self.term(context)
        except RuntimeError as error:
            if self.config.needs_adversarial or "adversarial" not in str(error):
                raise
            raise AssertionError("it asks for adversarial rows, and needs_adversarial is False") from None

    def _perturbed(self, batch: Batch, clean: Tensor | None) -> Batch:
        self.asked = True
        return batch.with_input(NAME, 1 - batch.inputs[NAME])


def _values(batch: Batch) -> dict[str, Any]:
    tensors = {"target": batch.target, "rows": batch.rows, "epochs": batch.epochs, **batch.inputs}
    return {name: values.clone() for name, values in tensors.items()}
