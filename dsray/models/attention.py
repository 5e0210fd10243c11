"""Self-attention that ignores masked tokens."""

from __future__ import annotations

from torch import Tensor, nn


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
        scores = (query * self.size**-0.5) @ key.transpose(-1, -2)
        weights = scores.masked_fill(~mask[:, None, None, :], float("-inf")).softmax(dim=-1)
        mixed: Tensor = self.out((weights @ value).transpose(1, 2).reshape(rows, length, width))
        return mixed
