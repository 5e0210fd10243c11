"""How large a model is, and how much of it one sample runs; works on the meta device."""

from __future__ import annotations

from collections import Counter

from dsray.models.model import RoutedModel


def count_parameters(model: RoutedModel) -> dict[str, int]:
    """Parameters per part (`encoders.image`, `trunk.blocks.0`, `head`, ...) and their `total`."""
    counts: Counter[str] = Counter()
    for name, parameter in model.named_parameters():
        counts[_part(name)] += parameter.numel()
    return {**counts, "total": sum(counts.values())}


def active_parameters(model: RoutedModel) -> int:
    """Parameters that a sample with every modality touches when it runs all blocks: only its top-k experts count."""
    idle = 0
    for block in model.trunk:
        if block.experts is not None:
            config = block.experts.config
            routed = sum(p.numel() for name, p in block.experts.named_parameters() if not name.startswith("router"))
            idle += routed * (config.count - config.top_k) // config.count
    return count_parameters(model)["total"] - idle


def _part(name: str) -> str:
    words = name.split(".")
    depth = {"encoders": 2, "exits": 2, "trunk": 3}.get(words[0], 1)
    return ".".join(words[:depth])
