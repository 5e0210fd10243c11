"""What Ray Train's controller and workers unpickle: plain values and a function that imports nothing until it runs."""

from __future__ import annotations

from typing import Any


def train_worker(config: dict[str, Any]) -> None:
    """config: `experiment` (resolved tree), `data` (list of one reference), `folder`."""
    from dsray.runtime.worker import run_worker

    run_worker(config)
