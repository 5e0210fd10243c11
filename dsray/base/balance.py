"""Whether the classes of some rows are uneven, so that accuracy alone says little."""

from __future__ import annotations

from collections.abc import Sequence

UNEVEN = 1.5


def uneven(counts: Sequence[int]) -> bool:
    """The commonest class has more than 1.5 times the rows of the rarest of those that occur. counts: rows per class."""
    there = [count for count in counts if count > 0]
    return bool(there) and max(there) > UNEVEN * min(there)
