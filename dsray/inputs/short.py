"""The short form of an input: `data.image: {...}` is `data.inputs.image: {kind: image, ...}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dsray.inputs import INPUTS


def fold(section: Mapping[str, Any]) -> dict[str, Any]:
    """The section with every short form under `inputs`, in the order of the kinds; null there means none.

    What is written out keeps its place behind them. A ValueError for an input that is written in both ways.
    """
    rest = {key: value for key, value in section.items() if key not in INPUTS.members}
    written = rest.get("inputs") or {}
    if not isinstance(written, Mapping):
        return rest
    short = {kind: _kind(kind, section[kind]) for kind in INPUTS.members if kind in section}
    long = {kind: written[kind] for kind in INPUTS.members if kind in written}
    for kind in long:
        if long[kind] is not None and short.get(kind) is not None:
            raise ValueError(f"inputs.{kind}: is written in short too, as {kind}; keep one of the two")
    given = {**short, **long}
    found = {kind: given[kind] for kind in INPUTS.members if kind in given}
    found |= {name: value for name, value in written.items() if name not in found}
    return {**rest, "inputs": {name: value for name, value in found.items() if value is not None}}


def unfold(section: Mapping[str, Any]) -> dict[str, Any]:
    """The section with the short form of every input that has one; null where there is no input of that name."""
    inputs = section["inputs"]
    short = {kind: inputs[kind] if is_short(kind, inputs.get(kind)) else None for kind in INPUTS.members}
    rest = {name: value for name, value in inputs.items() if short.get(name) is None}
    unfolded: dict[str, Any] = {}
    for key, value in section.items():
        unfolded |= {**_plain(short), **({key: rest} if rest else {})} if key == "inputs" else {key: value}
    return unfolded


def is_short(name: str, value: Any) -> bool:
    """Whether an input is called like its kind."""
    kind = value.get("kind") if isinstance(value, Mapping) else getattr(value, "kind", None)
    return kind == name and name in INPUTS.members


def field_of(name: str, value: Any) -> str:
    """What errors call an input: `data.image`, or `data.inputs.photo`. value: its config or spec."""
    return f"data.{name}" if is_short(name, value) else f"data.inputs.{name}"


def _kind(kind: str, value: Any) -> Any:
    return {"kind": kind, **value} if isinstance(value, Mapping) else value


def _plain(short: Mapping[str, Any]) -> dict[str, Any]:
    """The kind is the name itself."""
    return {
        name: None if value is None else {key: v for key, v in value.items() if key != "kind"}
        for name, value in short.items()
    }
