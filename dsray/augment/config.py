"""The `augment` section of an experiment file; a new operation is one file and one name in `AnyOperation`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from dsray.augment.gaussian_noise import GaussianNoiseConfig
from dsray.augment.operation import OperationConfig
from dsray.augment.shift import ShiftConfig
from dsray.base import Config, RequestError, one_of
from dsray.data.schema import Schema
from dsray.inputs import InputSpec

if TYPE_CHECKING:
    from dsray.base.protocols import Operation

AnyOperation = Annotated[OperationConfig, one_of(GaussianNoiseConfig, ShiftConfig)]


class AugmentConfig(Config):
    """The `augment` section: what happens to each training row each time it is drawn."""

    operations: tuple[AnyOperation, ...] = Field((), description="operations in order; none: rows stay as they are")

    def choose(self, inputs: Mapping[str, type[InputSpec]]) -> list[tuple[str, ...]]:
        """The inputs that each operation changes, as `OperationConfig.choose` says; a ValueError names the field."""
        chosen = []
        for i, operation in enumerate(self.operations):
            try:
                chosen.append(operation.choose(inputs))
            except ValueError as error:
                raise ValueError(f"augment.operations.{i}.{error}") from None
        return chosen

    def build(self, schema: Schema) -> list[Operation]:
        """The operations on the inputs of a schema. A RequestError where one finds none of its own there."""
        try:
            chosen = self.choose({name: type(spec) for name, spec in schema.inputs.items()})
        except ValueError as error:
            raise RequestError(str(error)) from None
        return [
            operation.build({tensor: schema.tensors[tensor] for name in names for tensor in schema.of(name)})
            for operation, names in zip(self.operations, chosen, strict=True)
        ]
