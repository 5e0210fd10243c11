"""Rows leave the trunk as soon as a head is confident (BranchyNet, Teerapittayanon et al. 2016)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dsray.models.depth.base import Depth, DepthConfig


class EarlyExitConfig(DepthConfig):
    """Deeply supervised exit heads; a row leaves at the first exit that is confident enough."""

    kind: Literal["early_exit"] = "early_exit"
    exits: tuple[int, ...] = Field((1, 2), min_length=1, description="exit after these blocks, 1 is the first block")
    threshold: float = Field(
        0.9,
        gt=0,
        le=1,
        description="confidence at which a row leaves, the model's own probability that its answer is right",
    )
    cap: int | None = Field(
        None, ge=1, description="most blocks that any row may run, an exit or the number of blocks; null: all"
    )

    def check(self, blocks: int) -> None:
        for layer in self.exits:
            if not 1 <= layer < blocks:
                raise self.refuse(
                    "exits", layer, f"exit layer beyond the trunk of {blocks} blocks; exits lie in 1 to {blocks - 1}"
                )
        if list(self.exits) != sorted(set(self.exits)):
            raise self.refuse("exits", self.exits, f"must ascend without repeats, as {sorted(set(self.exits))} does")
        if self.cap is not None and self.cap not in (*self.exits, blocks):
            raise self.refuse(
                "cap", self.cap, f"rows can stop only at an exit or at the end, {(*self.exits, blocks)} blocks"
            )

    def build(self, blocks: int) -> Depth:
        return Depth(self.exits, blocks if self.cap is None else self.cap, self.threshold)
