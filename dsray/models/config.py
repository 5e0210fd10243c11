"""The `model` section of an experiment; a new kind of model is one file and one name in `AnyModel`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Literal, cast

from pydantic import Field, ValidationError, model_validator

from dsray.base import RequestError, one_of
from dsray.base.routed import Routed
from dsray.data.schema import Schema
from dsray.inputs import InputSpec
from dsray.models.base import ModelConfig
from dsray.models.chosen import encoder_of, filled
from dsray.models.depth import AnyDepth, EarlyExitConfig
from dsray.models.encoders import AnyEncoder, Encoder
from dsray.models.heads import AnyHead, LinearHeadConfig
from dsray.models.model import RoutedModel
from dsray.models.plain import adapter
from dsray.models.trunk import TrunkConfig


class RoutedConfig(ModelConfig):
    """Encoders, one shared projection, routed trunk, head."""

    kind: Literal["routed"] = "routed"
    width: int = Field(64, ge=8, multiple_of=8, description="width of the common space")
    encoders: dict[str, AnyEncoder] = Field({}, description="input -> its encoder; the first that reads it by default")
    trunk: TrunkConfig = TrunkConfig()
    depth: AnyDepth = Field(EarlyExitConfig(), description="which blocks a row runs")
    head: AnyHead = LinearHeadConfig()

    @model_validator(mode="after")
    def _parts_fit(self) -> RoutedConfig:
        if self.width % self.trunk.heads:
            raise ValueError(f"trunk.heads: {self.trunk.heads} do not divide a width of {self.width}")
        try:
            self.depth.check(self.trunk.blocks)
        except ValidationError as error:
            fault = error.errors()[0]
            raise ValueError(f"depth.{'.'.join(map(str, fault['loc']))}: {fault['msg']}") from None
        return self

    @property
    def blocks(self) -> int:
        return self.trunk.blocks

    def for_inputs(self, kinds: Mapping[str, type[InputSpec] | None]) -> RoutedConfig:
        return self.replace(encoders=filled(self.encoders, kinds))

    def build(self, schema: Schema) -> RoutedModel:
        encoders = {name: self._encoder(name, spec) for name, spec in schema.inputs.items()}
        tensors = {name: schema.of(name) for name in encoders}
        depth = self.depth.build(self.trunk.blocks)
        target = schema.target
        make_head = partial(self.head.build, self.width, target.outputs)
        return RoutedModel(encoders, tensors, self.width, self.trunk, depth, make_head, target.likelihood())

    def _encoder(self, name: str, spec: InputSpec) -> Encoder:
        try:
            config = encoder_of(name, type(spec), self.encoders)
        except ValueError as error:
            raise RequestError(str(error)) from None
        try:
            return config.build(spec)
        except RequestError as error:
            raise RequestError(f"model.encoders.{name}.{error}") from None

    def pretrained(self, model: Routed) -> None:
        for name, encoder in cast(RoutedModel, model).encoders.items():
            if name in self.encoders:  # a default brings nothing along
                self.encoders[name].pretrained(cast(Encoder, encoder))


AnyModel = Annotated[ModelConfig, one_of(RoutedConfig, default="routed", adapter=adapter)]
