"""A stage made ready for one model: its schedules, terms, attack and optimiser."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

from dsray.attacks import perturb
from dsray.batch import Batch
from dsray.engine.context import Context, Perturbation
from dsray.engine.executions import WeightedTerm
from dsray.engine.stage import Stage
from dsray.engine.state import TrainState
from dsray.noise import key_of
from dsray.optim import trainable_names
from dsray.protocols import Attack, RowLoss
from dsray.schedules import Schedule


class Regime:
    """What a stage says, built, for worker `rank` of `size`. `epsilon` is None where the stage has no attack."""

    def __init__(self, stage: Stage, state: TrainState, seed: int, rank: int = 0, size: int = 1):
        self.stage, self.seed, self.rank, self.size = stage, seed, rank, size
        self.rate: Schedule = stage.rates.schedule.build(stage.steps)
        self.terms: list[WeightedTerm] = [(t.kind, t.weight.build(stage.steps), t.build()) for t in stage.terms]
        self.policies = [policy.build() for policy in stage.policies]
        self.epsilon: Schedule | None = stage.perturb.epsilon.build(stage.steps) if stage.perturb else None
        self.share = stage.perturb.share if stage.perturb else 0.0
        self.attack: Attack | None = stage.perturb.attack.build() if stage.perturb else None
        freeze(state.model, stage)
        learning = {n: p for n, p in state.model.named_parameters() if p.requires_grad}
        scales = stage.rates.scales([n for n, _ in state.model.named_parameters()], f"{stage.name}: rates.layers")
        state.renew_optimizer(stage.optimizer.build(learning, scales))

    def context(self, state: TrainState, batch: Batch, model: nn.Module) -> Context:
        """The context of this step on this worker's rows."""
        return Context(
            model,
            batch,
            state.step,
            perturbation=self._perturbation(model, state.step, state.global_step) if self.epsilon else None,
            climbs_divergence=bool(self.stage.perturb and self.stage.perturb.climbs == "clean_divergence"),
            anchors=state.anchors,
        )

    def _perturbation(self, model: nn.Module, step: int, global_step: int) -> Perturbation:
        def perturbed(epsilon: float, batch: Batch, loss: RowLoss | None) -> Batch:
            count = self._perturbed(len(batch))
            if epsilon == 0 or self.attack is None or count == 0:
                return batch
            seed = key_of(self.seed, "perturb", global_step)
            if count == len(batch):
                return perturb(self.attack, model, batch, epsilon, loss=loss, seed=seed)
            rows = torch.arange(count, device=batch.device)
            moved = perturb(self.attack, model, batch.select(rows), epsilon, loss=loss, seed=seed)
            images = torch.cat([moved.inputs["image"], batch.inputs["image"][count:]])
            return batch.with_input("image", images)

        return partial(perturbed, self.epsilon(step) if self.epsilon else 0.0)

    def _perturbed(self, rows: int) -> int:
        """How many of this worker's rows are perturbed: those among the first `share` of the global batch."""
        whole = round(self.stage.batch * self.share)
        return min(rows, len(range(self.rank, whole, self.size)))


def freeze(model: nn.Module, stage: Stage) -> None:
    """Let only the stage's trainable parameters require gradients."""
    named = dict(model.named_parameters())
    learning = trainable_names(stage.trainable, named, f"{stage.name}: trainable")
    for name, parameter in named.items():
        parameter.requires_grad_(name in learning)
