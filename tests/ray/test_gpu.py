"""Who gets a GPU, on a cluster that is told it has some."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from dsray.base import RequestError
from dsray.experiment import Experiment
from dsray.parallel.config import ParallelConfig

pytestmark = pytest.mark.ray
QUICKSTART = Path(__file__).parents[2] / "jobs" / "experiments" / "quickstart.yaml"
SWEEP = QUICKSTART.parent / "sweeps" / "quickstart.yaml"


def cluster(monkeypatch, gpus: int, *, usable: bool) -> None:
    """A cluster of `gpus`, which the torch that is installed there can use or not."""
    monkeypatch.setattr("ray.cluster_resources", lambda: {"CPU": 8.0, "GPU": float(gpus)})
    monkeypatch.setattr("ray.nodes", lambda: [{"NodeID": "a", "Alive": True, "Resources": {"GPU": float(gpus)}}])
    monkeypatch.setattr("dsray.runtime.gpus._torch_uses_them", lambda nodes: usable)


@pytest.mark.parametrize(
    ("device", "workers", "gpus", "usable", "expected"),
    [
        ("auto", 1, 1, True, True),
        ("auto", 2, 1, True, False),  # a GPU each, or none
        ("auto", 1, 1, False, False),  # torch without CUDA
        ("cpu", 1, 1, True, False),
        ("cuda", 1, 1, True, True),
    ],
)
def test_a_gpu_for_each_worker_or_for_none(ray_session, monkeypatch, device, workers, gpus, usable, expected):
    from dsray.runtime.gpus import uses_gpu

    cluster(monkeypatch, gpus, usable=usable)
    assert uses_gpu(ParallelConfig(device=device, workers=workers)) is expected


@pytest.mark.parametrize(("gpus", "usable", "there"), [(1, True, 1), (4, False, 0)])
def test_gpus_that_are_asked_for_and_not_there(ray_session, monkeypatch, gpus, usable, there):
    from dsray.runtime.gpus import uses_gpu

    cluster(monkeypatch, gpus, usable=usable)
    with pytest.raises(RequestError, match=f"cuda needs 2 GPUs that torch can use; the cluster has {there};"):
        uses_gpu(ParallelConfig(device="cuda", workers=2))


def test_who_is_asked_whether_torch_can_use_them(ray_session, monkeypatch):
    """This process in a private cluster; in a joined one, a task on each machine that has GPUs."""
    import ray
    import torch

    from dsray.runtime import gpus

    ask = gpus._torch_uses_them.__wrapped__
    node = ray.get_runtime_context().get_node_id()
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert ask((node,)) is True
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:6379")
    assert ask((node,)) is torch.backends.cuda.is_built()


def test_a_request_for_a_gpu_leaves_no_record(ray_session, tmp_path):
    """In a session that is there already, as in a notebook."""
    import dsray
    from dsray.verbs.tune import tune_experiment

    with pytest.raises(RequestError, match="cuda needs a GPU"):
        dsray.run(QUICKSTART, "parallel.device=cuda", out=tmp_path / "run")
    experiment = Experiment.load(SWEEP, ["parallel.device=cuda"])
    with pytest.raises(RequestError, match="cuda needs a GPU"):
        tune_experiment(experiment, out=tmp_path / "sweep", resume=False, console=Console(quiet=True), command=[])
    assert not (tmp_path / "run").exists() and not (tmp_path / "sweep").exists()
