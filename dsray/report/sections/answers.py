"""What a kind of target shows of its answers: tables and heat maps that it made itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dsray.base.templates import Html
from dsray.record.record import Record
from dsray.record.words import in_unit
from dsray.report.charts import Matrix, heat_map
from dsray.report.layout import render
from dsray.report.sections.section import Section


def answers(record: Record) -> Section | None:
    """From `tables` and `heat_maps` of `evaluation.json`, as `TargetSpec.detail` of the model's target gave them.

    A table: `title`, `columns` (name and unit of each, a unit of `dsray.base.figures` or null), `rows` of cells, perhaps a
    `note`. A heat map: `title`, `values` (rows x columns), the names `rows` and `columns`, `row_name`, `column_name`,
    perhaps a `note`.
    """
    evaluation = record.read_json("evaluation.json") or {}
    tables = [_table(about) for about in evaluation.get("tables") or []]
    charts = [chart for about in evaluation.get("heat_maps") or [] if (chart := _heat_map(about)) is not None]
    if not tables and not charts:
        return None
    return Section("answers", "Answers", render("answers.html", tables=tables, charts=charts))


def _table(about: Mapping[str, Any]) -> dict[str, Any]:
    names, units = [name for name, _ in about["columns"]], [unit for _, unit in about["columns"]]
    rows = [[in_unit(cell, unit) for cell, unit in zip(row, units, strict=True)] for row in about["rows"]]
    return {"title": about["title"], "headings": names, "rows": rows, "note": about.get("note") or ""}


def _heat_map(about: Mapping[str, Any]) -> Html | None:
    rows, columns = ([str(name) for name in about[names]] for names in ("rows", "columns"))
    matrix = Matrix(about["values"], rows, columns, about["row_name"], about["column_name"])
    return heat_map(about["title"], matrix, about.get("note") or "")
