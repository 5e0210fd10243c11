"""A learning rate for each part of the model."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from dsray.spaces.number import check_bounds
from dsray.spaces.space import Draw, SpaceConfig


class LayerRatesSpace(SpaceConfig):
    """A factor on the learning rate of each group of parameters, drawn on a logarithmic scale, for a `rates.layers`."""

    kind: Literal["layer_learning_rates"] = "layer_learning_rates"
    groups: tuple[str, ...] = Field(
        min_length=1, description="patterns over parameter names, each with a factor of its own; the first match wins"
    )
    low: float = Field(0.25, gt=0, description="smallest factor")
    high: float = Field(4.0, gt=0, description="largest factor")

    @model_validator(mode="after")
    def _ordered(self) -> LayerRatesSpace:
        check_bounds(self.low, self.high)
        if len(set(self.groups)) < len(self.groups):
            raise ValueError("groups must differ from each other")
        return self

    def draw(self, source: Draw, name: str) -> Any:
        return [
            {"pattern": group, "scale": source.suggest_float(f"{name}.{group}", self.low, self.high, log=True)}
            for group in self.groups
        ]

    def probes(self) -> list[Any]:
        return [[{"pattern": group, "scale": scale} for group in self.groups] for scale in (self.low, self.high)]

    def parameters_of(self, node: Any, name: str) -> dict[str, Any] | None:
        if not isinstance(node, list):
            return None
        scales = {layer["pattern"]: layer["scale"] for layer in node}
        found = {f"{name}.{group}": scales.get(group, 1.0) for group in self.groups}
        inside = scales.keys() <= set(self.groups) and all(self.low <= s <= self.high for s in found.values())
        return found if inside else None
