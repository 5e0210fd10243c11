"""The `parallel` section: how many processes train, who holds what, and what happens when one dies."""

from __future__ import annotations

import os
from typing import Literal

from pydantic import Field, model_validator

from dsray.base import Config, RequestError


class ParallelConfig(Config):
    """Processes of Ray Train: `workers` hold different rows; each is cut into `pipeline` pieces of the model."""

    workers: int = Field(1, ge=1, description="data-parallel workers; the global batch is shared among them")
    pipeline: int = Field(1, ge=1, description="pieces that the trunk is cut into, a process each; 1 for none")
    microbatches: int = Field(4, ge=1, description="parts of a worker's batch that flow through the pipeline")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a GPU for each worker where there is one")
    max_failures: int = Field(2, ge=0, description="deaths of a worker that a run survives, from its last checkpoint")

    @model_validator(mode="after")
    def _pieces_stay_busy(self) -> ParallelConfig:
        if 1 < self.pipeline > self.microbatches:
            raise ValueError(
                f"microbatches: {self.microbatches} are fewer than the {self.pipeline} pieces; use at least as many"
            )
        return self

    @property
    def processes(self) -> int:
        """Processes that take part in training."""
        return self.workers * self.pipeline

    def check_room(self, cpus: int | None = None, threads: int = 1) -> None:
        """Refuse more processes of `threads` each than there are CPUs: they would wait for each other for ever."""
        cpus = (os.cpu_count() or 1) if cpus is None else cpus
        if self.processes * threads > cpus:
            field = "workers" if self.pipeline == 1 else "pipeline"
            each = f" of {threads} threads" if threads > 1 else ""
            raise RequestError(
                f"parallel.{field}: {self.processes} processes{each} need as many CPUs; there are {cpus}"
            )
