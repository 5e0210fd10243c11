"""State <-> disk: safetensors for tensors, JSON for the rest; a folder that exists under its final name is whole."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from dsray.base import RequestError
from dsray.folders import replace_folder


def save_checkpoint(
    root: Path, step: int, tensors: Mapping[str, Tensor], plain: Mapping[str, Any], keep: int = 2
) -> Path:
    """Write `root/step-NNNNNN` (aside, then renamed) and remove all but the newest `keep`; returns the folder."""
    root.mkdir(parents=True, exist_ok=True)
    final = root / f"step-{step:06d}"
    aside = root / f".{final.name}.{os.getpid()}"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    save_file({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, aside / "state.safetensors")
    (aside / "state.json").write_text(json.dumps(plain))
    _sync(aside)
    replace_folder(aside, final)
    for old in checkpoints(root)[:-keep]:
        shutil.rmtree(old, ignore_errors=True)
    return final


def load_checkpoint(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors (on the CPU) and the plain values of one checkpoint folder."""
    try:
        return load_file(folder / "state.safetensors"), json.loads((folder / "state.json").read_text())
    except FileNotFoundError as error:
        raise RequestError(
            f"checkpoint: {folder} is not a checkpoint ({Path(error.filename).name} is missing)"
        ) from None
    except (OSError, ValueError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise RequestError(
            f"checkpoint: {folder} cannot be read ({reason}); delete it, and --resume goes on from the one before"
        ) from None


def checkpoints(root: Path) -> list[Path]:
    """Committed checkpoints of a run, oldest first."""
    found = [p for p in root.glob("step-*") if p.is_dir() and p.name[5:].isdecimal()]
    return sorted(found, key=lambda p: int(p.name[5:]))


def latest_checkpoint(root: Path) -> Path | None:
    """The newest committed checkpoint, if any."""
    found = checkpoints(root)
    return found[-1] if found else None


def _sync(folder: Path) -> None:
    """Reach the disk before the rename makes the folder visible."""
    for path in (*folder.iterdir(), folder):
        handle = os.open(path, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
