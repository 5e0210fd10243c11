"""Dotted overrides: `train.epochs=3 adversarial.stages.0.attack.steps=10` on a resolved experiment."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import yaml

from dsray.base import RequestError

_LENGTHS = {"steps": "epochs", "epochs": "steps"}
"""One length of a stretch replaces the other."""


def parse_override(text: str) -> tuple[str, Any]:
    """`path=value` with the value in YAML."""
    path, equals, value = text.partition("=")
    if not equals or not all(key.strip() for key in path.split(".")):
        raise RequestError(f"override: '{text}' is not key=value; write for example train.epochs=3")
    try:
        return path.strip(), yaml.safe_load(value)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise RequestError(f"{path.strip()}: '{value}' is not valid YAML") from None


def apply_overrides(tree: dict[str, Any], overrides: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """A copy of `tree` with each path set. A new `kind` drops the keys of the old kind beside it."""
    tree = copy.deepcopy(tree)
    for path, value in overrides:
        _set(tree, path, value)
    return tree


def merge(base: Any, change: Any) -> Any:
    """`change` laid over `base`, mapping by mapping; lists and values replace, and so does another `kind`."""
    if isinstance(base, str) and isinstance(change, dict):
        base = {"kind": base}  # the shorthand `loss: trades` opens up
    if not (isinstance(base, dict) and isinstance(change, dict)):
        return copy.deepcopy(change)
    if "kind" in change and change["kind"] != base.get("kind"):
        return copy.deepcopy(change)
    lengths = {_LENGTHS[key]: None for key, value in change.items() if key in _LENGTHS and value is not None}
    kept = {key: value for key, value in base.items() if key not in lengths}
    return copy.deepcopy(kept) | {key: merge(base.get(key), value) for key, value in change.items()}


def _set(tree: Any, path: str, value: Any) -> None:
    *parents, last = path.split(".")
    node = tree
    for depth, key in enumerate(parents):
        node = _child(node, key, ".".join(parents[: depth + 1]))
    if isinstance(node, list):
        node[_index(node, last, path)] = value
    elif last == "kind" and value != node.get("kind"):
        node.clear()
        node["kind"] = value
    else:
        node[last] = value
        if value is not None and (other := _LENGTHS.get(last)) in node:
            node[other] = None


def _child(node: Any, key: str, path: str) -> Any:
    place: Any = _index(node, key, path) if isinstance(node, list) else key
    value = node[place] if isinstance(node, list) else node.get(key)
    if isinstance(value, dict | list):
        return value
    if value is not None and not isinstance(value, str):
        raise RequestError(f"{path}: is the value {value!r} and holds no fields; set it as a whole")
    # an absent section, or a shorthand such as `loss: trades`, opens up
    node[place] = {} if value is None else {"kind": value}
    return node[place]


def _index(node: list[Any], key: str, path: str) -> int:
    if not key.isdecimal() or int(key) >= len(node):
        raise RequestError(f"{path}: '{key}' is not a position in a list of {len(node)}")
    return int(key)
