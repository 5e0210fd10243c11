"""What a routed model is made of, and how a row enters it and leaves it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from dsray.base.likelihood import Likelihood
from dsray.base.routed import Routed
from dsray.models.depth import Depth
from dsray.models.encoders import Encoder
from dsray.models.trunk import Trunk, TrunkConfig


class RoutedParts(Routed):
    """Encoders, one shared projection, trunk and heads; how rows go through the blocks is its subclass's.

    The projection has the width of the first encoder; one of another width has an adapter to it.
    """

    def __init__(
        self,
        encoders: Mapping[str, Encoder],
        tensors: Mapping[str, tuple[str, ...]],
        width: int,
        trunk: TrunkConfig,
        depth: Depth,
        make_head: Callable[[], nn.Module],
        likelihood: Likelihood,
    ):
        """tensors: input -> its tensors, in the order in which its encoder takes them."""
        super().__init__()
        self.depth, self.tensors, self.likelihood = depth, dict(tensors), likelihood
        self.encoders = nn.ModuleDict(dict(encoders))
        shared = next(iter(encoders.values())).width
        self.project = nn.Linear(shared, width)
        others = {name: encoder.width for name, encoder in encoders.items() if encoder.width != shared}
        self.adapters = nn.ModuleDict({name: nn.Linear(own, shared) for name, own in others.items()})
        self.modality = nn.ParameterDict({name: nn.Parameter(torch.empty(width)) for name in encoders})
        self.answer = nn.Parameter(torch.empty(width))
        for vector in (*self.modality.values(), self.answer):
            nn.init.normal_(vector, std=0.02)
        self.trunk = Trunk(width, trunk)
        self.exits = nn.ModuleDict({str(block): make_head() for block in depth.exits})
        self.head = make_head()

    def stem(self, inputs: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Tokens (batch, tokens, width), the answer token first, and mask (batch, tokens) of those that exist.

        An input whose tensors are not in `inputs` is missing in every row; the content of a missing one is not looked at.
        """
        rows = next(iter(inputs.values())).shape[0]
        tokens = [self.answer.expand(rows, 1, -1)]
        masks = [torch.ones(rows, 1, dtype=torch.bool, device=self.answer.device)]
        for name, encoder in self.encoders.items():
            values = [inputs[tensor] for tensor in self.tensors[name] if tensor in inputs]
            if len(values) < len(self.tensors[name]):
                continue
            mask = encoder.mask(*values)  # type: ignore[operator]
            masks.append(mask & present[name][:, None] if name in present else mask)
            own = encoder(*values)
            own = self.adapters[name](own) if name in self.adapters else own
            encoded = self.project(own) + self.modality[name]
            tokens.append(encoded.masked_fill(~masks[-1][..., None], 0.0))
        return torch.cat(tokens, 1), torch.cat(masks, 1)

    def answers_after(self, block: int) -> bool:
        """Whether block number `block` (1 is the first) is followed by an exit head, or by the final one."""
        return block in self.depth.exits or block == len(self.trunk.blocks)

    def exit_logits(self, block: int, tokens: Tensor) -> Tensor:
        """Logits after block number `block` (1 is the first): its exit head, or the final head after the last."""
        head: nn.Module = self.exits[str(block)] if str(block) in self.exits else self.head
        return head(tokens)
