"""Milliseconds per call of several engines, measured in turn so that a drift of the machine hits all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median

Call = Callable[[], object]


def interleaved(engines: Mapping[str, Call], rounds: int = 15, calls: int = 5) -> dict[str, float]:
    """Engine -> median over rounds of the mean milliseconds of `calls` calls; the first round is not counted."""
    seen: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(rounds + 1):
        for name, call in engines.items():
            started = time.perf_counter()
            for _ in range(calls):
                call()
            seen[name].append((time.perf_counter() - started) / calls * 1e3)
    return {name: median(values[1:]) for name, values in seen.items()}
