"""What every head is: the answer token -> logits."""

from __future__ import annotations

from torch import nn

from dsray.base import Plugin


class HeadConfig(Plugin):
    """Base of all heads. The final head and every early exit are built by the same config."""

    def build(self, width: int, classes: int) -> nn.Module:
        """A module from tokens (batch, tokens, width), the answer token first, to logits (batch, classes)."""
        raise NotImplementedError
