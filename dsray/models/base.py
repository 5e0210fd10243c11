"""What every model is, seen from the experiment: a config that builds something that answers by the protocol `Routed`."""

from __future__ import annotations

from collections.abc import Mapping

from dsray.base import Plugin
from dsray.base.routed import Routed
from dsray.data.schema import Schema
from dsray.inputs import InputSpec


class ModelConfig(Plugin):
    """Base of the models.

    `build` only makes the module: it works on the meta device too, where plans are made and models are read back. Weights
    that exist already come in `pretrained`.
    """

    @property
    def blocks(self) -> int:
        """Consecutive blocks into which the pieces of a pipeline may cut it; 0 for a model that is not cut."""
        return 0

    def for_inputs(self, kinds: Mapping[str, type[InputSpec] | None]) -> ModelConfig:
        """The config with what it leaves open for these inputs; a ValueError that names the field that does not fit.

        kinds: input -> its kind of spec, None where only its rows tell.
        """
        return self

    def build(self, schema: Schema) -> Routed:
        """The untrained model for the inputs and the target of `schema`."""
        raise NotImplementedError

    def pretrained(self, model: Routed) -> None:
        """Give an untrained model the weights that it brings along; called once, where a new training begins."""
