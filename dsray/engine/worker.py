"""What the loop knows of the world, and the implementation for one process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch

from dsray.augment import AugmentConfig, augment
from dsray.base.aside import flush, naming, replacing_file
from dsray.base.batch import Batch
from dsray.base.lines import LineReader, written_line
from dsray.data import Draws, Prepared, to_batch
from dsray.engine.checkpoint import save_checkpoint

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

    def stop_requested(self) -> bool:
        """True when the run should end at the next step."""
        ...


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
        self.operations = [operation.build() for operation in augmentation.operations]
        self.log = HistoryFile(folder / history) if folder and self.leads else None
        self.checkpoints = folder / checkpoints if folder else None
        self.on_line = on_line

    def batches(self, draws: Draws, first: int, last: int) -> Iterator[Batch]:
        for step in range(first, last):
            rows, epochs = draws(step)
            columns = self.data.take(rows[self.rank :: self.size], epochs[self.rank :: self.size])
            yield to_batch(augment(columns, self.operations, self.seed, draws.stage), self.data.schema).to(self.device)

    def report(self, metrics: dict[str, Any], state: TrainState | None = None) -> None:
        if self.log:
            self.log.append(metrics)
        if self.on_line:
            self.on_line(metrics)
        if state is not None and self.checkpoints and self.leads:
            if self.log:
                self.log.flush()
            save_checkpoint(self.checkpoints, state.global_step, *state.state_dict())

    def stop_requested(self) -> bool:
        return False


class HistoryFile:
    """JSON lines, each appended whole and closed, so that a reader that follows the file sees no torn line for long."""

    def __init__(self, path: Path):
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def append(self, line: dict[str, Any]) -> None:
        """Write one line at the end."""
        with naming(self.path, self.path), self.path.open("a") as file:
            file.write(written_line(line))

    def flush(self) -> None:
        """Bring the lines to the disk, before the checkpoint that they lead to."""
        with naming(self.path, self.path):
            flush(self.path)
            flush(self.path.parent)


def rewind_history(path: Path, step: int) -> None:
    """Cut the history after the checkpoint of `step`: what follows will be written again by the resumed run.

    Damaged lines before it stay, so that they are counted. Where the checkpoint's own line is damaged, the history is cut
    before the first line of a later step. Lines of an older version get the checksums that they lack.
    """
    if not path.exists():
        return
    kept: list[bytes] = []
    end = later = None
    texts = path.read_bytes().split(b"\n")
    reader = LineReader(texts)
    for text in filter(None, texts):
        line = reader(text)
        kept.append(text + b"\n" if line is None or reader.summed else written_line(line).encode())
        if line is None or not isinstance(line.get("step"), int):
            continue
        if line.get("kind") == "checkpoint" and line["step"] == step:
            end, later = len(kept), None
        elif line["step"] > step and later is None:
            later = len(kept) - 1
    kept = kept[: end if end is not None else later]
    with replacing_file(path) as aside:
        aside.write_bytes(b"".join(kept))
