"""Dotted overrides: `train.epochs=3 adversarial.stages.0.attack.steps=10` on a resolved experiment."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import yaml

from dsray.base import RequestError


def parse_override(text: str) -> tuple[str, Any]:
    """`path=value` with the value in YAML."""
    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        raise RequestError(f"override: '{text}' is not key=value; write for example train.epochs=3")
    try:
        return path.strip(), yaml.safe_load(value)
    except yaml.YAMLError:
        raise RequestError(f"{path.strip()}: '{value}' is not valid YAML") from None


def apply_overrides(tree: dict[str, Any], overrides: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """A copy of `tree` with each path set. A new `kind` drops the keys of the old kind beside it."""
    tree = copy.deepcopy(tree)
    for path, value in overrides:
        _set(tree, path, value)
    return tree


def merge(base: Any, change: Any) -> Any:
    """`change` laid over `base`, mapping by mapping; lists and values replace, and so does another `kind`."""
    if not (isinstance(base, dict) and isinstance(change, dict)):
        return copy.deepcopy(change)
    if "kind" in change and change["kind"] != base.get("kind"):
        return copy.deepcopy(change)
    return {**base, **{key: merge(base.get(key), value) for key, value in change.items()}}


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
        other = {"steps": "epochs", "epochs": "steps"}.get(last)
        if other in node and value is not None:
            node[other] = None  # one length replaces the other


def _child(node: Any, key: str, path: str) -> Any:
    if isinstance(node, list):
        return node[_index(node, key, path)]
    if not isinstance(node.get(key), dict | list):
        # an absent section, or a shorthand such as `loss: trades`, opens up
        node[key] = {"kind": node[key]} if isinstance(node.get(key), str) else {}
    return node[key]


def _index(node: list[Any], key: str, path: str) -> int:
    if not key.isdigit() or int(key) >= len(node):
        raise RequestError(f"{path}: '{key}' is not a position in a list of {len(node)}")
    return int(key)
