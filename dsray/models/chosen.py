"""Which encoder reads which input: the one that the file names, or the first that can."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from dsray.base.errors import nearest
from dsray.inputs import SPECS, InputSpec
from dsray.models.encoders import ENCODERS, EncoderConfig

_TAKEN = {*dir(nn.ModuleDict()), *dir(nn.ParameterDict())}
"""Names that the model's parts cannot have."""


def encoder_of(name: str, kind: type[InputSpec], named: Mapping[str, EncoderConfig]) -> EncoderConfig:
    """The encoder of the input `name`, whose spec is a `kind`; a ValueError where none, or another, reads it.

    named: input -> the encoder that the file names.
    """
    said = str(kind.model_fields["kind"].default)
    if name in _TAKEN:
        raise ValueError(f"data.inputs: '{name}' is a name that models use themselves; use another")
    if (given := named.get(name)) is not None:
        if issubclass(kind, given.reads):
            return given
        raise ValueError(f"model.encoders.{name}: {given.kind} does not read an input of kind {said}")
    if (config := _default(kind)) is None:
        raise ValueError(
            f"model.encoders.{name}: no encoder of dsray reads an input of kind {said}; name one of your own"
        )
    return config


Kinds = Mapping[str, type[InputSpec] | None]
"""Input -> its kind of spec; None where only its rows tell."""


def filled(named: Mapping[str, EncoderConfig], kinds: Kinds) -> dict[str, EncoderConfig]:
    """The encoders that the file names, and those of the inputs for which it names none.

    A ValueError for the name of no input. Those of the built-in kinds, under which inputs are written in short, may stand
    there unused; where all inputs are written so, they are there for every kind.
    """
    for name in named:
        if name not in kinds and name not in SPECS.members:
            raise ValueError(f"model.encoders.{name}: is no input; {nearest(name, list(kinds))}")
    found = dict(named)
    if all(name in SPECS.members and kind is SPECS.members[name] for name, kind in kinds.items()):
        found = {
            name: c for name, kind in SPECS.members.items() if (c := named.get(name) or _default(kind)) is not None
        }
    return {**found, **{name: encoder_of(name, kind, named) for name, kind in kinds.items() if kind is not None}}


def _default(kind: type) -> EncoderConfig | None:
    """The first encoder that reads inputs of a kind."""
    for config in ENCODERS.members.values():
        if issubclass(config, EncoderConfig) and issubclass(kind, config.reads):
            return config.model_validate({})
    return None
