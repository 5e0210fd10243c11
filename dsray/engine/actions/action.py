"""What an action is, and what it sees of the place it stands at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from dsray.base import Plugin
from dsray.base.batch import Batch
from dsray.data import Prepared, to_batch
from dsray.engine.views import ViewConfig

if TYPE_CHECKING:
    from dsray.engine.state import TrainState


@dataclass(frozen=True)
class Border:
    """The state at the border of a stage, or at one of its steps, with what belongs to it.

    rows: training rows of the stage. stage: its name, which draws belong to. firing: how often the action has acted in
    this stage by now, this time included.
    """

    state: TrainState
    data: Prepared
    rows: np.ndarray
    seed: int
    stage: str
    firing: int = 1

    def batches(self, rows: np.ndarray, size: int = 256) -> Iterator[Batch]:
        """Clean batches of the given rows on the model's device."""
        device = next(self.state.model.parameters()).device
        for i in range(0, len(rows), size):
            yield to_batch(self.data.take(rows[i : i + size]), self.data.schema).to(device)


class ActionConfig(Plugin):
    """Base of all actions. All that an action remembers stands in the state, so that a resumed training goes on.

    whole: whether it needs the whole model, of which a process of a pipeline keeps only a piece up to date.
    """

    whole: ClassVar[bool] = True

    @property
    def gives(self) -> tuple[ViewConfig, ...]:
        """The views that a stage has only where this action acts during it."""
        return ()

    def act(self, border: Border) -> dict[str, Any]:
        """Change `border.state`, the same way in every process; return what the history should say of it."""
        raise NotImplementedError
