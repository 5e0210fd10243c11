"""The promises of spaces."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dsray.spaces import SpaceConfig
from dsray.testing.settings import check_round_trip

NAME = "section.field"
DRAWS = 40


def check_space(config: SpaceConfig) -> None:
    """What it draws, probes and reads back from a file is one thing: values that can stand there.

    A draw is a function of the source alone; its parameters are named after the path and asked for once, choices always
    the same; values and probes are JSON; the parameters that it finds for a value draw that value again.
    """
    check_round_trip(config)
    probes = config.probes()
    assert probes, "there are no probes, so that nothing is checked before a sweep starts"
    assert _text(probes) == _text(config.probes()), "the probes differ when asked for again"
    drawn = [_drawn(config, seed) for seed in range(DRAWS)]
    for asked in drawn:
        for name, choices in asked.choices.items():
            assert choices == drawn[0].choices.get(name, choices), f"the choices of '{name}' differ between two draws"
    for value in [*probes, *(asked.value for asked in drawn)]:
        _check_read_back(config, value)
    for value in ("another value", None, {"kind": "another"}):
        _check_read_back(config, value)


class _Recorded:
    """A source that draws with a seed, or gives fixed parameters, and remembers what it was asked."""

    def __init__(self, seed: int = 0, fixed: Mapping[str, Any] | None = None):
        self.rng, self.fixed = np.random.default_rng(seed), fixed
        self.given: dict[str, Any] = {}
        self.choices: dict[str, list[Any]] = {}
        self.value: Any = None

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """A number between the bounds."""
        assert math.isfinite(low) and math.isfinite(high) and low <= high, f"'{name}' has the bounds {low} and {high}"
        place = float(self.rng.random())
        drawn = low * (high / low) ** place if log else low + (high - low) * place
        return float(self._give(name, min(max(drawn, low), high)))

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """A whole number between the bounds."""
        assert low <= high, f"'{name}' has the bounds {low} and {high}"
        return int(self._give(name, int(self.rng.integers(low, high + 1))))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of the choices, which a study can keep only where they are plain values."""
        plain = all(isinstance(choice, str | int | float | bool | None) for choice in choices)
        assert choices and plain, f"the choices of '{name}' must be plain values; a study keeps no others"
        self.choices[name] = list(choices)
        return self._give(name, choices[int(self.rng.integers(len(choices)))])

    def _give(self, name: str, drawn: Any) -> Any:
        assert name == NAME or name.startswith(f"{NAME}."), f"the parameter '{name}' is not named after the path {NAME}"
        assert name not in self.given, f"the parameter '{name}' is asked for twice"
        if self.fixed is not None:
            assert name in self.fixed, f"the parameters found for a value lack '{name}'"
            drawn = self.fixed[name]
        self.given[name] = drawn
        return drawn


def _drawn(config: SpaceConfig, seed: int) -> _Recorded:
    """What one seed gives, which is what its parameters give."""
    source = _Recorded(seed)
    source.value = config.draw(source, NAME)
    again = config.draw(_Recorded(fixed=source.given), NAME)
    assert _text(source.value) == _text(again), "a draw depends on more than its parameters"
    return source


def _check_read_back(config: SpaceConfig, value: Any) -> None:
    assert _text(json.loads(_text(value))) == _text(value), f"{value!r} is not what would stand in a file"
    found = config.parameters_of(value, NAME)
    if found is not None:
        drawn = config.draw(_Recorded(fixed=found), NAME)
        assert _alike(drawn, value), f"the parameters found for {value!r} draw {drawn!r}"


def _text(value: Any) -> str:
    try:
        return json.dumps(value, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise AssertionError(f"{value!r} cannot stand in a file ({error})") from None


def _alike(one: Any, other: Any) -> bool:
    """Equal, numbers to within rounding."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=1e-9)
    return bool(one == other)
