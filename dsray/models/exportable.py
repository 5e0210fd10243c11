"""The evaluation-mode model in operations that an exporter can trace: nonzero, gather, compute, scatter.

The grouped product with offsets has no counterpart in ONNX, so every expert is called on the rows that chose it, which
may be none. Nothing branches in Python on data.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dsray.base.routed import Exportable
from dsray.models.experts import Experts
from dsray.models.parts import RoutedParts
from dsray.models.trunk import Block


class ExportableModel(Exportable):
    """forward(*inputs, *present) -> logits (batch, outputs), blocks_run (batch,) int64."""

    outputs = ("logits", "blocks_run")

    def __init__(self, model: RoutedParts):
        super().__init__()
        self.model = model
        self.present = tuple(model.encoders)
        self.tensors = tuple(tensor for name in self.present for tensor in model.tensors[name])
        self.experts = nn.ModuleList(
            ExportableExperts(block.experts) if block.experts is not None else nn.Identity() for block in model.trunk
        )

    def forward(self, *values: Tensor) -> tuple[Tensor, Tensor]:
        inputs = dict(zip(self.tensors, values, strict=False))
        present = dict(zip(self.present, values[len(self.tensors) :], strict=True))
        tokens, mask = self.model.stem(inputs, present)
        going = torch.arange(tokens.shape[0], device=tokens.device)
        depth = self.model.depth
        done, answers, ran = [], [], []
        for number in range(1, depth.limit + 1):
            tokens = self._block(number - 1, tokens, mask)
            last = number == depth.limit
            if not (last or number in depth.exits):
                continue
            logits = self.model.exit_logits(number, tokens)
            if last:
                done.append(going)
                answers.append(logits)
                ran.append(torch.full_like(going, number))
                break
            leaves = depth.leaves(self.model.likelihood.exit_confidence(logits))
            out, stay = leaves.nonzero().squeeze(1), (~leaves).nonzero().squeeze(1)
            done.append(going.index_select(0, out))
            answers.append(logits.index_select(0, out))
            ran.append(torch.full_like(done[-1], number))
            going, tokens, mask = (t.index_select(0, stay) for t in (going, tokens, mask))
        back = inverse(torch.cat(done))
        return torch.cat(answers).index_select(0, back), torch.cat(ran).index_select(0, back)

    def _block(self, index: int, tokens: Tensor, mask: Tensor) -> Tensor:
        block: Block = self.model.trunk.blocks[index]  # type: ignore[assignment]
        tokens = tokens + block.attention(block.norm1(tokens), mask)
        normed = block.norm2(tokens)
        if block.up is not None and block.down is not None:
            tokens = tokens + block.down(F.gelu(block.up(normed)))
        if block.experts is not None:
            tokens = tokens + self.experts[index](normed, mask)
        return tokens


class ExportableExperts(nn.Module):
    """`Experts` with one pair of linear layers for each expert."""

    def __init__(self, experts: Experts):
        super().__init__()
        self.source = experts
        self.up = nn.ModuleList(_linear(w, b) for w, b in zip(experts.up, experts.up_bias, strict=True))
        self.down = nn.ModuleList(_linear(w, b) for w, b in zip(experts.down, experts.down_bias, strict=True))

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        rows, length, width = tokens.shape
        chosen, weight = self.source.choose(tokens, mask)
        units = tokens if self.source.config.per == "sample" else tokens.reshape(rows * length, 1, width)
        mixed = torch.zeros_like(units)
        for slot in range(self.source.config.top_k):
            mixed = mixed + self._slot(units, chosen[:, slot]) * weight[:, slot, None, None]
        return mixed.reshape(rows, length, width)

    def _slot(self, units: Tensor, expert: Tensor) -> Tensor:
        """Each unit through its one expert of this slot."""
        sets = [(expert == e).nonzero().squeeze(1) for e in range(len(self.up))]
        answers = [
            down(F.gelu(up(units.index_select(0, rows))))
            for rows, up, down in zip(sets, self.up, self.down, strict=True)
        ]
        return torch.cat(answers).index_select(0, inverse(torch.cat(sets)))


def inverse(order: Tensor) -> Tensor:
    """The permutation that undoes `order`, both (n,) int64."""
    return torch.zeros_like(order).scatter(0, order, torch.arange(order.shape[0], device=order.device))


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    """weight (in, out), bias (out,) as a linear layer."""
    layer = nn.Linear(weight.shape[0], weight.shape[1])
    layer.weight = nn.Parameter(weight.detach().T.contiguous(), requires_grad=False)
    layer.bias = nn.Parameter(bias.detach().clone(), requires_grad=False)
    return layer
