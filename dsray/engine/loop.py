"""The one training loop: a list of stages, run by an execution, fed by a worker, position by position."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from dsray.base import RunFailure
from dsray.base.batch import Batch
from dsray.data import Draws, Facts
from dsray.engine.actions import ActionConfig, Border
from dsray.engine.controls import changes
from dsray.engine.executions import Execution
from dsray.engine.ready import ReadyStage
from dsray.engine.stage import Stage
from dsray.engine.state import TrainState
from dsray.engine.validate import validation_line
from dsray.engine.worker import Worker
from dsray.optim.optimizer import set_rate


@dataclass(frozen=True)
class Cadence:
    """How often the loop speaks, in steps of the whole run; 0 means never except at borders."""

    log: int = 20
    validate: int = 100
    checkpoint: int = 200


def fit(
    state: TrainState,
    stages: Sequence[Stage],
    worker: Worker,
    execution: Execution,
    *,
    seed: int,
    clip: float | None = None,
    cadence: Cadence | None = None,
) -> None:
    """Run `stages` from the state's position to the end.

    clip: largest norm of the whole gradient. Each border of a stage is a checkpoint of its own. What the execution
    cannot do is refused before the first step.
    """
    for stage in stages:
        execution.check(stage)
    loop = _Loop(state, worker, execution, seed, clip, cadence or Cadence(), sum(s.steps for s in stages))
    while state.stage < len(stages):
        loop.run_stage(stages[state.stage])


@dataclass
class _Loop:
    """total: steps of all stages. started: seconds of `time.monotonic`."""

    state: TrainState
    worker: Worker
    execution: Execution
    seed: int
    clip: float | None
    cadence: Cadence
    total: int
    started: float = field(default_factory=time.monotonic)

    def run_stage(self, stage: Stage) -> None:
        state = self.state
        rows = stage.rows.select(self.worker.data, "train", stage.name)
        if state.step == 0:
            self._border(stage, "begin", (), rows)
        facts = Facts.of(self.worker.data, rows, stage.steps)
        ready = ReadyStage(stage, state, facts, self.seed, self.worker.rank, self.worker.size)
        draws = self._draws(stage, facts, rows)
        reason = self._steps(stage, ready, draws, rows)
        best = state.settle()
        ended = {"steps": state.step, "reason": reason} | ({"best": best.about()} if best else {})
        state.executed.append({"stage": stage.name, **ended})
        self._border(stage, "end", stage.on_exit, rows, **ended)
        state.stage, state.step, state.history, state.controls = state.stage + 1, 0, [], {}
        self._checkpoint(stage)

    def _draws(self, stage: Stage, facts: Facts, rows: np.ndarray) -> Draws:
        replayed = stage.replay.rows(stage.batch) if stage.replay else 0
        memory = self.state.memory.rows if stage.replay else self.state.memory.rows[:0]
        data = self.worker.data
        sampler = stage.sampler.build(facts, rows, data.schema.target.strata(data.columns["target"][rows]))
        return Draws(self.seed, stage.name, sampler, stage.batch, memory, replayed)

    def _steps(self, stage: Stage, ready: ReadyStage, draws: Draws, rows: np.ndarray) -> str:
        """Train to the end of the stage; returns why it ended."""
        state, worker = self.state, self.worker
        for batch in worker.batches(draws, state.step, stage.steps):
            self._step(stage, ready, batch)
            self._during(stage, rows)
            reason = self._validate(stage, ready)
            if reason or state.step >= stage.steps:
                return reason or "steps done"
            if _due(state.global_step, self.cadence.checkpoint):
                self._checkpoint(stage)
        return "steps done"

    def _step(self, stage: Stage, ready: ReadyStage, batch: Batch) -> None:
        state, execution = self.state, self.execution
        assert state.optimizer is not None
        ready.training_mode(state.model)
        rate = ready.rate(state)
        set_rate(state.optimizer, rate)
        context = ready.context(state, batch, execution.model)
        parts = execution.forward_backward(context, ready.terms, stage.batch)
        norm = execution.clip(self.clip)
        if not math.isfinite(norm):
            where = f"step {state.step + 1} of stage {stage.name}"
            raise RunFailure(f"training diverged at {where} (gradient norm {norm}); use lower train.rates")
        execution.optimizer_step(state.optimizer)
        if state.model.routing is not None:
            state.model.balance(execution.expert_load(context))
        epsilon = ready.epsilon(state)
        if epsilon is not None:
            state.add_radius(epsilon)
        state.step, state.global_step = state.step + 1, state.global_step + 1
        if _due(state.global_step, self.cadence.log) or state.step in (1, stage.steps):
            means = execution.reduce(torch.stack(list(parts.values())).detach().clone())
            line = self._line("step", stage) | {"loss": float(means.sum()), "rate": rate, "grad_norm": norm}
            line |= {f"term/{name}": float(value) for name, value in zip(parts, means, strict=True)}
            line |= {"epsilon": epsilon} if epsilon is not None else {}
            for group in state.optimizer.param_groups:
                if group["scale"] != 1.0:
                    line[f"rate/x{group['scale']:g}"] = group["lr"]
            self.worker.report(line)

    def _during(self, stage: Stage, rows: np.ndarray) -> None:
        """Let the actions act whose turn it is after this step."""
        for every, action in stage.during:
            if not _due(self.state.step, every):
                continue
            if action.whole:
                self.execution.gather(self.state)
            firing = self.state.step // every
            said = action.act(Border(self.state, self.worker.data, rows, self.seed, stage.name, firing))
            if said:
                self.worker.report(self._line("action", stage) | {"action": action.kind} | said)

    def _validate(self, stage: Stage, ready: ReadyStage) -> str | None:
        state = self.state
        if not (_due(state.global_step, self.cadence.validate) or state.step == stage.steps):
            return None
        self.execution.gather(state)
        line = validation_line(state.model, self.worker, self.execution, state.average)
        state.history.append({k: v for k, v in line.items() if isinstance(v, float)})
        decisions = [policy(state.history) for policy in ready.policies]
        changed = changes(state.controls, zip(stage.policies, decisions, strict=True))
        state.controls |= changed
        line |= {f"control/{name}": factor for name, factor in changed.items()}
        self.worker.report(self._line("validation", stage) | line)
        for decision in decisions:
            if decision.best_by and not stage.perturb:  # clean figures would choose the weights before the attack
                state.keep_best(decision.best_by)
        return next((decision.stop_stage for decision in decisions if decision.stop_stage), None)

    def _checkpoint(self, stage: Stage) -> None:
        self.execution.gather(self.state)
        self.worker.report(self._line("checkpoint", stage), self.state)

    def _border(
        self, stage: Stage, event: str, actions: Sequence[ActionConfig], rows: np.ndarray, **extra: Any
    ) -> None:
        self.execution.gather(self.state)
        border = Border(self.state, self.worker.data, rows, self.seed, stage.name)
        for action in actions:
            extra |= action.act(border)
        self.worker.report(self._line("stage", stage) | {"event": event} | extra)

    def _line(self, kind: str, stage: Stage) -> dict[str, Any]:
        return {
            "kind": kind,
            "step": self.state.global_step,
            "total": self.total,
            "stage": stage.name,
            "stage_step": self.state.step,
            "stage_steps": stage.steps,
            "rows": self.state.global_step * stage.batch,
            "time_s": round(time.monotonic() - self.started, 4),
        }


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0
