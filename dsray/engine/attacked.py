"""Which rows of a batch the attack of a stage moves."""

from __future__ import annotations

import torch
from torch import Tensor


def attacked_rows(batch: int, replayed: int, share: float, rank: int = 0, size: int = 1) -> Tensor:
    """(rows,) int64: positions among the rows of worker `rank` that are attacked, a share of the global batch.

    Of new and of replayed rows alike. New rows come first in a batch (see `Draws`); the first ones of each kind are
    attacked.
    """
    whole = round(batch * share)
    of_old = max(round(replayed * share), whole - (batch - replayed))
    attacked = torch.zeros(batch, dtype=torch.bool)
    attacked[: whole - of_old] = True
    attacked[batch - replayed : batch - replayed + of_old] = True
    return attacked[rank::size].nonzero()[:, 0]
