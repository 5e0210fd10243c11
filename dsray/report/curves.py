"""Curves of a training history: what was logged at which step, and where the stages lie."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dsray.report.charts import Axis, Band

History = Sequence[Mapping[str, Any]]
STEP = Axis("step", low=0)


def curve(history: History, kind: str, name: str) -> list[tuple[float, float]]:
    """(step, value) of the figure `name` in the lines of `kind` that have it."""
    return [(line["step"], line[name]) for line in history if line.get("kind") == kind and _known(line, name)]


def names(history: History, prefix: str) -> list[str]:
    """The names that begin with `prefix` in step lines, in order of first appearance."""
    found: Iterable[str] = (key for line in history if line.get("kind") == "step" for key in line)
    return [key for key in dict.fromkeys(found) if key.startswith(prefix)]


def stages(history: History) -> list[Band]:
    """The stretches of steps that each stage took, as executed; empty when there is only one."""
    bands: list[Band] = []
    for line in history:
        if line.get("kind") != "step" or "stage" not in line:
            continue
        if bands and bands[-1].label == line["stage"]:
            bands[-1] = Band(bands[-1].start, line["step"], bands[-1].label)
        else:
            bands.append(Band(bands[-1].end if bands else 0, line["step"], str(line["stage"])))
    return bands if len(bands) > 1 else []


def _known(line: Mapping[str, Any], name: str) -> bool:
    return isinstance(line.get(name), int | float) and isinstance(line.get("step"), int)
