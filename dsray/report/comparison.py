"""Runs of one experiment as a group over seeds: means, intervals, settings."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dsray.base.figures import Figure, figure
from dsray.record.cautions import of_known_alone
from dsray.record.figures import figures_of
from dsray.record.judgements import differing, in_words, judgements, kept
from dsray.record.record import Record
from dsray.record.words import count, number, percent, seconds

_OWN = ("name", "seed")
"""Top-level keys that may differ between runs of one experiment."""
_UNFINISHED = {"running": "is still running", "interrupted": "was interrupted", "failed": "failed"}


@dataclass(frozen=True)
class Cell:
    """A figure over the seeds of a group: mean, 95 % interval (None from one value) and the values themselves."""

    mean: float
    low: float | None
    high: float | None
    values: tuple[float, ...]


@dataclass(frozen=True)
class Group:
    """Runs of one experiment that differ in their seed only; `settings` are its resolved dotted paths."""

    label: str
    records: tuple[Record, ...]
    settings: Mapping[str, Any]

    @cached_property
    def seeds(self) -> tuple[Any, ...]:
        """The seeds of the runs, in order."""
        return tuple(record.manifest.get("seed") for record in self.records)


@dataclass(frozen=True)
class Comparison:
    """Groups, their figures by name (None where a group lacks one), and the settings that are not the same in all.

    left_out: runs that count no more, each with the later run of its experiment and seed.
    """

    groups: tuple[Group, ...]
    metrics: Mapping[str, tuple[Cell | None, ...]]
    timings: Mapping[str, tuple[Cell | None, ...]]
    differences: Mapping[str, tuple[Any, ...]]
    left_out: tuple[tuple[Record, Record], ...] = ()

    @cached_property
    def own(self) -> tuple[Figure, ...]:
        """The figures of the kinds of target of all runs."""
        return tuple(line for group in self.groups for record in group.records for line in figures_of(record))

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence for each run that was given and is in no column, is not finished, or has accuracies of other rows."""
        left = tuple(
            f"{old.path} is left out: {new.path} is the same experiment with the same seed, and a seed counts once"
            for old, new in self.left_out
        )
        records = [record for group in self.groups for record in group.records]
        states = [(record, record.status["state"]) for record in records]
        unfinished = tuple(
            f"{record.path} {_UNFINISHED[state]}: its figures are those of the steps that were finished"
            for record, state in states
            if state in _UNFINISHED
        )
        return (
            left
            + unfinished
            + tuple(
                f"{record.path} was made by an earlier version: its accuracies are of the {count(known, 'test row')} of known "
                f"class, and {percent(record.metrics['test_accuracy'])} would be "
                f"{percent(record.metrics['test_accuracy'] * known / rows)} of all {rows:,}"
                for record in records
                if (of := of_known_alone(record))
                for known, rows in [of]
            )
        )


def interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float] | None:
    """Student's t interval of the mean; None for fewer than two values."""
    from scipy.special import stdtrit  # 0.2 s to import, and only comparisons need it

    count = len(values)
    if count < 2:
        return None
    mean = statistics.mean(values)  # exact: equal values have exactly no deviation
    half = float(stdtrit(count - 1, (1 + level) / 2)) * statistics.stdev(values) / math.sqrt(count)
    return mean - half, mean + half


def written(name: str, cell: Cell | None, sign: str = "±", own: Sequence[Figure] = ()) -> str:
    """A figure with half its interval where it has one: `97.4 % ± 0.6`; empty for None. own: as `figure` takes them."""
    if cell is None:
        return ""
    unit = figure(name, own).unit
    share = unit == "share"
    shown = percent(cell.mean) if share else seconds(cell.mean) if unit == "seconds" else number(cell.mean)
    half = 0.0 if cell.high is None else cell.high - cell.mean
    if not half:
        return shown
    return f"{shown} {sign} {half * 100:.1f}" if share else f"{shown} {sign} {half:.2g}"


def group_runs(records: Sequence[Record]) -> tuple[Group, ...]:
    """Group runs whose experiments differ in name and seed only, in the order given.

    A seed that was run twice counts once, by its last run: two runs of one seed are not two samples.
    """
    found: dict[str, dict[Any, Record]] = {}
    settings: dict[str, dict[str, Any]] = {}
    for record in records:
        shared, seed = _shared(record)
        identity = _identity(shared)
        found.setdefault(identity, {}).pop(seed, None)
        found[identity][seed] = record
        settings[identity] = dict(_flat(shared))
    labels = _labels([list(by_seed.values()) for by_seed in found.values()])
    return tuple(
        Group(label, tuple(by_seed.values()), settings[identity])
        for label, (identity, by_seed) in zip(labels, found.items(), strict=True)
    )


def left_out(records: Sequence[Record]) -> tuple[tuple[Record, Record], ...]:
    """The runs that `group_runs` does not count, each with the later one of the same experiment and seed."""
    keys = [(_identity(shared), seed) for shared, seed in map(_shared, records)]
    last = dict(zip(keys, records, strict=True))
    return tuple((old, last[key]) for key, old in zip(keys, records, strict=True) if last[key] is not old)


def _shared(record: Record) -> tuple[dict[str, Any], Any]:
    """What the runs of a group have in common, and the seed, in which they differ."""
    content = record.experiment
    shared = {key: value for key, value in content.items() if key not in _OWN}
    return shared, record.manifest.get("seed", content.get("seed"))


def _identity(shared: Mapping[str, Any]) -> str:
    return json.dumps(shared, sort_keys=True, default=str)


def _labels(groups: Sequence[Sequence[Record]]) -> list[str]:
    """The name of a group's first run, with the parent folder where two groups would read the same."""
    names = [runs[0].name for runs in groups]
    full = [str(runs[0].path) if names.count(name) > 1 else name for name, runs in zip(names, groups, strict=True)]
    return [name if len(runs) == 1 else f"{name} ({len(runs)} seeds)" for name, runs in zip(full, groups, strict=True)]


def _flat(value: Any, path: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        parts = value.items()
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        parts = dict(enumerate(value)).items()
    else:
        return [(path, value)]
    return [pair for key, item in parts for pair in _flat(item, f"{path}.{key}" if path else str(key))]


def metric_cells(groups: Sequence[Group]) -> dict[str, tuple[Cell | None, ...]]:
    """The figures of `metrics.json` of each group by name.

    Robust accuracies that were judged by other terms have other names: `robust_accuracy/epsilon 0.05`.
    """
    found = [j for group in groups for record in group.records for j in judgements(record)]
    return _cells([[_metrics(record, differing(found)) for record in group.records] for group in groups])


def timing_cells(groups: Sequence[Group]) -> dict[str, tuple[Cell | None, ...]]:
    """The figures of `timings.json` of each group by name."""
    return _cells([[record.timings for record in group.records] for group in groups])


def _metrics(record: Record, names: Sequence[str]) -> dict[str, float]:
    """names: the terms by which judgements are told apart."""
    own = kept(record.metrics)
    figures = {name: value for name, value in record.metrics.items() if name not in own}
    for judgement in judgements(record) or [{"own": True}]:
        of = record.metrics if judgement["own"] else judgement
        said = in_words(judgement, names)
        figures |= {f"{name}/{said}".rstrip("/"): of[name] for name in kept(of) if of[name] is not None}
    return figures


def _cells(figures: Sequence[Sequence[Mapping[str, float]]]) -> dict[str, tuple[Cell | None, ...]]:
    names = dict.fromkeys(name for runs in figures for run in runs for name in run)
    return {name: tuple(_cell([run.get(name) for run in runs]) for runs in figures) for name in names}


def _cell(values: Sequence[float | None]) -> Cell | None:
    known = tuple(v for v in values if isinstance(v, int | float))
    if not known:
        return None
    ends = interval(known)
    low, high = ends if ends is not None else (None, None)
    return Cell(statistics.mean(known), low, high, known)
