"""Verbs on a finished run: judge it again, compress it, serve it; and sweeps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from dsray.base import RequestError, foreign_kinds
from dsray.compress import CompressConfig
from dsray.data import Prepared
from dsray.engine import RobustnessConfig
from dsray.experiment import Experiment
from dsray.models import load_model
from dsray.overrides import apply_overrides, parse_override
from dsray.placement import Placement
from dsray.report import Record
from dsray.report.html import write_report
from dsray.runner import session
from dsray.steps.attack import attack_step
from dsray.steps.compress import compress_step


def attack_run(run: Path, overrides: Iterable[str], *, trust: bool, local: bool, console: Console) -> None:
    """Judge the models of a run again, by `judge.` overrides, and write `attack.json` and the report anew.

    A judgement by other terms than the experiment's own stands beside it; `metrics.json` keeps the experiment's own.
    """
    record, tree = _open(run, trust)
    own = Experiment.parse(tree).adversarial
    tree["adversarial"] = tree.get("adversarial") or {}
    experiment = _changed(tree, [f"adversarial.{text}" for text in overrides], "judge.", "adversarial.judge.")
    judge = experiment.adversarial.judge if experiment.adversarial else RobustnessConfig()
    with _placed(record, experiment, local) as (placement, data):
        models = {"": load_model(record.path / "model", trust=trust)[0]}
        if (record.path / "model-undefended").exists():
            models["_undefended"] = load_model(record.path / "model-undefended", trust=trust)[0]
        same = own is not None and judge == own.judge
        report = attack_step(record, data, judge, experiment.seed, dict(models), placement, own=same)
    write_report(record)
    console.print(
        f"robust accuracy {100 * report['robust_accuracy']:.1f} % at epsilon {judge.epsilon:g} on {report['rows']} test "
        f"rows ({', '.join(report['attacks'])}); clean {100 * report['clean_accuracy']:.1f} %"
    )
    if not report["own"]:
        kept = "keeps the judgement that the experiment names" if own else "has none: the experiment names no judgement"
        console.print(f"kept in judgements.json; metrics.json {kept}")


def compress_run(run: Path, overrides: Iterable[str], *, trust: bool, local: bool, console: Console) -> None:
    """Compress the model of a run by `compress.` overrides; the record's artefact is replaced when the gate passes."""
    record, tree = _open(run, trust)
    tree["compress"] = tree.get("compress") or {}
    experiment = _changed(tree, overrides, "compress.", "compress.")
    config = experiment.compress or CompressConfig()
    with _placed(record, experiment, local) as (placement, data):
        report = compress_step(
            record, experiment, data, load_model(record.path / "model", trust=trust)[0], config, placement
        )
    write_report(record)
    console.print(
        f"int8 accuracy {100 * report['accuracy_int8']:.1f} % (torch {100 * report['accuracy_torch']:.1f} %), "
        f"{report['size_bytes_int8'] / 1000:,.0f} kB ({report['size_ratio']:.2f} of fp32), in {record.path / 'compressed'}"
    )


def serve_run(run: Path, *, host: str | None, port: int | None, console: Console) -> None:
    """Serve the artefact of a run until Ctrl-C. An artefact holds no code, so no trust is asked for."""
    record = Record.open(run)
    settings = record.experiment.get("serve") or {}
    given = {k: v for k, v in (("host", host), ("port", port)) if v is not None}
    config = Experiment.parse_section("serve", {**settings, **given})
    from dsray.runtime.serve import serve_forever

    serve_forever(record.path, config, console)


def tune_experiment(
    path: Path, overrides: Iterable[str], *, out: Path | None, resume: bool, console: Console, command: list[str]
) -> None:
    """Search the space of an experiment's `tune` section."""
    from dsray.sweep import sweep

    sweep(Experiment.load(path, overrides), out=out, resume=resume, console=console, command=command)


def _open(run: Path, trust: bool) -> tuple[Record, dict[str, Any]]:
    """The record and its experiment; one that names foreign code is refused without trust."""
    record = Record.open(run)
    tree = record.experiment
    foreign = sorted(foreign_kinds(tree))
    if foreign and not trust:
        raise RequestError(f"record: {run} runs code of its own ({', '.join(foreign)}); add --trust to allow it")
    return record, tree


def _changed(tree: dict[str, Any], overrides: Iterable[str], allowed: str, prefix: str) -> Experiment:
    parsed = [parse_override(text) for text in overrides]
    for path, _ in parsed:
        if not path.startswith(prefix):
            raise RequestError(
                f"{path.removeprefix('adversarial.')}: cannot be changed here; overrides start with {allowed}"
            )
    resolved = Experiment.parse(tree)
    return Experiment.parse(apply_overrides(resolved.tree(), parsed))


@contextmanager
def _placed(record: Record, experiment: Experiment, local: bool) -> Iterator[tuple[Placement, Prepared]]:
    torch.set_num_threads(experiment.train.threads)
    with session(experiment, local) as placement:
        yield placement, placement.prepare(experiment.data, record.path.parent / ".cache")
