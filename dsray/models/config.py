"""The `model` section of an experiment; a new kind of model is one file and one name in `AnyModel`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from dsray.base import RequestError, one_of
from dsray.base.routed import Routed
from dsray.data.schema import Schema
from dsray.models.base import ModelConfig
from dsray.models.depth import AnyDepth, EarlyExitConfig
from dsray.models.encoders import EncodersConfig
from dsray.models.heads import AnyHead, ClassificationConfig
from dsray.models.model import RoutedModel
from dsray.models.plain import adapter
from dsray.models.trunk import TrunkConfig


class RoutedConfig(ModelConfig):
    """Encoders, one shared projection, routed trunk, head."""

    kind: Literal["routed"] = "routed"
    width: int = Field(64, ge=8, multiple_of=8, description="width of the common space")
    encoders: EncodersConfig = EncodersConfig()
    trunk: TrunkConfig = TrunkConfig()
    depth: AnyDepth = Field(EarlyExitConfig(), description="which blocks a row runs")
    head: AnyHead = ClassificationConfig()

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

    def build(self, schema: Schema) -> RoutedModel:
        if len({getattr(self.encoders, name).width for name in schema.names}) > 1:
            raise RequestError("model.encoders: one projection serves all, so their widths must be equal")
        encoders = {name: getattr(self.encoders, name).build(spec) for name, spec in schema.inputs.items()}
        depth = self.depth.build(self.trunk.blocks)
        return RoutedModel(
            encoders, self.width, self.trunk, depth, lambda: self.head.build(self.width, len(schema.classes))
        )

    def pretrained(self, model: Routed) -> None:
        for name, encoder in model.get_submodule("encoders").named_children():
            getattr(self.encoders, name).pretrained(encoder)


AnyModel = Annotated[ModelConfig, one_of(RoutedConfig, default="routed", adapter=adapter)]
