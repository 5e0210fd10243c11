"""Schema: what a prepared data set looks like to a model, and how a raw instance becomes one of its rows.

It is plain data (tokenisers included), so an artefact carries it and serving needs nothing else.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from dsray.base import Config
from dsray.inputs import AnySpec, TensorSpec, flat
from dsray.inputs.short import fold
from dsray.targets import AnyTargetSpec


class Schema(Config):
    """Inputs by name, and the target."""

    inputs: dict[str, AnySpec] = Field(
        description="name -> what is known of the input; encoders read them in this order"
    )
    target: AnyTargetSpec = Field(description="what is known of the target")

    @model_validator(mode="before")
    @classmethod
    def _of_an_earlier_version(cls, data: Any) -> Any:
        """0.2 knew an image and a text alone, and 0.3 classes alone."""
        if not isinstance(data, dict):
            return data
        found = fold(data) if "inputs" not in data else dict(data)
        if "target" not in found and "classes" in found:
            target = {"kind": "classes", "column": found.pop("label", None), "classes": found.pop("classes")}
            found["target"] = target | {"names": found.pop("label_names", ())}
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the inputs, in order."""
        return tuple(self.inputs)

    @property
    def tensors(self) -> dict[str, TensorSpec]:
        """Every tensor that a model reads, by its name in batches: `photo`, `visit/number`."""
        return {flat(name, part): spec for name in self.inputs for part, spec in self.inputs[name].tensors.items()}

    def uncalibrated(self) -> Schema:
        """As it was learnt from the training rows, without what is chosen on validation rows for one model."""
        return self.replace(target=self.target.uncalibrated())

    def of(self, name: str) -> tuple[str, ...]:
        """The tensors of one input, in the order in which an encoder takes them."""
        return tuple(flat(name, part) for part in self.inputs[name].tensors)
