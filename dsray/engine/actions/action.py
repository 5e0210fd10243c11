"""What an action is, and what it sees of the border it stands at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dsray.base import Plugin
from dsray.base.batch import Batch
from dsray.data import Prepared, to_batch

if TYPE_CHECKING:
    from dsray.engine.state import TrainState


@dataclass(frozen=True)
class Border:
    """The state at the border, the data, the training rows of the stage and its name, which its draws belong to."""

    state: TrainState
    data: Prepared
    rows: np.ndarray
    seed: int
    stage: str

    def batches(self, rows: np.ndarray, size: int = 256) -> Iterator[Batch]:
        """Clean batches of the given rows on the model's device."""
        device = next(self.state.model.parameters()).device
        for i in range(0, len(rows), size):
            yield to_batch(self.data.take(rows[i : i + size]), self.data.schema).to(device)


class ActionConfig(Plugin):
    """Base of all actions."""

    def act(self, border: Border) -> dict[str, Any]:
        """Change `border.state`; return what the history should say of it."""
        raise NotImplementedError
