"""`dsray serve`: the compressed model of a run over HTTP."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from dsray.experiment import Experiment
from dsray.record import Record
from dsray.serving.config import ServeConfig


def serve_run(run: Path, *, host: str | None, port: int | None, trust: bool, console: Console) -> None:
    """Serve the artefact of a run until Ctrl-C.

    trust: allow kinds of input and target that are not dsray's, which the artefact names; nothing else in it is code.
    The address is the caller's: a record, which may have come from elsewhere, opens none beyond this machine.
    """
    record = Record.open(run)
    config = serve_config(record, host, port)
    from dsray.runtime.serve import serve_forever

    serve_forever(record.path, config, console, trust=trust)


def serve_config(record: Record, host: str | None, port: int | None) -> ServeConfig:
    """The record's `serve` section, but for the address: the caller's, or loopback."""
    settings = {key: value for key, value in (record.experiment.get("serve") or {}).items() if key != "host"}
    given = {k: v for k, v in (("host", host), ("port", port)) if v is not None}
    return Experiment.parse_section("serve", {**settings, **given})
