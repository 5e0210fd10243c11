"""What the loop knows of the world, and the implementation for one process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, final

import torch

from dsray.augment import AugmentConfig, augment
from dsray.base.batch import Batch
from dsray.data import Draws, Prepared, to_batch
from dsray.engine.checkpoint import save_checkpoint
from dsray.engine.history import HistoryFile

if TYPE_CHECKING:
    from dsray.engine.state import TrainState


class Worker(Protocol):
    """One of `size` data-parallel workers.

    leads: whether this process writes what all share (history, checkpoints, the model): one in all does.
    """

    rank: int
    size: int
    leads: bool
    device: torch.device
    data: Prepared

    def batches(self, draws: Draws, first: int, last: int) -> Iterator[Batch]:
        """This worker's rows of global batches first..last-1, augmented, on the device."""
        ...

    def report(self, metrics: dict[str, Any], state: TrainState | None = None) -> None:
        """Log one line of the history; with `state`, also commit a checkpoint."""
        ...


@final
class LocalWorker:
    """Everything in this process: `--local`, notebooks, trials of a sweep, tests."""

    def __init__(
        self,
        data: Prepared,
        augmentation: AugmentConfig,
        *,
        seed: int,
        device: torch.device | str = "cpu",
        rank: int = 0,
        size: int = 1,
        leads: bool | None = None,
        folder: Path | None = None,
        history: str = "history.jsonl",
        checkpoints: str = "checkpoints",
        on_line: Callable[[dict[str, Any]], None] | None = None,
    ):
        self.data, self.seed, self.rank, self.size = data, seed, rank, size
        self.leads = rank == 0 if leads is None else leads
        self.device = torch.device(device)
        self.operations = augmentation.build(data.schema)
        self.log = HistoryFile(folder / history) if folder and self.leads else None
        self.checkpoints = folder / checkpoints if folder else None
        self.on_line = on_line

    def batches(self, draws: Draws, first: int, last: int) -> Iterator[Batch]:
        for step in range(first, last):
            rows, epochs = draws(step)
            columns = self.data.take(rows[self.rank :: self.size], epochs[self.rank :: self.size])
            augmented = augment(columns, self.operations, self.data.schema, self.seed, draws.stage)
            yield to_batch(augmented, self.data.schema).to(self.device)

    def report(self, metrics: dict[str, Any], state: TrainState | None = None) -> None:
        if self.log:
            self.log.append(metrics)
        if self.on_line:
            self.on_line(metrics)
        if state is not None and self.checkpoints and self.leads:
            if self.log:
                self.log.flush()
            save_checkpoint(self.checkpoints, state.global_step, *state.state_dict())
