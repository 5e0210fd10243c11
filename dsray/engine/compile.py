"""Compile the sections of an experiment into its flat list of stages: tasks x unfreezing x regimes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dsray.base import RequestError
from dsray.engine.actions import ActionConfig, ConsolidateConfig, MeasureTasksConfig, RememberConfig
from dsray.engine.config import AdversarialConfig, AdversarialStage, TrainConfig
from dsray.engine.continual import ContinualConfig
from dsray.engine.finetune import FinetuneConfig
from dsray.engine.rows import RowFilter
from dsray.engine.stage import Stage
from dsray.engine.terms import SupervisedConfig, TermConfig
from dsray.engine.views import ADVERSARIAL
from dsray.learning import unfreezing_phases

CountRows = Callable[[RowFilter], int]
"""Training rows that pass a filter."""


@dataclass(frozen=True)
class _Task:
    name: str | None
    rows: RowFilter
    index: int


def compile_stages(
    train: TrainConfig,
    adversarial: AdversarialConfig | None,
    finetune: FinetuneConfig | None,
    continual: ContinualConfig | None,
    count: CountRows,
) -> list[Stage]:
    """The stages in order. For each task, for each unfreezing phase: the clean stage, then the adversarial ones.

    A regime's length is that of one task; unfreezing phases share it equally. An epoch is a pass over the task's own
    rows: replayed rows are no part of it.
    """
    tasks = [_Task(None, RowFilter(), 0)]
    if continual:
        tasks = [_Task(task.name, task.filter(), i) for i, task in enumerate(continual.tasks)]
    phases = unfreezing_phases(finetune.unfreeze) if finetune else [("*",)]
    # a regime is how rows are taught: clean (None), or as one of the adversarial stages says
    regimes: list[AdversarialStage | None] = [None, *(adversarial.stages if adversarial else ())]
    stages = []
    for task in tasks:
        rows = count(task.rows)
        replay = continual.replay(task.index) if continual else None
        new = train.batch - (replay.rows(train.batch) if replay else 0)
        for p, phase in enumerate(phases):
            for regime in regimes:
                prefix = [task.name] if task.name else []
                prefix += [f"unfreeze{p + 1}"] if finetune else []
                whole = (regime or train).in_steps(rows, new)
                stage = _stage("/".join([*prefix, regime.name if regime else "clean"]), train, regime)
                stages.append(
                    stage.replace(
                        steps=max(1, whole * (p + 1) // len(phases) - whole * p // len(phases)),
                        rows=task.rows,
                        trainable=phase,
                    )
                )
        if continual:
            stages = _with_borders(stages, task, continual, len(phases) * len(regimes))
    for stage in stages:
        if train.average and train.average.every > stage.steps:
            raise RequestError(
                f"train.average.every: {train.average.every} is more than the {stage.steps} steps of stage {stage.name}, "
                "which would have no average; give less"
            )
    return stages


def undefended(stages: list[Stage], train: TrainConfig) -> list[Stage]:
    """The same stages and steps with every attack left out: the baseline that robustness is measured against."""
    return [stage.replace(perturb=None, terms=_without_attack(stage.terms, train)) for stage in stages]


def _without_attack(terms: tuple[TermConfig, ...], train: TrainConfig) -> tuple[TermConfig, ...]:
    """The terms that read no adversarial rows, and the task itself, in which rows count as in what it stands for."""
    kept = tuple(term for term in terms if ADVERSARIAL not in term.views)
    if any(term.kind == "task" for term in kept):
        return kept
    taught = next((term for term in terms if isinstance(term, SupervisedConfig)), train.task)
    return (train.task.replace(weights=taught.weights, focal=taught.focal), *kept)


def _stage(name: str, train: TrainConfig, regime: AdversarialStage | None) -> Stage:
    return Stage(
        name=name,
        steps=1,
        batch=train.batch,
        sampler=train.sampler,
        optimizer=train.optimizer,
        rates=(regime.rates if regime and regime.rates else train.rates),
        perturb=regime.perturb() if regime else None,
        terms=(regime.loss if regime else train.task,),
        policies=train.policies,
        during=train.average.during() if train.average else (),
    )


def _with_borders(stages: list[Stage], task: _Task, continual: ContinualConfig, own: int) -> list[Stage]:
    """Give the task's own stages replay and EWC, and its last one the actions that keep the task."""
    exits: list[ActionConfig] = []
    if continual.memory:
        exits.append(RememberConfig(size=continual.memory.rows))
    if continual.ewc:
        exits.append(ConsolidateConfig(rows=continual.ewc.rows, fisher=continual.ewc.fisher))
    exits.append(MeasureTasksConfig(tasks=tuple(t.filter() for t in continual.tasks[: task.index + 1])))
    extra = (continual.ewc.term(),) if continual.ewc and task.index else ()
    replay = continual.replay(task.index)
    kept, mine = stages[:-own], stages[-own:]
    mine = [stage.replace(terms=(*stage.terms, *extra), replay=replay) for stage in mine]
    return [*kept, *mine[:-1], mine[-1].replace(on_exit=tuple(exits))]
