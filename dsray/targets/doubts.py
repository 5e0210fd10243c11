"""What is said of classes that look like none, and of those that a split lacks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

MANY_NUMBERS = 100
"""More classes than this that are all numbers look like an amount."""


def like_no_classes(label: str, names: Sequence[str], rows: int) -> Iterator[str]:
    """A sentence where the classes are an amount, or names of the rows. rows: of training."""
    numbers = [number for name in names if (number := _number(name)) is not None]
    lonely = rows < 1.5 * len(names)
    if len(numbers) == len(names) and (lonely or len(names) > MANY_NUMBERS):
        yield (
            f"the label '{label}' holds {len(names):,} different numbers, {min(numbers):g} to {max(numbers):g}, in "
            f"{rows:,} training rows; each is a class of its own, but they look like an amount to be estimated"
        )
    elif lonely:
        yield (
            f"the label '{label}' has {len(names):,} classes for {rows:,} training rows, about one row each; they look "
            "like names of the rows and not like classes"
        )


def _number(name: str) -> float | None:
    try:
        value = float(name)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def absent_classes(split: str, names: Sequence[str], here: np.ndarray, train: np.ndarray) -> Iterator[str]:
    """A sentence where classes have no row in a split. here, train: (classes,) rows of each there and in training."""
    absent = np.flatnonzero(here == 0)
    if not len(absent):
        return
    some = ", ".join(repr(names[i]) for i in absent[:3]) + (", ..." if len(absent) > 3 else "")
    single = int((train[absent] == 1).sum())
    more = f"; {single:,} of them {'has' if single == 1 else 'have'} a single training row" if single else ""
    yield f"{len(absent):,} of the {len(names):,} classes ({some}) {'has' if len(absent) == 1 else 'have'} no {split} row{more}"
