"""Curves of training: losses, validation accuracy, epsilon and rates, beside the undefended twin."""

from __future__ import annotations

from collections.abc import Sequence

from dsray.base.templates import Html
from dsray.record.endings import ending
from dsray.record.figures import figures_of
from dsray.record.record import Record
from dsray.record.words import count, sentence
from dsray.report.charts import Axis, Series, line_chart
from dsray.report.charts.scale import percent_of
from dsray.report.curves import STEP, History, curve, names, stages
from dsray.report.sections.section import Section, side_by_side


def training(record: Record) -> Section | None:
    """From `history.jsonl` and `history-undefended.jsonl`."""
    history, twin = record.history(), record.history("history-undefended.jsonl")
    damaged = record.damaged_lines() + record.damaged_lines("history-undefended.jsonl")
    lost = f"At least {count(damaged, 'line')} of the history {'is' if damaged == 1 else 'are'} damaged, and left out."
    if not any(line.get("kind") in ("step", "validation") for line in history):
        return Section("training", "Training", side_by_side(), lost) if damaged else None
    body = side_by_side(
        _losses(history, twin),
        _terms(history),
        _accuracy(history, twin),
        _epsilon(history, _threats(record)),
        _rates(history),
    )
    bands = stages(history)
    last = max((line["step"] for line in history if isinstance(line.get("step"), int)), default=0)
    lead = f"{count(last, 'step')} of the optimiser"
    lead += f" in {count(len(bands), 'stage')}: {', '.join(b.label for b in bands)}." if bands else "."
    own = figures_of(record)
    endings = [sentence(words) for line in history if (words := ending(line, own))]
    return Section("training", "Training", body, " ".join([lead, *endings, *([lost] if damaged else [])]))


def _losses(history: History, twin: History) -> Html | None:
    series = [
        Series("defended" if twin else "loss", curve(history, "step", "loss"), 1),
        Series("undefended", curve(twin, "step", "loss"), 2),
    ]
    return line_chart("Loss", series, STEP, Axis("loss", low=0), "as minimised, all terms together", stages(history))


def _accuracy(history: History, twin: History) -> Html | None:
    series = [
        Series("defended" if twin else "accuracy", curve(history, "validation", "accuracy"), 1),
        Series("undefended", curve(twin, "validation", "accuracy"), 2),
    ]
    axis = Axis("accuracy", percent_of, high=1.0)
    return line_chart(
        "Validation accuracy", series, STEP, axis, "on clean rows of the validation split", stages(history)
    )


def _terms(history: History) -> Html | None:
    found = names(history, "term/")
    if len(found) < 2:
        return None
    series = [
        Series(name.removeprefix("term/"), curve(history, "step", name), 1 + i % 6, dashed=i >= 6)
        for i, name in enumerate(found)
    ]
    note = "each under its own name, weighted; together they are the loss"
    return line_chart("Terms of the loss", series, STEP, Axis("mean per row", low=0), note, stages(history))


def _threats(record: Record) -> list[str]:
    """The kinds of threat of the adversarial stages, each once; records of earlier versions know of none."""
    stages = (record.experiment.get("adversarial") or {}).get("stages") or []
    return list(dict.fromkeys(stage["threat"]["kind"] for stage in stages if "threat" in stage))


def _epsilon(history: History, threats: Sequence[str]) -> Html | None:
    points = curve(history, "step", "epsilon")
    if not any(value for _, value in points):
        return None
    note = "radius of the attack that the model trained on"
    if len(threats) > 1:
        note += f"; of each stage in the units of its own threat ({', '.join(threats)})"
    return line_chart("Epsilon", [Series("epsilon", points, 4)], STEP, Axis("epsilon", low=0), note, stages(history))


def _rates(history: History) -> Html | None:
    found = [name for name in names(history, "rate") if name == "rate" or name.startswith("rate/")]
    series = [
        Series(name.removeprefix("rate/"), curve(history, "step", name), 1 + (i + 2) % 6, dashed=i >= 6)
        for i, name in enumerate(found)
    ]
    title, note = ("Learning rates", "by group of parameters") if len(found) > 1 else ("Learning rate", "")
    return line_chart(title, series, STEP, Axis("rate", low=0), note, stages(history))
