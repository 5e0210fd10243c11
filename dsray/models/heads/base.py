"""What every head is: the answer token -> logits."""

from __future__ import annotations

from torch import nn

from dsray.base import Plugin


class HeadConfig(Plugin):
    """Base of all heads. The final head and every early exit are built by the same config, each a module of its own."""

    def build(self, width: int, outputs: int) -> nn.Module:
        """A module from tokens (batch, tokens, width), the answer token first, to logits (batch, outputs).

        outputs: as many numbers as the kind of target asks for, `TargetSpec.outputs`.

        It reads the answer token alone: which of the others are padding or missing, it is not told.
        """
        raise NotImplementedError
