"""Who gets a GPU, on a cluster that is told it has some."""

from __future__ import annotations

import pytest

from dsray.base import RequestError
from dsray.sections import ParallelConfig

pytestmark = pytest.mark.ray


def cluster(monkeypatch, gpus: int, *, usable: bool, nodes: int) -> None:
    monkeypatch.setattr("ray.cluster_resources", lambda: {"CPU": 8.0, "GPU": float(gpus)})
    monkeypatch.setattr("ray.nodes", lambda: [{}] * nodes)
    monkeypatch.setattr("torch.cuda.is_available", lambda: usable)


@pytest.mark.parametrize(
    ("device", "workers", "gpus", "usable", "nodes", "expected"),
    [
        ("auto", 1, 1, True, 1, True),
        ("auto", 2, 1, True, 1, False),  # a GPU each, or none
        ("auto", 1, 1, False, 1, False),  # torch without CUDA
        ("auto", 2, 2, False, 3, True),  # the GPUs are on other machines
        ("cpu", 1, 1, True, 1, False),
        ("cuda", 1, 1, True, 1, True),
    ],
)
def test_a_gpu_for_each_worker_or_for_none(monkeypatch, device, workers, gpus, usable, nodes, expected):
    from dsray.runtime.train import uses_gpu

    cluster(monkeypatch, gpus, usable=usable, nodes=nodes)
    assert uses_gpu(ParallelConfig(device=device, workers=workers)) is expected


def test_gpus_that_are_asked_for_and_not_there(monkeypatch):
    from dsray.runtime.train import uses_gpu

    cluster(monkeypatch, 1, usable=True, nodes=1)
    with pytest.raises(RequestError, match="cuda needs 2 GPUs"):
        uses_gpu(ParallelConfig(device="cuda", workers=2))
