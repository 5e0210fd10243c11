"""The `parallel` section: how many workers train, and what happens when one dies."""

from __future__ import annotations

import os
from typing import Literal

from pydantic import Field, model_validator

from dsray.base import Config, RequestError


class ParallelConfig(Config):
    """Workers of Ray Train."""

    workers: int = Field(1, ge=1, description="data-parallel workers; the global batch is shared among them")
    pipeline: int = Field(1, ge=1, le=2, description="pieces that the trunk is cut into, one process each")
    microbatches: int = Field(4, ge=1, description="pieces of a batch in flight through a pipeline")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a GPU for each worker where there is one")
    max_failures: int = Field(2, ge=0, description="deaths of a worker that a run survives, from its last checkpoint")

    @model_validator(mode="after")
    def _one_way_at_a_time(self) -> ParallelConfig:
        if self.workers > 1 and self.pipeline > 1:
            raise ValueError("workers and pipeline do not combine; set one of them to 1")
        return self

    @property
    def processes(self) -> int:
        """Processes that take part in training."""
        return self.workers * self.pipeline

    def check_room(self, cpus: int | None = None) -> None:
        """Refuse more processes than the machine or cluster has CPUs: they would wait for each other for ever."""
        cpus = cpus or os.cpu_count() or 1
        if self.processes > cpus:
            field = "workers" if self.workers > 1 else "pipeline"
            raise RequestError(f"parallel.{field}: {self.processes} processes need as many CPUs; there are {cpus}")
