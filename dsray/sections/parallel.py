"""The `parallel` section: how many workers train, and what happens when one dies."""

from __future__ import annotations

import os
from typing import Literal

from pydantic import Field

from dsray.base import Config, RequestError


class ParallelConfig(Config):
    """Workers of Ray Train."""

    workers: int = Field(1, ge=1, description="data-parallel workers; the global batch is shared among them")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a GPU for each worker where there is one")
    max_failures: int = Field(2, ge=0, description="deaths of a worker that a run survives, from its last checkpoint")

    @property
    def processes(self) -> int:
        """Processes that take part in training."""
        return self.workers

    def check_room(self, cpus: int | None = None) -> None:
        """Refuse more processes than the machine or cluster has CPUs: they would wait for each other for ever."""
        cpus = cpus or os.cpu_count() or 1
        if self.processes > cpus:
            raise RequestError(f"parallel.workers: {self.processes} processes need as many CPUs; there are {cpus}")
