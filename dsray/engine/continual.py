"""The section `continual`: a sequence of tasks, each with stages of its own."""

from __future__ import annotations

from pydantic import Field, model_validator

from dsray.base import Config
from dsray.engine.rows import Replay, RowChoice, RowFilter
from dsray.engine.terms import EwcConfig
from dsray.optim import FisherKind


class Task(RowChoice):
    """One task of a sequence: the rows it brings."""

    name: str = Field(pattern=r"^[\w-]+$", description="name of the task")

    def filter(self) -> RowFilter:
        """The task's rows."""
        return RowFilter(classes=self.classes, column=self.column, values=self.values)


class MemoryConfig(Config):
    """Replay of earlier tasks."""

    rows: int = Field(200, ge=1, description="row ids kept, shared equally by the tasks seen")
    replay: Replay = Replay()


class EwcSection(Config):
    """Elastic weight consolidation after each task."""

    strength: float = Field(100.0, gt=0, description="lambda of the paper")
    rows: int = Field(200, ge=1, description="rows per task to measure the Fisher information on")
    fisher: FisherKind = Field("true", description="labels drawn from the model (true) or given (empirical)")

    def term(self) -> EwcConfig:
        """The loss that holds the anchors."""
        return EwcConfig(strength=self.strength)


class ContinualConfig(Config):
    """A sequence of tasks, learnt one after the other."""

    tasks: tuple[Task, ...] = Field(min_length=2, description="in the order in which they come")
    memory: MemoryConfig | None = Field(MemoryConfig(), description="replay memory; null for none")
    ewc: EwcSection | None = Field(EwcSection(), description="weight consolidation; null for none")

    @model_validator(mode="after")
    def _names_differ(self) -> ContinualConfig:
        if len({task.name for task in self.tasks}) < len(self.tasks):
            raise ValueError("the names of tasks must differ")
        earlier = len(self.tasks) - 1
        if self.memory and self.memory.rows < earlier:
            raise ValueError(
                f"memory.rows: {self.memory.rows} for {earlier} earlier tasks keeps no row of each; give {earlier} or more"
            )
        return self

    def replay(self, task: int) -> Replay | None:
        """What is replayed beside the rows of task number `task` (0 is the first); nothing beside the first."""
        return self.memory.replay if self.memory and task else None
