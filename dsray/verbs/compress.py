"""`dsray compress`: quantise and export a finished run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

from dsray.compress import CompressConfig
from dsray.record.int8 import lines
from dsray.report.html import write_report
from dsray.runner.compress import compress_step
from dsray.runner.run import models_of
from dsray.runner.writer import writing
from dsray.verbs.finished import at_work, changed, open_finished


def compress_run(
    run: Path, overrides: Iterable[str], *, trust: bool, local: bool, console: Console, command: list[str]
) -> None:
    """Compress the model of a run by `compress.` overrides; the record's artefact is replaced when the gate passes.

    An artefact by other settings than the experiment's own has its figures in its own report; `metrics.json` keeps
    those of the experiment's settings.
    """
    record, original = open_finished(run, trust)
    experiment = changed(original, overrides, "compress.", "compress.")
    config = experiment.compress or CompressConfig()
    with writing(record, command, console), at_work(record, experiment, local) as (place, data):
        model, _, data = models_of(record, original, data)
        own = config == original.compress
        report = compress_step(record, experiment, data, model, config, place, own=own)
        write_report(record)
    for rows, said in lines(report):
        console.print(f"{rows}: {said}", soft_wrap=True, highlight=False)
    console.print(
        f"{report['size_bytes_int8'] / 1000:,.0f} kB ({report['size_ratio']:.2f} of fp32), in {record.path / 'compressed'}",
        soft_wrap=True,
    )
    if not own:
        kept = (
            "keeps those of the experiment's settings"
            if original.compress
            else "has none: the experiment names no compression"
        )
        console.print(f"the artefact's figures are in its report.json; metrics.json {kept}", soft_wrap=True)
