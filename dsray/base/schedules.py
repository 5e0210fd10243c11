"""Schedules: a step of a stretch -> a value (epsilon, learning rate, loss weight).

A config's `build(steps)` gives a plain function of the step, 0 <= step < steps. `joined` is the one combinator.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from dsray.base import Config, Plugin, one_of
from dsray.base.fraction import FRACTION, fraction

Schedule = Callable[[int], float]
Fraction = Annotated[str, Field(pattern=FRACTION)]
Number = Annotated[
    float, Field(allow_inf_nan=False), BeforeValidator(fraction, json_schema_input_type=float | Fraction)
]
"""A finite number; `8/255` is understood."""


class ScheduleConfig(Plugin):
    """Base of all schedules."""

    def build(self, steps: int) -> Schedule:
        """The value at each of `steps` steps."""
        raise NotImplementedError

    def span(self, steps: int = 1000) -> tuple[float, float]:
        """The smallest and the largest value reached in `steps` steps; long stretches are looked at in 1000 places."""
        schedule, places = self.build(steps), min(steps, 1000)
        values = [schedule(i * (steps - 1) // max(1, places - 1)) for i in range(places)]
        return min(values), max(values)

    def peak(self, steps: int = 1000) -> float:
        """The largest value reached in `steps` steps."""
        return self.span(steps)[1]


class ConstantConfig(ScheduleConfig):
    """The same value at every step. A bare number in the file means this."""

    kind: Literal["constant"] = "constant"
    value: Number = Field(description="the value at every step")

    def build(self, steps: int) -> Schedule:
        return lambda step: self.value


class LinearConfig(ScheduleConfig):
    """From `start` to `end` over the first `share` of the stretch, then `end`."""

    kind: Literal["linear"] = "linear"
    start: Number = Field(0.0, description="value at the first step")
    end: Number = Field(description="value after the ramp")
    share: float = Field(1.0, gt=0, le=1, description="length of the ramp as a share of the stretch")

    def build(self, steps: int) -> Schedule:
        ramp = max(1, min(round(steps * self.share), steps - 1))
        return lambda step: self.start + (self.end - self.start) * min(1.0, step / ramp)


class CosineConfig(ScheduleConfig):
    """Linear warm-up to `peak_value`, then half a cosine down to `end` (Loshchilov & Hutter 2017)."""

    kind: Literal["cosine"] = "cosine"
    peak_value: Number = Field(description="value after the warm-up")
    end: Number = Field(0.0, description="value at the last step")
    warmup: float = Field(0.1, ge=0, lt=1, description="length of the warm-up as a share of the stretch")

    def build(self, steps: int) -> Schedule:
        warm = round(steps * self.warmup)

        def value(step: int) -> float:
            if step < warm:
                return self.peak_value * (step + 1) / warm
            done = min(1.0, (step - warm) / max(1, steps - 1 - warm))
            return self.end + (self.peak_value - self.end) * 0.5 * (1 + math.cos(math.pi * done))

        return value


class Part(Config):
    """One piece of a joined schedule."""

    share: float = Field(gt=0, le=1, description="length of this part as a share of the stretch")
    schedule: AnySchedule


class JoinedConfig(ScheduleConfig):
    """Several schedules one after the other, each over its share of the stretch."""

    kind: Literal["joined"] = "joined"
    parts: tuple[Part, ...] = Field(min_length=1, description="the pieces in order; their shares sum to 1")

    @model_validator(mode="after")
    def _whole(self) -> JoinedConfig:
        total = sum(p.share for p in self.parts)
        if abs(total - 1) > 1e-6:
            raise ValueError(f"the shares of a joined schedule must sum to 1, not {total:g}")
        return self

    def build(self, steps: int) -> Schedule:
        ends, total = [], 0.0
        for part in self.parts:
            total += part.share
            ends.append(round(steps * total))
        ends[-1] = steps
        starts = [0, *ends[:-1]]
        built = [p.schedule.build(max(1, e - s)) for p, s, e in zip(self.parts, starts, ends, strict=True)]

        def value(step: int) -> float:
            i = next((i for i, end in enumerate(ends) if step < end), len(ends) - 1)
            return built[i](step - starts[i])

        return value


def _number_is_constant(value: Any) -> Any:
    value = fraction(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {"kind": "constant", "value": value}
    return value


AnySchedule = Annotated[
    ScheduleConfig,
    one_of(
        ConstantConfig,
        LinearConfig,
        CosineConfig,
        JoinedConfig,
        shorthand=({"type": "number"}, {"type": "string", "pattern": FRACTION}),
    ),
    BeforeValidator(_number_is_constant),
]
Part.model_rebuild()
JoinedConfig.model_rebuild()


def joined(*parts: tuple[float, ScheduleConfig]) -> JoinedConfig:
    """`joined((0.3, a), (0.7, b))`: a over the first 30 %, then b."""
    return JoinedConfig(parts=tuple(Part(share=share, schedule=schedule) for share, schedule in parts))
