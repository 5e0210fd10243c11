"""One Ray session for all phases of a run: a private local cluster, or the one that RAY_ADDRESS names."""

from __future__ import annotations

import importlib
import logging
import os
import threading
from types import TracebackType
from typing import Self

import dsray.runtime.quiet  # noqa: F401  isort: skip
import ray

from dsray.base import RequestError, RunFailure
from dsray.base.interruption import end_on_sigterm
from dsray.parallel.config import ParallelConfig

SPARE_CPUS = 10
"""Ray Data shares the CPUs that are left among all its executions, those of a killed worker included for minutes; one
that gets less than a whole CPU waits. Too many tasks at once are prevented where tasks are submitted."""


class Session:
    """`with Session(parallel):` starts or joins a cluster, and leaves nothing behind.

    A local cluster offers more logical CPUs than the machine has cores, so that data tasks never wait for a worker
    that waits for them; how many processes really train is checked against the cores.
    """

    def __init__(self, parallel: ParallelConfig, threads: int = 1):
        self.parallel, self.threads = parallel, threads
        self.own = not os.environ.get("RAY_ADDRESS")

    def __enter__(self) -> Self:
        if ray.is_initialized():
            self.own = False
            return self
        if self.own:
            self.parallel.check_room()
        logical = self.parallel.processes * self.threads + max(2, os.cpu_count() or 1) + SPARE_CPUS
        arguments = {"num_cpus": logical, "include_dashboard": False}
        # importing what training needs takes as long as the cluster takes to start: do both at once
        threading.Thread(target=importlib.import_module, args=("dsray.runtime.cluster",), daemon=True).start()
        try:
            ray.init(
                **(arguments if self.own else {"address": os.environ["RAY_ADDRESS"]}),
                log_to_driver=False,
                logging_level=logging.CRITICAL,
                configure_logging=True,
            )
        except ValueError as error:
            if self.own:
                raise
            raise RequestError(f"RAY_ADDRESS: {os.environ.get('RAY_ADDRESS')!r} is no address ({error})") from None
        except (ConnectionError, RuntimeError) as error:
            where = "a local cluster" if self.own else os.environ["RAY_ADDRESS"]
            raise RunFailure(f"ray: cannot start or reach {where} ({error})") from None
        for name in ("ray", "ray.data", "ray.serve", "ray.train", "ray.tune"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # errors reach the caller as exceptions
        end_on_sigterm()  # Ray's own handler prints a trace
        if not self.own:
            self.parallel.check_room(int(ray.cluster_resources().get("CPU", 0)) - 1, self.threads)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.own:
            ray.shutdown()
