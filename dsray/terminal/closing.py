"""What `dsray run` prints when it has finished: the closing table and the next commands."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dsray.base.figures import figure, listed
from dsray.data.movable import MANY
from dsray.record.cautions import cautions, one_answer, own_figure, rows_of_test, wording_of
from dsray.record.figures import figures_of
from dsray.record.int8 import int8_figures, lines
from dsray.record.judgements import in_words, own_judgement
from dsray.record.record import Record
from dsray.record.refusal import answered
from dsray.record.words import count, hidden, milliseconds, points, seconds, short_label, size, spoken

OWN = {"test_balanced_accuracy": "balanced over the classes"}
"""Figures that a kind of target calls its own, where the table says more than their label."""


def closing_table(record: Record) -> RenderableType:
    """Accuracy of the defended, undefended and int8 model, engines side by side, routing, seconds per phase.

    What the record does not hold is left out. No frames, so that it reads the same on a terminal and in a pipe.
    """
    parts: list[RenderableType] = [_title(record)]
    for table in (_accuracies(record), _engines(record)):
        if table is not None and table.row_count:
            parts += [Text(""), Padding(table, (0, 0, 0, 2), expand=False)]
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    for name, value in _facts(record):
        facts.add_row(name, Text(value))
    if facts.row_count:
        parts += [Text(""), Padding(facts, (0, 0, 0, 2), expand=False)]
    return Group(*parts)


def step_note(record: Record, step: str) -> str:
    """What is said of a step when it is done: `accuracy 72.5 %, balanced 50.0 %`; empty for most."""
    metrics = record.metrics
    name = {"evaluate": "test_accuracy", "attack": "robust_accuracy", "compress": "int8_accuracy"}.get(step)
    if name not in metrics:
        return ""
    note = f"{figure(name).label} {spoken(name, metrics[name])}"
    if step == "evaluate" and (own := own_figure(record)):
        lines = figures_of(record)
        note += f", {short_label(own, lines)} {spoken(own, metrics[own], lines)}"
    if step == "evaluate" and (said := one_answer(record)):
        note += f", {said}"
    return note


def next_commands(record: Record) -> list[str]:
    """What to type next, each line ready to paste."""
    program, run = _program("dsray"), shlex.quote(_shown(record.path))
    compressed = (record.path / "compressed" / "report.json").exists()
    trust = " --trust" if _names_code(record) else ""
    commands = [f"{program} serve {run}{trust}", f"{program} predict {run} FILE{trust}"] if compressed else []
    sweep = _sweep(record.manifest.get("command") or [])
    if sweep is not None:
        commands.append(f"{program} tune {shlex.quote(str(sweep))}")
    if (record.path / "report.html").exists():
        commands.append(f"{shlex.quote(_python())} -m webbrowser {shlex.quote(_shown(record.path / 'report.html'))}")
    if any(record.path.glob("events.out.tfevents*")):
        commands.append(f"{_program('tensorboard')} --logdir {run}")
    return commands


def _names_code(record: Record) -> bool:
    """Whether its artefact names kinds of input or target that are not dsray's, which its verbs must be told to trust."""
    schema = record.read_json("schema.json") or {}
    specs = [*(schema.get("inputs") or {}).values(), schema.get("target") or {}]
    return any(":" in str(spec.get("kind")) for spec in specs)


def _title(record: Record) -> Text:
    status, total = record.status, record.timings.get("seconds_total")
    state = status["state"]
    text = Text(record.name, style="bold")
    text.append(f"  {state}", style={"done": "green", "failed": "red"}.get(state, "yellow"))
    if total is not None:
        text.append(f" in {seconds(total)}", style="default")
    if status.get("error"):
        text.append(f": {status['error']}", style="red")
    return text


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for i, column in enumerate(columns):
        table.add_column(column, justify="right" if i else "left", no_wrap=i > 0)
    return table


def _accuracies(record: Record) -> Table:
    metrics, manifest = {**record.metrics, **int8_figures(record)}, record.manifest
    test = rows_of_test(record)
    rows: list[tuple[str, list[float | None]]] = [
        (
            f"on {count(test, 'test row')}" if test else "on the test rows",
            [metrics.get(name) for name in ("test_accuracy", "test_accuracy_undefended", "int8_accuracy")],
        )
    ]
    if metrics.get("test_rows_unknown"):
        rows.append((f"of them {wording_of(record).known}", [metrics.get("test_accuracy_known"), None, None]))
    lines = figures_of(record)
    if own := own_figure(record):
        rows.append((OWN.get(own, figure(own, lines).label), [metrics[own], None, None]))
    for name in sorted(metrics, reverse=True):
        label = hidden(name, manifest)
        if label:
            rows.append((label, [metrics[name], None, None]))
    judged = in_words(own_judgement(record))
    attacked = f"under attack ({judged})" if judged else "under attack"
    rows.append((attacked, [metrics.get("robust_accuracy"), metrics.get("robust_accuracy_undefended"), None]))
    used = [i for i in range(3) if any(values[i] is not None for _, values in rows)]
    headings = ("defended" if "mean_train_epsilon" in metrics else "model", "undefended", "int8")
    table = _table("Accuracy", *(headings[i] for i in used))
    for label, values in rows:
        if any(v is not None for v in values):
            shown = own if own and label == OWN.get(own, figure(own, lines).label) else "test_accuracy"
            table.add_row(label, *(spoken(shown, values[i], lines) for i in used))
    return table


def _engines(record: Record) -> Table | None:
    report = record.read_json("compressed/report.json")
    if not report or not report.get("speed"):
        return None
    batches = sorted({entry["batch"] for entry in report["speed"]})
    table = _table("Engine", "size", *(f"batch {b}" for b in batches))
    for engine in dict.fromkeys(entry["engine"] for entry in report["speed"]):
        times = {entry["batch"]: entry["ms_median"] for entry in report["speed"] if entry["engine"] == engine}
        stored = report.get("size_bytes_int8" if "int8" in engine else "size_bytes_fp32")
        table.add_row(engine, size(stored), *(milliseconds(times.get(b)) for b in batches))
    return table


def _facts(record: Record) -> Iterable[tuple[str, str]]:
    metrics, timings = {**record.metrics, **int8_figures(record)}, record.timings
    yield from cautions(record)
    for line in figures_of(record):
        name = f"test_{line.name}"
        if listed(name) is None and name != own_figure(record) and name in metrics:
            yield line.label, spoken(name, metrics[name], [line])
    if "skip_rate" in metrics:
        cost = metrics.get("skip_loss_points")
        effect = "" if cost is None else f", accuracy {points(-cost)} against skipping nothing"
        yield figure("skip_rate").label, spoken("skip_rate", metrics["skip_rate"]) + effect
    for name, model in (("refusal", "test"), ("int8, refusal", "int8")):
        if said := answered(metrics, model):
            yield name, said
    report = record.read_json("compressed/report.json") or {}
    for rows, said in lines(report):
        yield f"int8, {rows}", said
    if report and "adversarial_int8" not in report:
        yield "int8", f"no {MANY} to attack"
    if "seconds_to_first_step" in timings:
        name = "seconds_to_first_step"
        yield figure(name).label, f"after {spoken(name, timings[name])}"
    phases = {k.removeprefix("seconds/"): v for k, v in timings.items() if k.startswith("seconds/")}
    if phases:
        longest = sorted(phases.items(), key=lambda item: -item[1])
        yield "seconds", ", ".join(f"{name} {value:.1f}" for name, value in longest)


def _shown(path: Path) -> str:
    """`path` from where the user stands when it lies below, in full otherwise."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _program(name: str) -> str:
    """`name` when the shell finds it, else the path of the one beside this Python (an environment not activated)."""
    beside = Path(sys.executable).parent / name
    if shutil.which(name) or not beside.exists():
        return name
    return shlex.quote(_shown(beside))


def _python() -> str:
    return "python" if os.environ.get("VIRTUAL_ENV") else _shown(Path(sys.executable))


def _sweep(command: list[str]) -> Path | None:
    """The sweep that lies beside the experiment of `command`: `sweeps/NAME.yaml`."""
    for word in command:
        if word.endswith((".yaml", ".yml")):
            sweep = Path(word).parent / "sweeps" / Path(word).name
            return sweep if sweep.is_file() else None
    return None
