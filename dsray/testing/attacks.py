"""The promises of attacks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dsray.attacks import AttackConfig, perturb
from dsray.base.batch import Batch
from dsray.base.protocols import Classifier, RowLoss
from dsray.testing.settings import check_round_trip
from dsray.testing.subjects import images, network, same, trace

EPSILON = 0.1


def check_attack(config: AttackConfig) -> None:
    """In the ball and the range, finite, repeatable, the same in any company, and without a trace in the model.

    Raises AssertionError that says which promise is broken, RunFailure for images of another shape or not finite.
    """
    check_round_trip(config)
    model, batch = network(), images(24)
    clean, proposed = batch.inputs["image"], []

    def attack(
        model: Classifier, batch: Batch, epsilon: float, loss: RowLoss | None, *, seed: int, stop_early: bool
    ) -> Batch:
        proposed.append(built(model, batch, epsilon, loss, seed=seed, stop_early=stop_early))
        return proposed[-1]

    built, before = config.build(), trace(model)
    first = perturb(attack, model, batch, EPSILON, seed=3).inputs["image"]
    assert same(before, trace(model)), "the attack changed the model: parameters, buffers, gradients, flags or mode"
    assert set(proposed[0].inputs) == set(batch.inputs), "the attack dropped or added a modality"
    assert torch.equal(batch.inputs["image"], images(24).inputs["image"]), "the attack wrote into its input"
    for name in ("target", "rows", "epochs"):
        assert torch.equal(getattr(proposed[0], name), getattr(batch, name)), f"the attack changed '{name}'"
    assert float((first - clean).abs().max()) <= EPSILON + 1e-6, "an image left the ball"
    assert float(first.min()) >= 0, "an image left the range [0, 1]"
    assert float(first.max()) <= 1, "an image left the range [0, 1]"
    again = perturb(config.build(), model, batch, EPSILON, seed=3).inputs["image"]
    assert torch.equal(first, again), "the attack gives another result when repeated"
    _check_company(config, model, batch)
    _check_other_losses(config, model, batch)
    before = trace(model.train())
    perturb(config.build(), model, batch, EPSILON, seed=3)
    assert same(before, trace(model)), "the attack changed a model in training mode: its mode or batch statistics"


def _check_company(config: AttackConfig, model: nn.Module, batch: Batch) -> None:
    """A row's result is its own, whether rows may leave early or not."""
    part = torch.tensor([5, 2, 17])
    for early in (False, True):
        whole = perturb(config.build(), model, batch, EPSILON, seed=3, stop_early=early).inputs["image"]
        alone = perturb(config.build(), model, batch.select(part), EPSILON, seed=3, stop_early=early).inputs["image"]
        assert torch.allclose(alone, whole[part], atol=1e-5), "a row's result depends on its company"


def _check_other_losses(config: AttackConfig, model: nn.Module, batch: Batch) -> None:
    """A loss that closes over the rows of the batch always sees all of them, in order."""

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        assert torch.equal(target, batch.target), "a given loss was asked about other rows than those of the batch"
        return logits[:, 0]

    perturb(config.build(), model, batch, EPSILON, loss=loss, seed=3)
