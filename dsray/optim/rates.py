"""Learning rates: one schedule, scaled per layer by pattern and by depth."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pydantic import Field, model_validator

from dsray.base import Config
from dsray.base.schedules import AnySchedule, CosineConfig
from dsray.optim.patterns import Pattern, first_match


class LayerRate(Config):
    """A factor on the learning rate of the parameters that a pattern names."""

    pattern: Pattern = Field(description="glob over parameter names, e.g. head or trunk.blocks.0.*")
    scale: float = Field(ge=0, le=100, description="factor on the learning rate")


class Rates(Config):
    """The learning rate of every parameter at every step of a stage."""

    schedule: AnySchedule = Field(
        CosineConfig(peak_value=3e-3, end=1e-4, warmup=0.1), description="learning rate over the stage"
    )
    layers: tuple[LayerRate, ...] = Field((), description="factors per layer; the first pattern that matches wins")
    depth_decay: float = Field(
        1.0, gt=0, le=1, description="factor per block of depth, counted from the head down (1 = none)"
    )

    @model_validator(mode="after")
    def _not_negative(self) -> Rates:
        if self.schedule.span()[0] < 0:
            raise ValueError("a learning rate must not be negative")
        return self

    def scales(self, names: Iterable[str], field: str = "rates.layers") -> dict[str, float]:
        """Parameter name -> factor on the schedule."""
        names = list(names)
        chosen = first_match([layer.pattern for layer in self.layers], names, field)
        depths = {name: depth_of(name) for name in names}
        levels = {d: i for i, d in enumerate(sorted(set(depths.values())))}
        top = len(levels) - 1
        return {
            name: (self.layers[chosen[name]].scale if name in chosen else 1.0)
            * self.depth_decay ** (top - levels[depths[name]])
            for name in names
        }


def depth_of(name: str) -> float:
    """Depth of a parameter by its name: stem 0, block i (counted from 0) i + 1, heads last."""
    if block := re.search(r"(?:^|\.)blocks\.(\d+)\.", name):
        return int(block[1]) + 1
    return float("inf") if re.match(r"(head|exits|norm)\b", name) else 0
