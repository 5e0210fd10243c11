"""How a stage of training ended, in words, where there is something to say of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dsray.base.figures import Figure, figure
from dsray.record.words import number, spoken

PLANNED = "steps done"
"""The reason of a stage that went to its end."""


def ending(line: Mapping[str, Any], own: Sequence[Figure] = ()) -> str | None:
    """`clean stopped at step 340: accuracy flat for 5 validations; best weights of step 240 kept (accuracy 75.1 %)`.

    line: of the history. own: the figures of the target. None where it does not end a stage, or the stage went to its end
    and keeps its last weights.
    """
    if line.get("kind") != "stage" or line.get("event") != "end":
        return None
    best = line.get("best")
    kept = None if not isinstance(best, Mapping) or best.get("step") == line.get("step") else best
    if line.get("reason") == PLANNED and kept is None:
        return None
    words = f"{line.get('stage')} ended at step {number(line.get('step'))}"
    if line.get("reason") != PLANNED:
        words = f"{line.get('stage')} stopped at step {number(line.get('step'))}: {line.get('reason')}"
    if kept is None:
        return words
    return f"{words}; best weights of step {number(kept.get('step'))} kept ({_figure(kept, own)})"


def _figure(best: Mapping[str, Any], own: Sequence[Figure]) -> str:
    name = str(best.get("figure"))
    return f"{figure(name, own).label} {spoken(name, best.get('value'), own)}"
