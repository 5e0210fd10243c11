"""One of several values."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import Field, model_validator

from dsray.spaces.space import Draw, SpaceConfig


class ChoiceSpace(SpaceConfig):
    """One of several values; a value may be a whole node with a kind."""

    kind: Literal["choice"] = "choice"
    options: tuple[Any, ...] = Field(min_length=2, description="what can be chosen, as it would stand in the file")

    @model_validator(mode="after")
    def _differ(self) -> ChoiceSpace:
        if len({_text(option) for option in self.options}) < len(self.options):
            raise ValueError("options must differ from each other")
        return self

    @property
    def labels(self) -> list[Any]:
        """What the options are called in tables: plain values themselves, nodes by kind or by number."""
        named = [o.get("kind") if isinstance(o, dict) else None for o in self.options]
        return [
            o
            if isinstance(o, str | int | float | bool)
            else named[i]
            if named[i] and named.count(named[i]) == 1 and named[i] not in self.options
            else f"option {i}"
            for i, o in enumerate(self.options)
        ]

    def draw(self, source: Draw, name: str) -> Any:
        chosen = source.suggest_categorical(name, self.labels)
        return self.options[[_text(label) for label in self.labels].index(_text(chosen))]

    def probes(self) -> list[Any]:
        return list(self.options)

    def parameters_of(self, node: Any, name: str) -> dict[str, Any] | None:
        same = [label for label, o in zip(self.labels, self.options, strict=True) if _says(o, node)]
        return {name: same[0]} if same else None


def _says(option: Any, node: Any) -> bool:
    """Whether `node`, with all its defaults written out, is what the shorter `option` stands for."""
    if isinstance(option, dict) and isinstance(node, dict):
        return all(key in node and _says(value, node[key]) for key, value in option.items())
    return _text(option) == _text(node) or (isinstance(node, dict) and option == node.get("kind"))


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
