"""RoutedModel: encoders -> one shared projection -> routed trunk -> head."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from dsray.base.batch import Batch
from dsray.base.protocols import Output
from dsray.models.depth import Depth
from dsray.models.encoders import ModalityEncoder
from dsray.models.exportable import ExportableModel
from dsray.models.trunk import Trunk, TrunkConfig


class RoutedModel(nn.Module):
    """Any subset of the modalities in, logits out; a row runs only the blocks and experts that it needs.

    In training mode every block runs and every exit answers. In evaluation mode a row leaves at the first exit that is
    confident, and what it skips is not computed. The forward pass is pure: router state changes only in `balance`.
    """

    def __init__(
        self,
        encoders: Mapping[str, ModalityEncoder],
        width: int,
        trunk: TrunkConfig,
        depth: Depth,
        make_head: Callable[[], nn.Module],
    ):
        super().__init__()
        self.depth = depth
        self.encoders = nn.ModuleDict(dict(encoders))
        self.project = nn.Linear(next(iter(encoders.values())).width, width)
        self.modality = nn.ParameterDict({name: nn.Parameter(torch.empty(width)) for name in encoders})
        self.answer = nn.Parameter(torch.empty(width))
        for vector in (*self.modality.values(), self.answer):
            nn.init.normal_(vector, std=0.02)
        self.trunk = Trunk(width, trunk)
        self.exits = nn.ModuleDict({str(block): make_head() for block in depth.exits})
        self.head = make_head()

    def forward(self, inputs: Mapping[str, Tensor], present: Mapping[str, Tensor], *, full: bool = False) -> Output:
        """inputs, present: as in `Batch`. full: run every block for every row also in evaluation mode."""
        tokens, mask = self.stem(inputs, present)
        return self._all_blocks(tokens, mask) if self.training or full else self._leaving(tokens, mask)

    def classify(self, batch: Batch) -> Tensor:
        """(batch, classes): the answer's logits."""
        return self(batch.inputs, batch.present).logits

    def classify_at_exits(self, batch: Batch) -> tuple[Tensor, ...]:
        """(batch, classes) logits of every exit head in order of depth, the last one final; no row leaves early."""
        return self(batch.inputs, batch.present, full=True).exits

    def stem(self, inputs: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Tokens (batch, tokens, width), the answer token first, and mask (batch, tokens) of those that exist.

        A modality that is not in `inputs` is missing in every row; the content of a missing one is not looked at.
        """
        rows = next(iter(inputs.values())).shape[0]
        tokens = [self.answer.expand(rows, 1, -1)]
        masks = [torch.ones(rows, 1, dtype=torch.bool, device=self.answer.device)]
        for name, encoder in self.encoders.items():
            if name not in inputs:
                continue
            values = inputs[name]
            mask = encoder.mask(values)  # type: ignore[operator]
            masks.append(mask & present[name][:, None] if name in present else mask)
            encoded = self.project(encoder(values)) + self.modality[name]
            tokens.append(encoded.masked_fill(~masks[-1][..., None], 0.0))
        return torch.cat(tokens, 1), torch.cat(masks, 1)

    def answers_after(self, block: int) -> bool:
        """Whether block number `block` (1 is the first) is followed by an exit head, or by the final one."""
        return block in self.depth.exits or block == len(self.trunk.blocks)

    def exit_logits(self, block: int, tokens: Tensor) -> Tensor:
        """Logits after block number `block` (1 is the first): its exit head, or the final head after the last."""
        head: nn.Module = self.exits[str(block)] if str(block) in self.exits else self.head
        return head(tokens)

    def balance(self, load: Tensor) -> None:
        """Update the routers that learn after a batch. load: (blocks, experts), summed over workers."""
        for block, of_block in zip(self.trunk, load, strict=True):
            if block.experts is not None and block.experts.router.weight.requires_grad:
                block.experts.balance(of_block)

    def exportable(self) -> ExportableModel:
        """The same evaluation-mode function in operations that an exporter can trace, routing included."""
        return ExportableModel(self)

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
            leaves = torch.ones_like(going, dtype=torch.bool) if last else self.depth.leaves(logits)
            done.append(going[leaves])
            answers.append(logits[leaves])
            ran[going[leaves]] = number
            stays = ~leaves
            going, tokens, mask = going[stays], tokens[stays], mask[stays]
        logits = torch.cat(answers)[torch.cat(done).argsort()]
        return Output(logits, (), ran, torch.stack(loads))
