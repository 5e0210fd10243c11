"""Every row runs every block."""

from __future__ import annotations

from typing import Literal

from dsray.models.depth.base import Depth, DepthConfig


class FullConfig(DepthConfig):
    """Every row runs every block."""

    kind: Literal["full"] = "full"

    def build(self, blocks: int) -> Depth:
        return Depth(exits=(), limit=blocks, threshold=1.0)
