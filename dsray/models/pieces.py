"""A routed model cut into consecutive pieces, one per process of a pipeline."""

from __future__ import annotations

import torch
from torch import Tensor

from dsray.base.batch import Batch
from dsray.base.routed import Piece
from dsray.models.parts import RoutedParts


class RoutedPiece(Piece):
    """Some consecutive blocks of a model in training mode; the first piece begins with the stem.

    Between pieces travel the tokens, their mask, and the logits of every exit so far; the last piece gives all exits.
    loads: per pass, the (experts,) load of each of the piece's blocks.
    """

    def __init__(self, model: RoutedParts, index: int, pieces: int):
        super().__init__()
        self.model = model
        blocks = len(model.trunk.blocks)
        self.blocks = range(blocks * index // pieces, blocks * (index + 1) // pieces)
        self.first, self.last = index == 0, index == pieces - 1
        self.inputs: tuple[str, ...] = ()
        self.present: tuple[str, ...] = ()
        self.loads: list[list[Tensor]] = []

    def pack(self, batch: Batch) -> tuple[Tensor, ...]:
        self.inputs, self.present = tuple(batch.inputs), tuple(batch.present)
        return (*batch.inputs.values(), *batch.present.values()) if self.first else ()

    def forward(self, *carried: Tensor) -> tuple[Tensor, ...]:
        """(tokens, mask, logits of each exit so far), or from the last piece the logits of each exit."""
        # A pipeline carries bare tensors by position, hence the names that `pack` notes. The logits of early exits travel
        # on to the last piece, although nothing there reads them but the loss: the loss stands in one place, and the
        # gradient of an exit comes back to its own piece by the way that its logits went.
        if self.first:
            values = dict(zip(self.inputs, carried, strict=False))
            tokens, mask = self.model.stem(values, dict(zip(self.present, carried[len(values) :], strict=True)))
            exits: list[Tensor] = []
        else:
            tokens, mask, *exits = carried
        loads = []
        for i in self.blocks:
            tokens, load = self.model.trunk.blocks[i](tokens, mask)
            loads.append(load)
            if self.model.answers_after(i + 1):
                exits.append(self.model.exit_logits(i + 1, tokens))
        self.loads.append(loads)
        return tuple(exits) if self.last else (tokens, mask, *exits)

    def expert_load(self, passes: int) -> Tensor:
        trunk = self.model.trunk
        load = torch.stack([trunk.no_load(self.model.answer.device)] * len(trunk.blocks))
        for of_pass in self.loads[-passes:]:  # before the first of a schedule, torch runs one to learn the shapes
            for block, counts in zip(self.blocks, of_pass, strict=True):
                load[block] += counts
        return load

    def forget(self) -> None:
        self.loads = []


def piece_of(name: str, blocks: int, pieces: int) -> int:
    """Which of `pieces` holds the parameter or buffer called `name` of a model of `blocks` blocks."""
    words = name.split(".")
    if words[0] == "head":
        return pieces - 1
    block = {"trunk": lambda: int(words[2]), "exits": lambda: int(words[1]) - 1}.get(words[0], lambda: 0)()
    return next(p for p in range(pieces) if block < blocks * (p + 1) // pieces)
