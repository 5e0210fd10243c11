"""Folders that change in one step, so that a kill at any moment leaves an old or a new one and nothing in between."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def replace_folder(new: Path, final: Path) -> None:
    """Give the finished folder `new` the name `final`; an older one there stays whole until then."""
    old = final.with_name(f".{final.name}.{os.getpid()}.old")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        final.rename(old)
    new.rename(final)
    shutil.rmtree(old, ignore_errors=True)
