"""How far the true logit lies below the others: what judging attacks climb where a row has one of several classes."""

from __future__ import annotations

import torch
from torch import Tensor

SHARPNESS = 6.0
"""Standard deviation to which `gap` brings the logits of a row; trained networks have 4 to 8."""
FAR = 100.0
"""A logit that is so many times farther below the best than the three best are from each other is that of a class that
the model was told never to answer."""


def gap(logits: Tensor, target: Tensor) -> Tensor:
    """(batch,): mean of the other logits, weighted by the probabilities they would have alone, minus the true one.

    The weights are constants, of logits brought to one standard deviation per row. The gradient of cross-entropy is
    1 - p_true times the gradient of this at the logits' own scale: the same direction, which neither vanishes where
    p_true is 1 nor changes when all logits are multiplied by a number (Carlini & Wagner 2017 and Croce & Hein 2020 on
    why it must not). In units of the logits; 0 where the target is unknown (-1). Classes that a model masks with a logit
    far below all others (-1e4, the lowest float) have no part in it.
    """
    true = target.clamp(min=0)[:, None]
    meant = _meant(logits.detach())
    others = logits.detach().masked_fill(~meant, float("-inf")).scatter(1, true, float("-inf"))
    spread = _spread(logits.detach(), meant)
    weights = (SHARPNESS * others / torch.where(spread > 0, spread, 1.0)).softmax(1)
    found = (weights * logits).sum(1) - logits.gather(1, true)[:, 0]
    return torch.where(target >= 0, found, 0.0)


def _meant(logits: Tensor) -> Tensor:
    """(batch, classes) bool: all but the logits that a gap separates from the others, as FAR says; three stay at least."""
    if logits.shape[1] <= 3:
        return torch.ones_like(logits, dtype=torch.bool)
    ordered = logits.sort(1, descending=True).values
    below = ordered[:, :1] - ordered
    far = below[:, 3:] - below[:, 2:-1] > FAR * below[:, 2:-1]
    last = 2 + (far.cumsum(1) == 0).sum(1, keepdim=True)
    return logits >= ordered.gather(1, last)


def _spread(logits: Tensor, meant: Tensor) -> Tensor:
    """(batch, 1): standard deviation of the logits that are meant."""
    if meant.all():
        return logits.std(1, correction=0, keepdim=True)
    kept = logits.where(meant, 0.0)
    count = meant.sum(1, keepdim=True)
    mean = kept.sum(1, keepdim=True) / count
    return ((kept - mean).where(meant, 0.0).square().sum(1, keepdim=True) / count).sqrt()
