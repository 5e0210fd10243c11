"""Training rows held out for validation: a share of every class, whole groups at a time."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from dsray.base import RequestError
from dsray.base.noise import key_of

if TYPE_CHECKING:
    from dsray.data.config import DataConfig


def hold_out(train: pa.Table, config: DataConfig, seed: int) -> tuple[pa.Table, pa.Table]:
    """(remaining training rows, held-out rows): `config.validation` of the rows, divided by class, whole groups at a time.

    Every class keeps at least one training row, so a class of one row (or of one group) is not held out. The rows of
    both keep their order. Where nothing can be held out so: a RequestError.
    """
    random = np.random.default_rng([seed, key_of("validation")])
    classes = config.target.codes(train.column(config.target.column))
    if config.group is None:
        held = _of_rows(classes, config, random)
    else:
        held = _of_groups(classes, codes_of(train.column(config.group)), config, random)
    return train.filter(pa.array(~held)), train.filter(pa.array(held))


def another_share(train: int, held: int, config: DataConfig) -> list[str]:
    """A sentence where the rows held out are far from the wanted share, since a class or group cannot be divided."""
    share = held / (train + held)
    if 0.5 <= held / max(1, round(config.validation * (train + held))) <= 1.5:
        return []
    why = (
        f"the groups of column '{config.group}' are not divided" if config.group else "every class keeps a training row"
    )
    return [
        f"{held:,} of {train + held:,} training rows ({100 * share:.1f} %) are held out for validation, not "
        f"{100 * config.validation:.1f} %: {why}"
    ]


def codes_of(column: pa.ChunkedArray) -> np.ndarray:
    """(rows,) integers from 0, the same for equal values; null is a value too."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column.combine_chunks().dictionary_encode(null_encoding="encode").indices.to_numpy()


def shares(sizes: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    """How many rows of each class are held out: whole numbers whose sum is `share` of all rows, by largest remainders.

    sizes: (classes,) rows of each. Each class keeps a row; where that forbids the wanted sum, it is as large as can be.
    Equal remainders are decided by `random`.
    """
    exact, most = share * sizes, sizes - 1
    found = np.minimum(np.floor(exact + 1e-9).astype(np.int64), most)
    missing = min(max(1, round(share * int(sizes.sum()))), int(most.sum())) - int(found.sum())
    order = random.permutation(len(sizes))
    while missing > 0:
        open_ = order[found[order] < most[order]]
        open_ = open_[np.argsort(found[open_] - exact[open_], kind="stable")][:missing]
        found[open_] += 1
        missing -= len(open_)
    return found


def _of_rows(classes: np.ndarray, config: DataConfig, random: np.random.Generator) -> np.ndarray:
    """(rows,) bool: held out."""
    sizes = np.bincount(classes)
    if sizes.max() < 2:
        raise RequestError(
            f"{config.target_field}: each of the {len(sizes):,} training rows has a class of its own in column '{config.target.column}'; "
            "nothing can be held out without losing a class; give a column whose values repeat, or data.source.validation"
        )
    wanted = shares(sizes, config.validation, random)
    order = random.permutation(len(classes))
    order = order[np.argsort(classes[order], kind="stable")]
    place = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    held = np.zeros(len(classes), dtype=np.bool_)
    held[order] = place < wanted[classes[order]]
    return held


def _of_groups(classes: np.ndarray, groups: np.ndarray, config: DataConfig, random: np.random.Generator) -> np.ndarray:
    """(rows,) bool: held out, all rows of a group or none."""
    sizes = np.bincount(classes)
    if groups.max() < 1:
        raise RequestError(f"data.group: column '{config.group}' has one value only; nothing can be held out")
    pairs, counts = np.unique(groups.astype(np.int64) * len(sizes) + classes, return_counts=True)
    of, kind = np.divmod(pairs, len(sizes))
    parts: list[list[tuple[int, int]]] = [[] for _ in range(int(of[-1]) + 1)]
    for group, c, n in zip(of.tolist(), kind.tolist(), counts.tolist(), strict=True):
        parts[group].append((c, n))
    choice = _Choice(parts, sizes, shares(sizes, config.validation, random))
    choice.fill(random.permutation(len(parts)).tolist())
    if not choice.chosen:
        raise RequestError(
            f"data.group: each of the {len(parts):,} values of column '{config.group}' holds all rows of some class; "
            "nothing can be held out without losing a class; give another column, or data.source.validation"
        )
    return np.isin(groups, list(choice.chosen))


class _Choice:
    """Groups picked one after the other, so that their rows come near to those wanted of each class.

    parts: for each group its classes and the rows of each. sizes, wanted: (classes,) rows that there are, and that are
    to be held out.
    """

    def __init__(self, parts: list[list[tuple[int, int]]], sizes: np.ndarray, wanted: np.ndarray):
        self.parts = parts
        self.rows = [sum(n for _, n in part) for part in parts]
        self.left = sizes.tolist()
        self.wanted, self.open = wanted.tolist(), wanted.tolist()
        self.missing = int(wanted.sum())
        self.chosen: set[int] = set()

    def fill(self, order: list[int]) -> None:
        """Groups in this order while they bring their classes nearer; then, for the rows still missing, those that
        disturb the classes least. A class never loses its last training row.
        """
        for group in order:
            if self._excess(group) < 0 and self.rows[group] <= self.missing:
                self._take(group)
        rest = [group for group in order if group not in self.chosen]
        self._add(rest, lambda g: self.rows[g] <= self.missing or (self._excess(g) <= 0 and self._new(g)))
        self._add(rest, lambda g: self.rows[g] < 2 * self.missing)
        for group in sorted(order, key=self.rows.__getitem__):
            if not self.chosen:
                self._take(group)

    def _add(self, groups: list[int], fits: Callable[[int], bool]) -> None:
        heap = [(self._excess(group), place, group) for place, group in enumerate(groups)]
        heapq.heapify(heap)
        while heap and self.missing > 0:
            excess, place, group = heapq.heappop(heap)
            if group in self.chosen or not fits(group):
                continue
            if (now := self._excess(group)) > excess:  # it only ever grows, so a look when it is on top is enough
                heapq.heappush(heap, (now, place, group))
            else:
                self._take(group)

    def _excess(self, group: int) -> int:
        """By how many rows the classes would be farther from what is wanted of them; negative: nearer."""
        return sum(abs(self.open[c] - n) - abs(self.open[c]) for c, n in self.parts[group])

    def _new(self, group: int) -> bool:
        """No class of the group has a row held out."""
        return all(self.open[c] == self.wanted[c] for c, _ in self.parts[group])

    def _take(self, group: int) -> None:
        if any(self.left[c] <= n for c, n in self.parts[group]):
            return
        for c, n in self.parts[group]:
            self.left[c] -= n
            self.open[c] -= n
        self.missing -= self.rows[group]
        self.chosen.add(group)
