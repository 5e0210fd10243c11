"""Where a verb's work is done: in this process, or on a Ray cluster for as long as the work goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dsray.experiment import Experiment
from dsray.runner.place import Place, ThisProcess


@contextmanager
def placed(experiment: Experiment, local: bool) -> Iterator[Place]:
    """This process, or a Ray session that ends with the context."""
    if local:
        yield ThisProcess()
        return
    from dsray.runtime.session import Session

    with Session(experiment.parallel, experiment.train.threads):
        from dsray.runtime.cluster import RayCluster

        yield RayCluster()
