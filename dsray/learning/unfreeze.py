"""Gradual unfreezing (Howard & Ruder 2018): the head learns first, deeper groups join one by one."""

from __future__ import annotations

from collections.abc import Sequence


def unfreezing_phases(groups: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """Patterns that learn in each phase: phase i trains groups 0..i."""
    return [tuple(p for group in groups[: i + 1] for p in group) for i in range(len(groups))]
