"""How large a model is, and how much of it one sample runs; works on the meta device."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from dsray.base.routed import Routed
from dsray.data.schema import Schema
from dsray.models.base import ModelConfig


class _Uninitialised(TorchFunctionMode):
    """Shapes without values: on the meta device the functions of torch.nn.init would load torch's compiler, 1.5 s."""

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        if getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


def skeleton(config: ModelConfig, schema: Schema) -> Routed:
    """The model on the meta device: names and shapes of its parameters, no memory."""
    with torch.device("meta"), _Uninitialised():
        return config.build(schema)


def count_parameters(model: Routed) -> dict[str, int]:
    """Parameters per part (`encoders.image`, `trunk.blocks.0`, `head`, ...) and their `total`."""
    counts: Counter[str] = Counter()
    for name, parameter in model.named_parameters():
        counts[_part(name)] += parameter.numel()
    return {**counts, "total": sum(counts.values())}


def active_parameters(model: Routed) -> int:
    """Parameters that a sample with every input touches when it runs all blocks: only its top-k experts count."""
    return count_parameters(model)["total"] - model.idle_parameters()


def _part(name: str) -> str:
    words = name.split(".")
    depth = {"encoders": 2, "adapters": 2, "exits": 2, "trunk": 3, "module": 2}.get(words[0], 1)
    return ".".join(words[:depth])
