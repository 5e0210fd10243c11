"""Random search in the ball by scores alone: the Square Attack (Andriushchenko et al. 2020, arXiv 1912.00049).

It needs no gradient, so it sees through models whose gradients mislead: quantised inputs, hard routing, early exits.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from dsray.attacks.ball import IMAGE, project_linf
from dsray.attacks.config import AttackConfig
from dsray.attacks.losses import fallen, margin
from dsray.base.batch import Batch
from dsray.base.noise import key_of, uniform_torch
from dsray.base.protocols import Attack, Classifier, RowLoss

_HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)  # of 10,000 queries, as in the paper


class RandomSearchConfig(AttackConfig):
    """Black-box check: squares of +-epsilon at random places, kept where they bring the row closer to an error."""

    kind: Literal["random_search"] = "random_search"
    queries: int = Field(200, ge=1, le=100_000, description="forward passes per row")
    square: float = Field(0.8, gt=0, le=1, description="area of the first squares as a share of the image")

    @property
    def name(self) -> str:
        return f"random_search-{self.queries}" + ("" if self.square == 0.8 else f"-square{self.square:g}")

    def build(self) -> Attack:
        return RandomSearch(self.name, self.queries, self.square)


class RandomSearch:
    """`queries` forward passes; rows that have fallen leave early when `stop_early`."""

    def __init__(self, name: str, queries: int, square: float):
        self.name, self.queries, self.square = name, queries, square

    @torch.no_grad()
    def __call__(
        self,
        model: Classifier,
        batch: Batch,
        epsilon: float,
        loss: RowLoss | None = None,
        *,
        seed: int = 0,
        stop_early: bool = False,
    ) -> Batch:
        """The batch with each image at the highest loss that was met; the loss is the margin unless given."""
        climb = loss or margin
        whole, result = batch, batch.inputs[IMAGE].clone()
        rows = torch.arange(len(batch), device=batch.device)
        image = _stripes(batch, epsilon, key_of(seed, self.name, "stripes"))
        logits = model(batch.with_input(IMAGE, image))
        value, wrong = climb(logits, batch.target), fallen(logits, batch.target)
        for query in range(1, self.queries):
            if stop_early and wrong.any():
                result[rows] = image
                keep = ~wrong
                batch, rows, image = batch.select(keep), rows[keep], image[keep]
                value, wrong = value[keep], wrong[keep]
                if len(rows) == 0:
                    break
            proposal = self._proposal(batch, image, epsilon, query, key_of(seed, self.name, query))
            logits = model(batch.with_input(IMAGE, proposal))
            there = climb(logits, batch.target)
            better = there >= value  # equal values too: on a plateau the search must be able to walk
            image = torch.where(better[:, None, None, None], proposal, image)
            value = torch.where(better, there, value)
            wrong = torch.where(better, fallen(logits, batch.target), wrong)
        result[rows] = image
        return whole.with_input(IMAGE, result)

    def _proposal(self, batch: Batch, image: Tensor, epsilon: float, query: int, key: int) -> Tensor:
        """A square of each image, at a place of its own, set to +-epsilon per channel."""
        clean = batch.inputs[IMAGE]
        channels, height, width = clean.shape[1:]
        done = 10_000 * query // self.queries
        area = self.square * 0.5 ** sum(done > limit for limit in _HALVINGS) * height * width
        side = min(max(1, round(math.sqrt(area))), height, width)
        draws = uniform_torch(key, batch.rows, batch.epochs, (2 + channels,))
        top = (draws[:, 0] * (height - side + 1)).long()[:, None, None, None]
        left = (draws[:, 1] * (width - side + 1)).long()[:, None, None, None]
        y = torch.arange(height, device=image.device)[:, None]
        x = torch.arange(width, device=image.device)
        inside = (y >= top) & (y < top + side) & (x >= left) & (x < left + side)
        sign = torch.where(draws[:, 2:] < 0.5, -1.0, 1.0)[:, :, None, None]
        return torch.where(inside, project_linf(clean + epsilon * sign, clean, epsilon), image)


def _stripes(batch: Batch, epsilon: float, key: int) -> Tensor:
    """The paper's first guess: vertical stripes of +-epsilon, a sign for each column and channel."""
    clean = batch.inputs[IMAGE]
    draws = uniform_torch(key, batch.rows, batch.epochs, (clean.shape[1], 1, clean.shape[3]))
    return project_linf(clean + epsilon * torch.where(draws < 0.5, -1.0, 1.0), clean, epsilon)
