"""Verbs on a finished run: judge it again, compress it, serve it; and sweeps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch
from rich.console import Console
from torch import nn

from dsray.base import RequestError, untrusted
from dsray.compress import CompressConfig
from dsray.data import Prepared
from dsray.engine import RobustnessConfig
from dsray.experiment import Experiment
from dsray.original import rows_of
from dsray.overrides import apply_overrides, parse_override
from dsray.placement import Placement
from dsray.report import Record
from dsray.report.cautions import of_judgement
from dsray.report.html import write_report
from dsray.report.int8 import lines
from dsray.report.words import sentence
from dsray.runner import models_of, session
from dsray.sections import ServeConfig
from dsray.steps.attack import attack_step
from dsray.steps.compress import compress_step
from dsray.writer import writing


def attack_run(
    run: Path, overrides: Iterable[str], *, trust: bool, local: bool, console: Console, command: list[str]
) -> None:
    """Judge the models of a run again, by `judge.` overrides, and write `attack.json` and the report anew.

    A judgement by other terms than the experiment's own stands beside it; `metrics.json` keeps the experiment's own.
    """
    record, original = _open(run, trust)
    own = original.adversarial
    given = [f"adversarial.{text}" for text in overrides]
    experiment = _changed(original, given, "judge.", "adversarial.judge.")
    judge = experiment.adversarial.judge if experiment.adversarial else RobustnessConfig()
    with writing(record, command, console), _placed(record, experiment, local) as (placement, data):
        model, twin = models_of(record, original, data)
        models: dict[str, nn.Module] = {"": model}
        if twin is not None:
            models["_undefended"] = twin
        same = own is not None and judge == own.judge
        report = attack_step(record, data, judge, experiment.seed, models, placement, own=same)
        write_report(record)
    console.print(
        f"robust accuracy {100 * report['robust_accuracy']:.1f} % at epsilon {judge.epsilon:g} on {report['rows']} test "
        f"rows ({', '.join(report['attacks'])}); clean {100 * report['clean_accuracy']:.1f} %",
        soft_wrap=True,
    )
    for said in of_judgement(report):
        console.print(sentence(said), soft_wrap=True, highlight=False)
    if not report["own"]:
        kept = "keeps the judgement that the experiment names" if own else "has none: the experiment names no judgement"
        console.print(f"kept in judgements.json; metrics.json {kept}", soft_wrap=True)


def compress_run(
    run: Path, overrides: Iterable[str], *, trust: bool, local: bool, console: Console, command: list[str]
) -> None:
    """Compress the model of a run by `compress.` overrides; the record's artefact is replaced when the gate passes.

    An artefact by other settings than the experiment's own has its figures in its own report; `metrics.json` keeps
    those of the experiment's settings.
    """
    record, original = _open(run, trust)
    experiment = _changed(original, overrides, "compress.", "compress.")
    config = experiment.compress or CompressConfig()
    with writing(record, command, console), _placed(record, experiment, local) as (placement, data):
        model = models_of(record, original, data)[0]
        own = config == original.compress
        report = compress_step(record, experiment, data, model, config, placement, own=own)
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


def serve_run(run: Path, *, host: str | None, port: int | None, console: Console) -> None:
    """Serve the artefact of a run until Ctrl-C. An artefact holds no code, so no trust is asked for.

    The address is the caller's: a record, which may have come from elsewhere, opens none beyond this machine.
    """
    record = Record.open(run)
    config = serve_config(record, host, port)
    from dsray.runtime.serve import serve_forever

    serve_forever(record.path, config, console)


def serve_config(record: Record, host: str | None, port: int | None) -> ServeConfig:
    """The record's `serve` section, but for the address: the caller's, or loopback."""
    settings = {key: value for key, value in (record.experiment.get("serve") or {}).items() if key != "host"}
    given = {k: v for k, v in (("host", host), ("port", port)) if v is not None}
    return Experiment.parse_section("serve", {**settings, **given})


def tune_experiment(
    path: Path, overrides: Iterable[str], *, out: Path | None, resume: bool, console: Console, command: list[str]
) -> None:
    """Search the space of an experiment's `tune` section."""
    from dsray.sweep import sweep

    sweep(Experiment.load(path, overrides), out=out, resume=resume, console=console, command=command)


def _open(run: Path, trust: bool) -> tuple[Record, Experiment]:
    """The record and its experiment; one that names foreign code is refused without trust, and nothing of it is run."""
    record = Record.open(run)
    with nullcontext() if trust else untrusted(f"record: {run}"):
        return record, Experiment.parse(record.experiment)


def _changed(original: Experiment, overrides: Iterable[str], allowed: str, prefix: str) -> Experiment:
    """The experiment with overrides of one section, which is opened where there is none."""
    parsed = [parse_override(text) for text in overrides]
    for path, _ in parsed:
        if not path.startswith(prefix):
            raise RequestError(
                f"{path.removeprefix('adversarial.')}: cannot be changed here; overrides start with {allowed}"
            )
    tree = original.tree()
    section = prefix.partition(".")[0]
    tree[section] = tree[section] or {}
    return Experiment.parse(apply_overrides(Experiment.parse(tree).tree(), parsed))


@contextmanager
def _placed(record: Record, experiment: Experiment, local: bool) -> Iterator[tuple[Placement, Prepared]]:
    torch.set_num_threads(experiment.train.threads)
    with session(experiment, local) as placement:
        yield placement, rows_of(record, experiment.data, placement)
