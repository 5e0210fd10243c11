"""Leave the buffers of a model (batch-norm statistics, counters) as they were found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn


@contextmanager
def buffers_kept(model: nn.Module | Callable[..., Any]) -> Iterator[None]:
    """Let forward passes write to copies of the buffers of a module, or of the module that a method belongs to.

    The originals are set aside rather than restored by value: a graph that still waits for its backward pass may hold
    them, and autograd refuses buffers that were written in between.
    """
    module = getattr(model, "__self__", model)
    owners = module.modules() if isinstance(module, nn.Module) else ()
    kept = [(owner, dict(owner._buffers)) for owner in owners if owner._buffers]
    for owner, buffers in kept:
        owner._buffers.update({name: b.clone() if b is not None else None for name, b in buffers.items()})
    try:
        yield
    finally:
        for owner, buffers in kept:
            owner._buffers.update(buffers)
