"""State <-> disk: safetensors for tensors, JSON for the rest; a folder that exists under its final name is whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from dsray.base import RequestError
from dsray.base.aside import clear_leftovers
from dsray.base.folders import replacing_folder
from dsray.base.sums import Damaged, check_sums, parse, write_sums

_TENSORS, _PLAIN = "state.safetensors", "state.json"


def save_checkpoint(
    root: Path, step: int, tensors: Mapping[str, Tensor], plain: Mapping[str, Any], keep: int = 2
) -> Path:
    """Write `root/step-NNNNNN` in one step and remove all but the newest `keep` up to it; returns the folder.

    Later ones are removed too: a training that writes this one has passed them over as damaged.
    """
    root.mkdir(parents=True, exist_ok=True)
    clear_leftovers(root)
    final = root / f"step-{step:06d}"
    with replacing_folder(final) as folder:
        save_file({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, folder / _TENSORS)
        (folder / _PLAIN).write_text(json.dumps(plain))
        write_sums(folder)
    found = checkpoints(root)
    upto = found.index(final) + 1
    for other in (*found[: max(0, upto - keep)], *found[upto:]):
        shutil.rmtree(other, ignore_errors=True)
    return final


def load_checkpoint(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors (on the CPU) and the plain values of one checkpoint folder."""
    try:
        check_sums(folder, (_TENSORS, _PLAIN))
        tensors, plain = load_file(folder / _TENSORS), parse((folder / _PLAIN).read_bytes())
        if not isinstance(plain, dict) or not isinstance(plain.get("global_step", 0), int):
            raise Damaged(f"{_PLAIN} holds no state")
        return tensors, plain
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
    """Committed checkpoints of a run, oldest first; whether they are sound, `newest_checkpoint` tells."""
    found = [p for p in root.glob("step-*") if p.is_dir() and p.name[5:].isdecimal()]
    return sorted(found, key=step_of)


def step_of(folder: Path) -> int:
    """The step of the whole run that a checkpoint was made at, which its name says."""
    return int(folder.name[5:])


def latest_checkpoint(root: Path) -> Path | None:
    """The newest sound checkpoint, if any."""
    return newest_checkpoint(root)[0]


def newest_checkpoint(root: Path) -> tuple[Path | None, list[Path]]:
    """The newest sound checkpoint, if any, and the damaged ones that were passed over, the newest first."""
    damaged: list[Path] = []
    for folder in reversed(checkpoints(root)):
        if _is_sound(folder):
            return folder, damaged
        damaged.append(folder)
    return None, damaged


def _is_sound(folder: Path) -> bool:
    try:
        if check_sums(folder, (_TENSORS, _PLAIN)):
            return True
        load_checkpoint(folder)  # of an older version: all that can be asked is that it reads
        return True
    except (OSError, Damaged, RequestError):
        return False
