"""TrainState: all that a resumed run needs, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dsray.base import RequestError
from dsray.base.noise import VERSION as NOISE
from dsray.base.routed import Routed
from dsray.learning import Anchor, ReplayMemory
from dsray.optim import load_named_state, named_state


@dataclass(frozen=True)
class Best:
    """The best weights of the current stage: step of the whole run, the figure and its value there, the model's state."""

    step: int
    figure: str
    value: float
    weights: dict[str, Tensor]

    def about(self) -> dict[str, Any]:
        """All but the weights."""
        return {"step": self.step, "figure": self.figure, "value": self.value}


@dataclass
class TrainState:
    """Model and everything that grows while it learns. Randomness needs no state: it is a function of the step.

    stage, step: position in the list of stages and inside the stage. history: validation lines of the current stage,
    what policies decide on; best: the weights that one of them found best; controls: the factors that they set, of the
    current stage too. mean_radius, radius_steps: of the epsilons
    of all steps of attacked stages, in input-range units. executed: the stages as they really ran. task_accuracy: row i,
    accuracy on tasks 0..i after task i. optimizer_memory: optimiser tensors of parameters that the current optimiser
    does not hold. average: the model's state, averaged over steps of the current stage; empty where nothing averages.
    """

    model: Routed
    optimizer: torch.optim.Optimizer | None = None
    stage: int = 0
    step: int = 0
    global_step: int = 0
    best: Best | None = None
    controls: dict[str, float] = field(default_factory=dict)
    mean_radius: float = 0.0
    radius_steps: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    executed: list[dict[str, Any]] = field(default_factory=list)
    anchors: list[Anchor] = field(default_factory=list)
    memory: ReplayMemory = field(default_factory=lambda: ReplayMemory(0))
    task_accuracy: list[list[float]] = field(default_factory=list)
    optimizer_memory: dict[str, Tensor] = field(default_factory=dict)
    average: dict[str, Tensor] = field(default_factory=dict)

    def state_dict(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and plain values for `save_checkpoint`."""
        tensors = {f"model/{k}": v for k, v in self.model.state_dict().items()}
        tensors |= {f"optimizer/{k}": v for k, v in self._optimizer_tensors().items()}
        if self.best:
            tensors |= {f"best/{k}": v for k, v in self.best.weights.items()}
        tensors |= {f"average/{k}": v for k, v in self.average.items()}
        for i, anchor in enumerate(self.anchors):
            tensors |= {f"anchor{i}/value/{k}": v for k, v in anchor.values.items()}
            tensors |= {f"anchor{i}/fisher/{k}": v for k, v in anchor.fisher.items()}
        plain = {
            "stage": self.stage,
            "step": self.step,
            "global_step": self.global_step,
            "mean_radius": self.mean_radius,
            "radius_steps": self.radius_steps,
            "history": self.history,
            "controls": self.controls,
            "best": self.best.about() if self.best else None,
            "executed": self.executed,
            "anchors": len(self.anchors),
            "memory": {"size": self.memory.size, "tasks": [t.tolist() for t in self.memory.tasks]},
            "task_accuracy": self.task_accuracy,
            "noise": NOISE,
        }
        return tensors, plain

    def load_state_dict(self, tensors: Mapping[str, Tensor], plain: Mapping[str, Any]) -> None:
        """Put back what `state_dict` gave; the optimiser is filled when its stage builds it.

        A RequestError for the state of a training whose rows were drawn with other noise than this version's.
        """
        if plain.get("noise") != NOISE:
            raise RequestError(
                "resume: this training began with the noise of another version of dsray (0.1), and going on would mix "
                "the two; finish it with that version, or begin a new record"
            )
        self.model.load_state_dict(_under(tensors, "model/"))
        device = next(self.model.parameters()).device
        self.optimizer_memory = _under(tensors, "optimizer/")
        self.optimizer = None
        found = {k: v.to(device) for k, v in _under(tensors, "best/").items()}
        self.best = Best(**plain["best"], weights=found) if plain["best"] else None
        self.average = {k: v.to(device) for k, v in _under(tensors, "average/").items()}
        self.anchors = [
            Anchor(
                {k: v.to(device) for k, v in _under(tensors, f"anchor{i}/value/").items()},
                {k: v.to(device) for k, v in _under(tensors, f"anchor{i}/fisher/").items()},
            )
            for i in range(plain["anchors"])
        ]
        memory = plain["memory"]
        self.memory = ReplayMemory(memory["size"], [np.array(t, np.int64) for t in memory["tasks"]])
        self.stage, self.step, self.global_step = plain["stage"], plain["step"], plain["global_step"]
        self.mean_radius, self.radius_steps = plain["mean_radius"], plain["radius_steps"]
        self.history, self.executed = list(plain["history"]), list(plain["executed"])
        self.controls = dict(plain.get("controls", {}))  # an older version had none
        self.task_accuracy = [list(row) for row in plain["task_accuracy"]]

    def keep_best(self, figure: str) -> None:
        """Keep a copy of what the last validation judged, model or average, as the best of the stage by `figure`."""
        weights = {name: tensor.detach().clone() for name, tensor in (self.average or self.model.state_dict()).items()}
        self.best = Best(self.global_step, figure, self.history[-1][figure], weights)

    def settle(self) -> Best | None:
        """Give the model what the stage learned: its best weights, if any were kept, else their average, if there is one.

        The optimiser goes on as it is.
        """
        best, average = self.best, self.average
        self.best, self.average = None, {}
        if learned := best.weights if best else average:
            self.model.load_state_dict(learned)
        return best

    def add_radius(self, epsilon: float) -> None:
        """Count one step of an attacked stage."""
        self.radius_steps += 1
        self.mean_radius += (epsilon - self.mean_radius) / self.radius_steps

    @property
    def mean_epsilon(self) -> float | None:
        """Mean epsilon over all steps of attacked stages, as they ran; None where there was none."""
        return self.mean_radius if self.radius_steps else None

    def renew_optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        """Use `optimizer`, with the state last kept for each of its parameters (frozen ones stay remembered)."""
        self.optimizer_memory = self._optimizer_tensors()
        load_named_state(optimizer, self.optimizer_memory)
        self.optimizer = optimizer

    def _optimizer_tensors(self) -> dict[str, Tensor]:
        return self.optimizer_memory | (named_state(self.optimizer) if self.optimizer else {})


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
