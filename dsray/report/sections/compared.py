"""The sections of a comparison: figures with intervals, overlaid curves, settings that differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from dsray.base.templates import Html
from dsray.record.figures import called
from dsray.record.judgements import units_of
from dsray.record.record import Record
from dsray.record.words import count, plain_name
from dsray.report.charts import Axis, Interval, Series, interval_chart, line_chart
from dsray.report.charts.scale import percent_of
from dsray.report.comparison import Cell, Comparison, written
from dsray.report.curves import STEP, curve
from dsray.report.layout import render
from dsray.report.sections.section import Section, side_by_side

_SHARES = ("test_accuracy", "robust_accuracy", "int8_accuracy", "test_accuracy_undefended", "skip_rate")


def heading(comparison: Comparison) -> Html:
    """The head card: the groups with their colours and runs."""
    runs = sum(len(group.records) for group in comparison.groups)
    return render(
        "comparison/head.html",
        title=f"{count(runs, 'run')} of {count(len(comparison.groups), 'experiment')}",
        groups=[
            (_colour(i), f"{group.label}: seed {', '.join(map(str, group.seeds))}")
            for i, group in enumerate(comparison.groups)
        ],
        notes=comparison.notes,
    )


def accuracies(comparison: Comparison) -> Section | None:
    """Means with their intervals for the figures that people look at first."""
    charts = [
        interval_chart(plain_name(name), _intervals(comparison, cells), bound=1.0)
        for share in _SHARES
        for name, cells in comparison.metrics.items()
        if name.partition("/")[0] == share
    ]
    lead = "Large: the mean over seeds, with its 95 % interval (Student's t). Small: single runs."
    return Section("accuracy", "Accuracy", side_by_side(*charts), lead) if charts else None


def curves(comparison: Comparison) -> Section | None:
    """Curves of all runs over each other, a colour per group."""
    drawn = [
        _overlaid(comparison, "Loss", lambda r: curve(r.history(), "step", "loss"), Axis("loss", low=0)),
        _overlaid(
            comparison,
            "Validation accuracy",
            lambda r: curve(r.history(), "validation", "accuracy"),
            Axis("accuracy", percent_of, high=1.0),
        ),
        _overlaid(
            comparison,
            "Blocks skipped",
            lambda r: curve(r.history(), "validation", "skip_rate"),
            Axis("share of blocks", percent_of, low=0),
        ),
        _overlaid(
            comparison,
            "Robust accuracy against epsilon",
            _robust,
            Axis("robust accuracy", percent_of, low=0, high=1.0),
            Axis("epsilon"),
            _different_judgements(comparison),
        ),
    ]
    return Section("curves", "Curves", side_by_side(*drawn)) if any(drawn) else None


def figures(comparison: Comparison) -> Section | None:
    """Every figure of every group."""
    return _table("figures", "Figures", comparison, comparison.metrics)


def timings(comparison: Comparison) -> Section | None:
    """Seconds and rates of every group."""
    return _table("time", "Time", comparison, comparison.timings)


def differences(comparison: Comparison) -> Section | None:
    """Settings that are not the same in all groups."""
    if not comparison.differences:
        return None
    body = render("comparison/settings.html", groups=_labels(comparison), settings=comparison.differences)
    return Section("settings", "Settings", body, "Those that differ.")


SECTIONS: tuple[Callable[[Comparison], Section | None], ...] = (accuracies, curves, figures, differences, timings)


def _table(
    key: str, title: str, comparison: Comparison, cells: Mapping[str, tuple[Cell | None, ...]]
) -> Section | None:
    own = comparison.own
    rows = [[called(name, own), *(written(name, cell, own=own) for cell in row)] for name, row in cells.items()]
    if not rows:
        return None
    return Section(key, title, render("comparison/figures.html", groups=_labels(comparison), rows=rows))


def _intervals(comparison: Comparison, cells: Sequence[Cell | None]) -> list[Interval]:
    return [
        Interval(group.label, cell.mean, cell.low, cell.high, cell.values if len(cell.values) > 1 else (), _colour(i))
        for i, (group, cell) in enumerate(zip(comparison.groups, cells, strict=True))
        if cell is not None
    ]


def _overlaid(
    comparison: Comparison,
    title: str,
    points: Callable[[Record], list[tuple[float, float]]],
    y: Axis,
    x: Axis = STEP,
    note: str = "",
) -> Html | None:
    series = [
        Series(group.label, points(record), _colour(i), dashed=i >= 6)
        for i, group in enumerate(comparison.groups)
        for record in group.records
    ]
    return line_chart(title, series, x, y, note)


def _robust(record: Record) -> list[tuple[float, float]]:
    points = (record.read_json("attack.json") or {}).get("curve") or []
    return [(p["epsilon"], p["robust_accuracy"]) for p in points if p.get("robust_accuracy") is not None]


def _different_judgements(comparison: Comparison) -> str:
    """What each run's curve was judged by, where that is not the same for all: radii of two units share no axis."""
    records = [record for group in comparison.groups for record in group.records]
    found = [(record, judged) for record in records if (judged := record.read_json("attack.json"))]
    by = [(record.name, ", ".join(judged.get("attacks") or ())) for record, judged in found]
    of = [(record.name, units_of(judged)) for record, judged in found]
    return "; ".join(
        filter(None, [_apart("judged by different attacks", "by", by), _apart("epsilon in different units", "in", of)])
    )


def _apart(what: str, link: str, named: Sequence[tuple[str, str]]) -> str:
    """`what: A by x; B by y`, where x and y differ; named: run -> what it was judged by, empty where that is not known."""
    known = [(name, value) for name, value in named if value]
    if len({value for _, value in known}) < 2:
        return ""
    return f"{what}: " + "; ".join(f"{name} {link} {value}" for name, value in known)


def _labels(comparison: Comparison) -> list[str]:
    return [group.label for group in comparison.groups]


def _colour(group: int) -> int:
    return 1 + group % 6
