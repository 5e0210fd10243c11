"""Where one training of a run keeps its files, and the step that they have come to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dsray.engine import rewind_history
from dsray.engine.checkpoint import latest_checkpoint, step_of
from dsray.models.files import is_sound


@dataclass(frozen=True)
class TrainingFiles:
    """Where one training of a run keeps its files; the undefended twin has names of its own."""

    folder: Path
    suffix: str = ""

    @property
    def training(self) -> str:
        """Its name: "" for the model of the run, "undefended" for the twin."""
        return self.suffix.removeprefix("-")

    @property
    def lock(self) -> str:
        """Name of the lock that the process holds which writes here while it trains apart from the run's own process."""
        return f".training{self.suffix}.lock"

    @property
    def checkpoints(self) -> Path:
        """Committed checkpoints."""
        return self.folder / f"checkpoints{self.suffix}"

    @property
    def history(self) -> Path:
        """JSON lines of the training."""
        return self.folder / f"history{self.suffix}.jsonl"

    @property
    def model(self) -> Path:
        """The trained model, and `training.json` beside it."""
        return self.folder / f"model{self.suffix}"

    @property
    def trained(self) -> bool:
        """Whether the model is there, and whole."""
        return is_sound(self.model, ("training.json", "model.json", "model.safetensors"))


def resume_history(files: TrainingFiles) -> int:
    """Bring the history back to the newest checkpoint and return its step; call it before a worker opens the file."""
    newest = latest_checkpoint(files.checkpoints)
    if newest is None:
        files.history.unlink(missing_ok=True)
        return 0
    step = step_of(newest)
    rewind_history(files.history, step)
    return step


def reached(files: TrainingFiles) -> int:
    """The step of the newest checkpoint, from which a resumed run goes on; 0 without one."""
    newest = latest_checkpoint(files.checkpoints)
    return 0 if newest is None else step_of(newest)
