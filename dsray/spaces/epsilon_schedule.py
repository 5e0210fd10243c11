"""How the radius of the attack grows over an adversarial stage."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from dsray.spaces.number import check_bounds
from dsray.spaces.space import Draw, SpaceConfig

Shape = Literal["constant", "linear", "joined"]


class EpsilonScheduleSpace(SpaceConfig):
    """The epsilon schedule of an adversarial stage: its shape, where it starts, how long it grows, where it ends.

    constant: `end` at every step. linear: from `start` x end to end over the first `ramp` of the stage. joined: first
    stays at `start` x end for `delay` of the stage, then grows over the first `ramp` of what is left.
    """

    kind: Literal["epsilon_schedule"] = "epsilon_schedule"
    shapes: tuple[Shape, ...] = Field(("constant", "linear", "joined"), min_length=1, description="shapes to try")
    end_low: float = Field(0.05, gt=0, description="smallest final epsilon, in the units of the threat")
    end_high: float = Field(0.15, gt=0, description="largest final epsilon, in the units of the threat")
    start_high: float = Field(1.0, gt=0, le=1, description="largest first epsilon, as a share of the final one")
    ramp_low: float = Field(0.1, gt=0, lt=1, description="shortest ramp, as a share of the stage")
    ramp_high: float = Field(1.0, gt=0, le=1, description="longest ramp, as a share of the stage")
    delay_high: float = Field(0.5, gt=0, lt=1, description="longest wait before the ramp, as a share of the stage")

    @model_validator(mode="after")
    def _ordered(self) -> EpsilonScheduleSpace:
        check_bounds(self.end_low, self.end_high, names="end_low and end_high")
        check_bounds(self.ramp_low, self.ramp_high, names="ramp_low and ramp_high")
        if len(set(self.shapes)) < len(self.shapes):
            raise ValueError("shapes must differ from each other")
        return self

    @property
    def delay_low(self) -> float:
        """Shortest wait of a joined schedule; none at all would be a linear one."""
        return self.delay_high / 10

    def draw(self, source: Draw, name: str) -> Any:
        shape = source.suggest_categorical(f"{name}.shape", list(self.shapes))
        end = source.suggest_float(f"{name}.end", self.end_low, self.end_high)
        if shape == "constant":
            return _constant(end)
        start = source.suggest_float(f"{name}.start", 0.0, self.start_high)
        ramp = source.suggest_float(f"{name}.ramp", self.ramp_low, self.ramp_high)
        if shape == "linear":
            return _linear(start * end, end, ramp)
        return _joined(start * end, end, ramp, source.suggest_float(f"{name}.delay", self.delay_low, self.delay_high))

    def probes(self) -> list[Any]:
        ends = (self.end_low, self.end_high)
        made = {
            "constant": [_constant(end) for end in ends],
            "linear": [_linear(0.0, end, ramp) for end in ends for ramp in (self.ramp_low, self.ramp_high)],
            "joined": [_joined(0.0, end, self.ramp_high, self.delay_high) for end in ends],
        }
        return [node for shape in self.shapes for node in made[shape]]

    def parameters_of(self, node: Any, name: str) -> dict[str, Any] | None:
        kind = node.get("kind") if isinstance(node, dict) else None
        if kind == "constant":
            found = {"shape": kind, "end": node["value"]}
        elif kind == "linear" and node["end"] > 0:
            found = {"shape": kind, "end": node["end"], "start": node["start"] / node["end"], "ramp": node["share"]}
        else:
            return None
        inside = (
            found["shape"] in self.shapes
            and self.end_low <= found["end"] <= self.end_high
            and 0 <= found.get("start", 0) <= self.start_high
            and self.ramp_low <= found.get("ramp", self.ramp_low) <= self.ramp_high
        )
        return {f"{name}.{part}": value for part, value in found.items()} if inside else None


def _constant(end: float) -> dict[str, Any]:
    return {"kind": "constant", "value": end}


def _linear(start: float, end: float, ramp: float) -> dict[str, Any]:
    return {"kind": "linear", "start": start, "end": end, "share": ramp}


def _joined(start: float, end: float, ramp: float, delay: float) -> dict[str, Any]:
    parts = [
        {"share": delay, "schedule": _constant(start)},
        {"share": 1 - delay, "schedule": _linear(start, end, ramp)},
    ]
    return {"kind": "joined", "parts": parts}
