"""Schema: what a prepared data set looks like to a model, and how a raw instance becomes one of its rows.

It is plain data (tokenisers included), so an artefact carries it and serving needs nothing else.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from dsray.base import Config
from dsray.inputs import AnySpec, TensorSpec, flat
from dsray.inputs.short import fold


class Schema(Config):
    """Inputs by name, label column and class names (index = target)."""

    inputs: dict[str, AnySpec] = Field(
        description="name -> what is known of the input; encoders read them in this order"
    )
    label: str
    classes: tuple[str, ...]
    label_names: tuple[str, ...] = Field(
        (), description="names of the numbers 0, 1, ... in the label column, where the training files gave them"
    )

    @model_validator(mode="before")
    @classmethod
    def _of_an_earlier_version(cls, data: Any) -> Any:
        return fold(data) if isinstance(data, dict) and "inputs" not in data else data

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the inputs, in order."""
        return tuple(self.inputs)

    @property
    def tensors(self) -> dict[str, TensorSpec]:
        """Every tensor that a model reads, by its name in batches: `photo`, `visit/number`."""
        return {flat(name, part): spec for name in self.inputs for part, spec in self.inputs[name].tensors.items()}

    def of(self, name: str) -> tuple[str, ...]:
        """The tensors of one input, in the order in which an encoder takes them."""
        return tuple(flat(name, part) for part in self.inputs[name].tensors)
