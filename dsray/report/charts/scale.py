"""Scales and ticks: from figures to places on the drawing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

Format = Callable[[float], str]


@dataclass(frozen=True)
class Scale:
    """A linear map of `low`..`high` onto `start`..`end` (units of the drawing)."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round values (1, 2 or 5 times a power of ten) inside `low`..`high`, about that many."""
    if not high > low:
        return [low]
    raw = (high - low) / about
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def span(values: Iterable[float], low: float | None = None, high: float | None = None) -> tuple[float, float]:
    """The range to draw: fixed ends where given, else the values' own with a little air."""
    values = list(values)
    least, most = min(values, default=0.0), max(values, default=1.0)
    air = (most - least) * 0.06 or abs(most) * 0.1 or 0.5
    bottom = low if low is not None else least - air
    top = high if high is not None else most + air
    return (bottom, top) if top > bottom else (bottom, bottom + 1)


def plain(value: float) -> str:
    """1100 -> `1,100`, 0.05 -> `0.05`, 0.00031 -> `3.1e-04`."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 else f"{value:.1e}".replace("e-0", "e-")


def percent_of(value: float) -> str:
    """0.975 -> `97.5 %`, 0.9 -> `90 %`."""
    return f"{value * 100:.4g} %"
