"""A stage made ready for one model: its schedules, terms, attack and optimiser."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial

from torch import Tensor, nn

from dsray.attacks import Attack, Threat, perturb
from dsray.base.batch import Batch
from dsray.base.modes import frozen_parts
from dsray.base.noise import key_of
from dsray.base.schedules import Schedule
from dsray.data.facts import Facts
from dsray.data.movable import movable
from dsray.engine.attacked import attacked_rows
from dsray.engine.context import Context, divergence
from dsray.engine.executions import WeightedTerm
from dsray.engine.stage import Stage
from dsray.engine.state import TrainState
from dsray.engine.views import CLEAN
from dsray.optim import trainable_names


class ReadyStage:
    """What a stage says, built, for worker `rank` of `size`; a factor that the state's controls hold stands on it."""

    def __init__(self, stage: Stage, state: TrainState, facts: Facts, seed: int, rank: int = 0, size: int = 1):
        self.stage, self.seed, self.rank, self.size = stage, seed, rank, size
        self.rates: Schedule = stage.rates.schedule.build(stage.steps)
        names = apart([term.kind for term in stage.terms])
        self.terms: list[WeightedTerm] = [
            (name, t.weight.build(stage.steps), t.build(facts)) for name, t in zip(names, stage.terms, strict=True)
        ]
        self.policies = [policy.build(facts) for policy in stage.policies]
        self.radii: Schedule | None = stage.perturb.epsilon.build(stage.steps) if stage.perturb else None
        replayed = stage.replay.rows(stage.batch) if stage.replay and len(state.memory.rows) else 0
        self._attacked = lru_cache(1)(partial(attacked_rows, stage.batch, replayed, rank=rank, size=size))
        self.attack: Attack | None = stage.perturb.attack.build() if stage.perturb else None
        self.threat: Threat | None = stage.perturb.threat.on(movable(facts.schema)) if stage.perturb else None
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

    def rate(self, state: TrainState) -> float:
        """The learning rate of the state's step, before the scales of layers."""
        return self.rates(state.step) * state.controls.get("rate", 1.0)

    def epsilon(self, state: TrainState) -> float | None:
        """The radius of the state's step; None where the stage has no attack."""
        return self.radii(state.step) * state.controls.get("epsilon", 1.0) if self.radii else None

    def attacked(self, state: TrainState) -> Tensor:
        """Positions of this worker's rows that the state's step attacks, a share of at most 1."""
        share = min(1.0, self.stage.perturb.share * state.controls.get("share", 1.0)) if self.stage.perturb else 0.0
        return self._attacked(share)

    def context(self, state: TrainState, batch: Batch, model: nn.Module) -> Context:
        """The context of this step on this worker's rows."""
        epsilon = self.epsilon(state)
        return Context(
            model,
            batch,
            state.step,
            perturbation=None if epsilon is None else self._perturbation(epsilon),
            moved=None if epsilon is None else self._moved(batch, self.attacked(state)),
            anchors=state.anchors,
            average=state.average,
        )

    def _moved(self, batch: Batch, attacked: Tensor) -> Tensor:
        """Positions of the rows that are attacked and have something to move."""
        rows = attacked.to(batch.device)
        return rows[self.threat.there(batch)[rows]] if self.threat else rows

    def _perturbation(self, epsilon: float) -> Callable[[Context], Batch]:
        """The stage's attack within `epsilon`, on the rows of a context that may be moved."""
        seed, stage = key_of(self.seed, "perturb", self.stage.name), self.stage.perturb

        def perturbed(context: Context) -> Batch:
            batch, rows = context.batch, context.moved
            if epsilon == 0 or stage is None or self.attack is None or self.threat is None:
                return batch
            if rows is None or len(rows) == 0:
                return batch
            likelihood = context.likelihood
            loss = stage.attack.in_training(likelihood)
            if stage.climbs == "clean_divergence":
                loss = divergence(likelihood, context[CLEAN].logits.detach()[rows])
            part = batch.select(rows)
            moved = perturb(self.attack, context.model, part, epsilon, threat=self.threat, loss=loss, seed=seed)
            return self.threat.put(batch, rows, moved)

        return perturbed


def apart(kinds: Sequence[str]) -> list[str]:
    """Names for things of these kinds: the kind, and `KIND-2`, `KIND-3` for the next ones of the same kind."""
    return [kind if (n := kinds[:i].count(kind)) == 0 else f"{kind}-{n + 1}" for i, kind in enumerate(kinds)]


def freeze(model: nn.Module, stage: Stage) -> None:
    """Let only the stage's trainable parameters require gradients."""
    named = dict(model.named_parameters())
    learning = trainable_names(stage.trainable, named, f"{stage.name}: trainable")
    for name, parameter in named.items():
        parameter.requires_grad_(name in learning)
