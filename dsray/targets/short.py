"""The short form of a target: `data.label: COLUMN` is `data.target: {kind: classes, column: COLUMN}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dsray.targets.target import TargetConfig, TargetSpec

KIND = "classes"


def fold(section: Mapping[str, Any]) -> dict[str, Any]:
    """The `data` section with the short form under `target`. A ValueError where two columns are named."""
    if "label" not in section:
        return dict(section)
    rest = {key: value for key, value in section.items() if key != "label"}
    label, target = section["label"], section.get("target")
    if target is None:
        return {**rest, "target": {"kind": KIND, "column": label}}
    if isinstance(target, Mapping) and target.get("column", label) == label:
        return {**rest, "target": {"column": label, **target}}
    raise ValueError("label: names a column, and target does too; keep one of the two")


def unfold(section: Mapping[str, Any]) -> dict[str, Any]:
    """The section with the short form in place of a target of classes of which nothing but the column is said."""
    target = section["target"]
    said = {key for key, value in target.items() if value is not None}
    if target["kind"] != KIND or said != {"kind", "column"}:
        return dict(section)
    return {
        ("label" if key == "target" else key): (target["column"] if key == "target" else v)
        for key, v in section.items()
    }


def field_of(target: TargetConfig | TargetSpec) -> str:
    """What errors call the target: `data.label`, or `data.target`."""
    return "data.label" if target.kind == KIND else "data.target"
