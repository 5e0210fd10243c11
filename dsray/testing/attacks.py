"""The promises of attacks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dsray.attacks import AttackConfig, L2Config, LinfConfig, Threat, ThreatConfig, perturb
from dsray.attacks.threats.given import threat_to
from dsray.base.batch import Batch
from dsray.base.protocols import Classifier, RowLoss
from dsray.testing.settings import check_round_trip
from dsray.testing.subjects import attacked, network, same, trace

RADII: dict[ThreatConfig, float] = {LinfConfig(): 0.1, L2Config(): 0.6}
"""The threats that every attack is run under."""


def check_attack(config: AttackConfig) -> None:
    """In the ball and the range, finite, repeatable, the same in any company, and without a trace in the model.

    All this under every threat. Raises AssertionError that says which promise is broken, RunFailure for values of another
    shape or not finite.
    """
    check_round_trip(config)
    for threat, epsilon in RADII.items():
        _check_under(config, threat_to(attacked(1), threat), epsilon)


def _check_under(config: AttackConfig, threat: Threat, epsilon: float) -> None:
    model, batch, proposed = network(), attacked(24), []

    def attack(
        model: Classifier,
        batch: Batch,
        threat: Threat,
        epsilon: float,
        loss: RowLoss | None,
        *,
        seed: int,
        stop_early: bool,
    ) -> Batch:
        proposed.append(built(model, batch, threat, epsilon, loss, seed=seed, stop_early=stop_early))
        return proposed[-1]

    built, before = config.build(), trace(model)
    first = threat.read(perturb(attack, model, batch, epsilon, threat=threat, seed=3))
    assert same(before, trace(model)), "the attack changed the model: parameters, buffers, gradients, flags or mode"
    assert set(proposed[0].inputs) == set(batch.inputs), "the attack dropped or added an input"
    clean = threat.read(attacked(24))
    assert torch.equal(threat.read(batch), clean), "the attack wrote into its input"
    for name in ("target", "rows", "epochs"):
        assert torch.equal(getattr(proposed[0], name), getattr(batch, name)), f"the attack changed '{name}'"
    assert torch.equal(threat.project(first, clean, epsilon), first), "a row left the ball or the range of the input"
    again = threat.read(perturb(config.build(), model, batch, epsilon, threat=threat, seed=3))
    assert torch.equal(first, again), "the attack gives another result when repeated"
    _check_company(config, model, batch, threat, epsilon)
    _check_other_losses(config, model, batch, threat, epsilon)
    before = trace(model.train())
    perturb(config.build(), model, batch, epsilon, threat=threat, seed=3)
    assert same(before, trace(model)), "the attack changed a model in training mode: its mode or batch statistics"


def _check_company(config: AttackConfig, model: nn.Module, batch: Batch, threat: Threat, epsilon: float) -> None:
    """A row's result is its own, whether rows may leave early or not."""
    part = torch.tensor([5, 2, 17])

    def moved(rows: Batch, early: bool) -> Tensor:
        return threat.read(perturb(config.build(), model, rows, epsilon, threat=threat, seed=3, stop_early=early))

    for early in (False, True):
        whole, alone = moved(batch, early), moved(batch.select(part), early)
        assert torch.allclose(alone, whole[part], atol=1e-5), "a row's result depends on its company"


def _check_other_losses(config: AttackConfig, model: nn.Module, batch: Batch, threat: Threat, epsilon: float) -> None:
    """A loss that closes over the rows of the batch always sees all of them, in order."""

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        assert torch.equal(target, batch.target), "a given loss was asked about other rows than those of the batch"
        return logits[:, 0]

    perturb(config.build(), model, batch, epsilon, threat=threat, loss=loss, seed=3)
