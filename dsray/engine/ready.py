"""A stage made ready for one model: its schedules, terms, attack and optimiser."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from dsray.attacks import Attack, Threat, perturb
from dsray.base.batch import Batch
from dsray.base.modes import frozen_parts
from dsray.base.noise import key_of
from dsray.base.schedules import Schedule
from dsray.data.movable import movable
from dsray.data.schema import Schema
from dsray.engine.context import Context, Perturbation, divergence
from dsray.engine.executions import WeightedTerm
from dsray.engine.stage import Stage
from dsray.engine.state import TrainState
from dsray.optim import trainable_names


class ReadyStage:
    """What a stage says, built, for worker `rank` of `size`. `epsilon` is None where the stage has no attack."""

    def __init__(self, stage: Stage, state: TrainState, schema: Schema, seed: int, rank: int = 0, size: int = 1):
        self.stage, self.seed, self.rank, self.size = stage, seed, rank, size
        self.rate: Schedule = stage.rates.schedule.build(stage.steps)
        names = apart([term.kind for term in stage.terms])
        self.terms: list[WeightedTerm] = [
            (name, t.weight.build(stage.steps), t.build()) for name, t in zip(names, stage.terms, strict=True)
        ]
        self.policies = [policy.build() for policy in stage.policies]
        self.epsilon: Schedule | None = stage.perturb.epsilon.build(stage.steps) if stage.perturb else None
        self.attacked = self._attacked(len(state.memory.rows) > 0)
        self.attack: Attack | None = stage.perturb.attack.build() if stage.perturb else None
        self.threat: Threat | None = stage.perturb.threat.on(movable(schema)) if stage.perturb else None
        freeze(state.model, stage)
        self.frozen = frozen_parts(state.model)
        learning = {n: p for n, p in state.model.named_parameters() if p.requires_grad}
        scales = stage.rates.scales([n for n, _ in state.model.named_parameters()], f"{stage.name}: rates.layers")
        state.renew_optimizer(stage.optimizer.build(learning, scales))

    def training_mode(self, model: nn.Module) -> None:
        """Training mode for what learns, evaluation mode for what is frozen, whose statistics thus stay."""
        model.train()
        for part in self.frozen:
            part.eval()

    def context(self, state: TrainState, batch: Batch, model: nn.Module) -> Context:
        """The context of this step on this worker's rows."""
        rows = self._moved(batch) if self.epsilon else None
        return Context(
            model,
            batch,
            state.step,
            perturbation=self._perturbation(model, state.step, rows) if rows is not None else None,
            moved=rows,
            climbs_divergence=bool(self.stage.perturb and self.stage.perturb.climbs == "clean_divergence"),
            anchors=state.anchors,
        )

    def _moved(self, batch: Batch) -> Tensor:
        """Positions of the rows that are attacked and have something to move."""
        rows = self.attacked.to(batch.device)
        return rows[self.threat.there(batch)[rows]] if self.threat else rows

    def _perturbation(self, model: nn.Module, step: int, rows: Tensor) -> Perturbation:
        seed = key_of(self.seed, "perturb", self.stage.name)
        own = self.stage.perturb.attack.in_training if self.stage.perturb else None

        def perturbed(epsilon: float, batch: Batch, clean: Tensor | None) -> Batch:
            if epsilon == 0 or self.attack is None or self.threat is None or len(rows) == 0:
                return batch
            loss = own if clean is None else divergence(clean[rows])
            part = batch.select(rows)
            moved = perturb(self.attack, model, part, epsilon, threat=self.threat, loss=loss, seed=seed)
            return self.threat.put(batch, rows, moved)

        return partial(perturbed, self.epsilon(step) if self.epsilon else 0.0)

    def _attacked(self, remembers: bool) -> Tensor:
        """Which of this worker's rows are attacked: the stage's share of the global batch, new and replayed rows alike.

        New rows come first in a batch (see `Draws`); the first ones of each kind are attacked.
        """
        batch = self.stage.batch
        share = self.stage.perturb.share if self.stage.perturb else 0.0
        old = self.stage.replay.rows(batch) if self.stage.replay and remembers else 0
        whole = round(batch * share)
        of_old = max(round(old * share), whole - (batch - old))
        attacked = torch.zeros(batch, dtype=torch.bool)
        attacked[: whole - of_old] = True
        attacked[batch - old : batch - old + of_old] = True
        return attacked[self.rank :: self.size].nonzero()[:, 0]


def apart(kinds: Sequence[str]) -> list[str]:
    """Names for things of these kinds: the kind, and `KIND-2`, `KIND-3` for the next ones of the same kind."""
    return [kind if (n := kinds[:i].count(kind)) == 0 else f"{kind}-{n + 1}" for i, kind in enumerate(kinds)]


def freeze(model: nn.Module, stage: Stage) -> None:
    """Let only the stage's trainable parameters require gradients."""
    named = dict(model.named_parameters())
    learning = trainable_names(stage.trainable, named, f"{stage.name}: trainable")
    for name, parameter in named.items():
        parameter.requires_grad_(name in learning)
