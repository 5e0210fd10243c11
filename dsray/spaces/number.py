"""Numbers between two bounds."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from dsray.spaces.space import Draw, SpaceConfig

INSIDE = 0.37
"""Where between the bounds a range is probed: a place that gives no whole number by chance."""


class FloatSpace(SpaceConfig):
    """A number between two bounds."""

    kind: Literal["float"] = "float"
    low: float = Field(allow_inf_nan=False, description="lower bound, in the units of the field")
    high: float = Field(allow_inf_nan=False, description="upper bound, in the units of the field")
    log: bool = Field(False, description="draw the logarithm evenly")

    @model_validator(mode="after")
    def _ordered(self) -> FloatSpace:
        check_bounds(self.low, self.high, self.log)
        return self

    def draw(self, source: Draw, name: str) -> Any:
        return source.suggest_float(name, self.low, self.high, log=self.log)

    def probes(self) -> list[Any]:
        return [self.low, self.low + INSIDE * (self.high - self.low), self.high]

    def parameters_of(self, node: Any, name: str) -> dict[str, Any] | None:
        return {name: float(node)} if _is_number(node) and self.low <= node <= self.high else None


class IntSpace(SpaceConfig):
    """A whole number between two bounds, both included."""

    kind: Literal["int"] = "int"
    low: int = Field(description="lower bound, in the units of the field")
    high: int = Field(description="upper bound, in the units of the field")
    log: bool = Field(False, description="draw the logarithm evenly")

    @model_validator(mode="after")
    def _ordered(self) -> IntSpace:
        check_bounds(self.low, self.high, self.log)
        return self

    def draw(self, source: Draw, name: str) -> Any:
        return source.suggest_int(name, self.low, self.high, log=self.log)

    def probes(self) -> list[Any]:
        return [self.low, self.high]

    def parameters_of(self, node: Any, name: str) -> dict[str, Any] | None:
        inside = _is_number(node) and node == int(node) and self.low <= node <= self.high
        return {name: int(node)} if inside else None


def check_bounds(low: float, high: float, log: bool = False, names: str = "low and high") -> None:
    """A ValueError unless low < high and, for a logarithm, 0 < low."""
    if not low < high:
        raise ValueError(f"{names} must be in order; got {low:g} and {high:g}")
    if log and low <= 0:
        raise ValueError(f"low must be above 0 with log; got {low:g}")


def _is_number(node: Any) -> bool:
    return isinstance(node, int | float) and not isinstance(node, bool)
