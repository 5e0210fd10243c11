"""What the router decided: blocks run, load of the experts, experts by class, and what skipping costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dsray.base.templates import Html
from dsray.record.record import Record
from dsray.record.words import count, percent, points
from dsray.report.charts import Axis, Bar, Matrix, Series, bar_chart, heat_map, line_chart
from dsray.report.charts.scale import percent_of
from dsray.report.curves import STEP, curve, stages
from dsray.report.sections.section import Section, side_by_side


def routing(record: Record) -> Section | None:
    """From `routing` of `evaluation.json`, and the skip rate in `history.jsonl`."""
    evaluation = record.read_json("evaluation.json") or {}
    found = evaluation.get("routing")
    if not found:
        return None
    classes = [str(name) for name in evaluation.get("classes", [])]
    history = record.history()
    skipped = line_chart(
        "Blocks skipped while training",
        [Series("skip rate", curve(history, "validation", "skip_rate"), 3)],
        STEP,
        Axis("share of blocks", percent_of, low=0),
        "on the validation split",
        stages(history),
    )
    body = side_by_side(
        _blocks(found), skipped, _load(found.get("expert_load")), _by_class(found.get("expert_by_class"), classes)
    )
    return Section("routing", "Routing", body, _lead(record.metrics, found))


def _lead(metrics: Mapping[str, float], found: Mapping[str, Any]) -> str:
    words = []
    if metrics.get("skip_rate") is not None:
        cost = metrics.get("skip_loss_points")
        effect = "" if cost is None else f", which changes accuracy by {points(-cost)}"
        words.append(f"{percent(metrics['skip_rate'])} of the blocks are skipped{effect}.")
    if found.get("confidence_threshold") is not None:
        words.append(f"A row leaves early when its confidence reaches {percent(found['confidence_threshold'], 0)}.")
    if metrics.get("parameters") and metrics.get("active_parameters"):
        words.append(f"{metrics['active_parameters']:,.0f} of {metrics['parameters']:,.0f} parameters work on a row.")
    return " ".join(words)


def _blocks(found: Mapping[str, Any]) -> Html | None:
    ran: Mapping[str, int] = found.get("blocks_run") or {}
    right: Mapping[str, float] = found.get("accuracy_by_blocks") or {}
    total = sum(ran.values())
    if not total:
        return None
    bars = []
    for blocks, rows in sorted(ran.items(), key=lambda item: int(item[0])):
        shown = percent(rows / total, 0) + (
            f", {percent(right[blocks])} right" if right.get(blocks) is not None else ""
        )
        bars.append(Bar(count(int(blocks), "block"), rows / total, shown, 1))
    return bar_chart("Blocks run", bars, "share of the test rows, and how many of them are answered right", full=1.0)


def _load(load: Sequence[Sequence[float]] | None) -> Html | None:
    if not load or not load[0]:
        return None
    rows = [f"block {i + 1}" for i in range(len(load))]
    experts = [f"expert {j + 1}" for j in range(len(load[0]))]
    shares = [_shares(row) for row in load]
    matrix = Matrix(shares, rows, experts, "", "", lambda v: percent(v, 0))
    return heat_map(
        "Load of the experts", matrix, f"share of a block's rows; even would be {percent(1 / len(experts), 0)}"
    )


def _by_class(table: Sequence[Sequence[float]] | None, classes: Sequence[str]) -> Html | None:
    if not table or not table[0] or len(table) != len(classes):
        return None
    experts = [f"expert {j + 1}" for j in range(len(table[0]))]
    matrix = Matrix([_shares(row) for row in table], classes, experts, "class", "", lambda v: percent(v, 0))
    return heat_map("Experts by class", matrix, "share of a class's rows, first routed block", flat=True)


def _shares(row: Sequence[float]) -> list[float]:
    total = sum(row)
    return [value / total for value in row] if total else list(row)
