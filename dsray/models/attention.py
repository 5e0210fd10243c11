"""Self-attention that ignores masked tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Attention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017); tokens (batch, tokens, width) in and out."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads, self.size = heads, width // heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """mask: (batch, tokens) bool, False where a token must not be looked at."""
        rows, length, width = tokens.shape
        query, key, value = (
            self.qkv(tokens).reshape(rows, length, 3, self.heads, self.size).permute(2, 0, 3, 1, 4).unbind(0)
        )
        if torch.jit.is_tracing():  # the exported graph: products that a quantiser knows
            scores = (query * self.size**-0.5) @ key.transpose(-1, -2)
            mixed = scores.masked_fill(~mask[:, None, None, :], float("-inf")).softmax(dim=-1) @ value
        else:
            mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, None, :])
        answer: Tensor = self.out(mixed.transpose(1, 2).reshape(rows, length, width))
        return answer
