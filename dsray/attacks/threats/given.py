"""The threat that a caller means who has no schema at hand: by its kind, by its config, or none at all."""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from dsray.attacks.threats import AnyThreat
from dsray.attacks.threats.linf import LinfConfig
from dsray.attacks.threats.threat import Movable, Threat, ThreatConfig
from dsray.base import RequestError, explain
from dsray.base.batch import Batch

Given = Threat | ThreatConfig | str | None
"""A threat, its config, its kind ("l2"), or None for L-inf."""


class Numbers(NamedTuple):
    """A tensor of which nothing else is known: that of an image, as far as sentences go. shape: of a row."""

    shape: tuple[int, ...]
    range: tuple[float, float] | None = (0.0, 1.0)
    element: str = "pixel"


def config_of(threat: ThreatConfig | str | None) -> ThreatConfig:
    """The config that is meant. Raises RequestError for an unknown kind."""
    if isinstance(threat, ThreatConfig):
        return threat
    if threat is None:
        return LinfConfig()
    adapter: TypeAdapter[Any] = TypeAdapter(AnyThreat)
    try:
        config: ThreatConfig = adapter.validate_python(threat)
    except ValidationError as error:
        raise RequestError(explain(error, "threat")) from None
    return config


def threat_to(batch: Batch, threat: Given) -> Threat:
    """The threat to the rows of a batch; what no schema says is taken to be so: floats lie in [0, 1] and may move."""
    if isinstance(threat, Threat):
        return threat
    inputs: dict[str, dict[str, Movable]] = {}
    for flat, values in batch.inputs.items():
        name, _, part = flat.partition("/")
        moves = (0.0, 1.0) if values.is_floating_point() else None
        inputs.setdefault(name, {})[part] = Numbers(tuple(values.shape[1:]), moves)
    if not any(tensor.range for parts in inputs.values() for tensor in parts.values()):
        raise RequestError(f"attack: needs floats to move; the batch has {', '.join(batch.inputs) or 'no input'}")
    return config_of(threat).on(inputs)
