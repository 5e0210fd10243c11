"""Which GPUs a training gets: those of the cluster that the torch installed beside them can use."""

from __future__ import annotations

import os
from functools import cache

import dsray.runtime.quiet  # noqa: F401  isort: skip
import ray
import torch
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from dsray.base import RequestError
from dsray.parallel.config import ParallelConfig


def uses_gpu(parallel: ParallelConfig) -> bool:
    """Whether each process that trains gets a GPU: with `auto` if there are enough that torch can use."""
    if parallel.device == "cpu":
        return False
    gpus, needed = gpus_of_cluster(), parallel.processes
    if parallel.device == "cuda" and gpus < needed:
        wanted = "a GPU" if needed == 1 else f"{needed} GPUs"
        raise RequestError(
            f"parallel.device: cuda needs {wanted} that torch can use; the cluster has {gpus:g}; use auto"
        )
    return gpus >= needed


def gpus_of_cluster() -> float:
    """GPUs of the cluster; 0 if the torch that is installed there cannot use them."""
    nodes = tuple(node["NodeID"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("GPU"))
    return float(ray.cluster_resources()["GPU"]) if nodes and _torch_uses_them(nodes) else 0.0


@cache
def _torch_uses_them(nodes: tuple[str, ...]) -> bool:
    """Ask where the GPUs are, without waiting for one to be free; in a private cluster that is here."""
    if not os.environ.get("RAY_ADDRESS") and len(ray.nodes()) == 1:
        return torch.cuda.is_available()
    there = [_built_for_gpus.options(scheduling_strategy=NodeAffinitySchedulingStrategy(n, soft=False)) for n in nodes]
    return all(ray.get([task.remote() for task in there]))


@ray.remote(num_cpus=0)
def _built_for_gpus() -> bool:
    from torch.backends import cuda  # a module that cannot be pickled, as a name outside of this function would be

    return cuda.is_built()
