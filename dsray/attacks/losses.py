"""What an attack climbs: a loss or a margin of the model's own likelihood; those of classes for a model that has none."""

from __future__ import annotations

from typing import Literal

from dsray.base.likelihood import Likelihood
from dsray.base.protocols import RowLoss
from dsray.likelihoods import Classes

LossName = Literal["cross_entropy", "margin"]
"""cross_entropy: the negative log likelihood, which is that of classes where a target is one of several."""

_PLAIN = Classes()
cross_entropy: RowLoss = _PLAIN.loss
"""-log of the probability of the true class; 0 where it is unknown. Its gradient vanishes where the model is certain."""
scaled_cross_entropy: RowLoss = _PLAIN.ascent
margin: RowLoss = _PLAIN.margin
fallen: RowLoss = _PLAIN.wrong


def judging(name: LossName, likelihood: Likelihood) -> RowLoss:
    """What judges a model: a gradient that vanishes nowhere."""
    return likelihood.margin if name == "margin" else likelihood.ascent


def training(name: LossName, likelihood: Likelihood) -> RowLoss:
    """What a model is trained under.

    Training minimises a loss at the scale of its own logits, and its attacks climb what it minimises (Madry et al. 2018).
    A row that the model is so certain of that its gradient vanishes teaches nothing in either form.
    """
    return likelihood.margin if name == "margin" else likelihood.loss
