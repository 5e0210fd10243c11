"""RoutedModel: encoders -> one shared projection -> routed trunk -> head."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import cast, final

import torch
from torch import Tensor

from dsray.base.protocols import Output
from dsray.base.routed import Routing
from dsray.models.encoders import Encoder
from dsray.models.exportable import ExportableModel
from dsray.models.parts import RoutedParts
from dsray.models.pieces import RoutedPiece, piece_of

NUMBERS = 14
"""Numbers of the width of a token that a block keeps of each token for the backward pass, about."""


@final
class RoutedModel(RoutedParts):
    """Any subset of the inputs in, logits out; a row runs only the blocks and experts that it needs.

    In training mode every block runs and every exit answers. In evaluation mode a row leaves at the first exit that is
    confident, and what it skips is not computed. The forward pass is pure: router state changes only in `balance`.
    """

    @property
    def routing(self) -> Routing:
        depth, trunk = self.depth, self.trunk
        return Routing(len(trunk.blocks), trunk.experts, depth.limit, depth.threshold if depth.exits else None)

    def forward(self, inputs: Mapping[str, Tensor], present: Mapping[str, Tensor], *, full: bool = False) -> Output:
        tokens, mask = self.stem(inputs, present)
        return self._all_blocks(tokens, mask) if self.training or full else self._leaving(tokens, mask)

    def balance(self, load: Tensor) -> None:
        for block, of_block in zip(self.trunk, load, strict=True):
            if block.experts is not None and block.experts.router.weight.requires_grad:
                block.experts.balance(of_block)

    @contextmanager
    def without_exits(self) -> Iterator[None]:
        depth = self.depth
        self.depth = replace(depth, threshold=2.0)  # no probability reaches it
        try:
            yield
        finally:
            self.depth = depth

    def exportable(self) -> ExportableModel:
        return ExportableModel(self)

    def piece(self, index: int, pieces: int) -> RoutedPiece:
        return RoutedPiece(self, index, pieces)

    def piece_of(self, name: str, pieces: int) -> int:
        return piece_of(name, len(self.trunk.blocks), pieces)

    def activations(self) -> int:
        tokens = 1 + sum(cast(Encoder, encoder).tokens for encoder in self.encoders.values())
        return tokens * self.answer.numel() * NUMBERS * len(self.trunk.blocks)

    def idle_parameters(self) -> int:
        idle = 0
        for block in self.trunk:
            if block.experts is not None:
                config = block.experts.config
                routed = sum(p.numel() for name, p in block.experts.named_parameters() if not name.startswith("router"))
                idle += routed * (config.count - config.top_k) // config.count
        return idle

    def _all_blocks(self, tokens: Tensor, mask: Tensor) -> Output:
        exits, loads = [], []
        blocks = len(self.trunk.blocks)
        for number, block in enumerate(self.trunk, 1):
            tokens, load = block(tokens, mask)
            loads.append(load)
            if self.answers_after(number):
                exits.append(self.exit_logits(number, tokens))
        ran = torch.full((len(tokens),), blocks, dtype=torch.int64, device=tokens.device)
        return Output(exits[-1], tuple(exits), ran, torch.stack(loads))

    def _leaving(self, tokens: Tensor, mask: Tensor) -> Output:
        """Rows that are done are taken out; the others are gathered and go on."""
        rows = len(tokens)
        going = torch.arange(rows, device=tokens.device)
        ran = torch.zeros(rows, dtype=torch.int64, device=tokens.device)
        done, answers, loads = [], [], []
        for number, block in enumerate(self.trunk, 1):
            if len(going) == 0 or number > self.depth.limit:
                loads.append(self.trunk.no_load(tokens.device))
                continue
            tokens, load = block(tokens, mask)
            loads.append(load)
            last = number == self.depth.limit
            if not (last or number in self.depth.exits):
                continue
            logits = self.exit_logits(number, tokens)
            leaves = (
                torch.ones_like(going, dtype=torch.bool)
                if last
                else self.depth.leaves(self.likelihood.exit_confidence(logits))
            )
            done.append(going[leaves])
            answers.append(logits[leaves])
            ran[going[leaves]] = number
            stays = ~leaves
            going, tokens, mask = going[stays], tokens[stays], mask[stays]
        logits = torch.cat(answers)[torch.cat(done).argsort()]
        return Output(logits, (), ran, torch.stack(loads))
