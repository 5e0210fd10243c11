"""What every model is, seen from the experiment: a config that builds something that answers by the protocol `Routed`."""

from __future__ import annotations

from dsray.base import Plugin
from dsray.base.routed import Routed
from dsray.data.schema import Schema


class ModelConfig(Plugin):
    """Base of the models.

    `build` only makes the module: it works on the meta device too, where plans are made and models are read back. Weights
    that exist already come in `pretrained`.
    """

    @property
    def blocks(self) -> int:
        """Consecutive blocks into which the pieces of a pipeline may cut it; 0 for a model that is not cut."""
        return 0

    def build(self, schema: Schema) -> Routed:
        """The untrained model for the inputs and classes of `schema`."""
        raise NotImplementedError

    def pretrained(self, model: Routed) -> None:
        """Give an untrained model the weights that it brings along; called once, where a new training begins."""
