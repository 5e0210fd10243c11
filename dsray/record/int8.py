"""The figures of the artefact that a record holds now, which may have been made by other settings than the run's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dsray.record.record import Record
from dsray.record.words import count, percent, points

NAMES = {
    "int8_accuracy": "accuracy_int8",
    "int8_loss_points": "loss_points",
    "int8_adversarial_loss_points": "adversarial_loss_points",
    "int8_coverage": "coverage_int8",
    "int8_accuracy_answered": "accuracy_answered_int8",
    "size_ratio": "size_ratio",
}
"""Name in `metrics.json` -> name in the artefact's report."""


COMPARED = {
    "accuracy": "test rows",
    "adversarial": "adversarial test rows",
    "gate": "validation rows",
    "gate_full_depth": "validation rows, every block run",
    "gate_adversarial": "adversarial validation rows",
}
"""Name in the artefact's report -> the rows that the models were compared on; the gate decided by those of validation."""


_LAYERS = {"Conv": "convolution", "ConvTranspose": "transposed convolution", "RNN": "recurrent layer"}
"""Operation of ONNX -> its name; others are called as there."""


def other_settings(record: Record) -> dict[str, Any]:
    """The settings of the artefact where they are not those of the record's experiment, which `metrics.json` is of."""
    report = record.read_json("compressed/report.json") or {}
    made, own = report.get("settings"), record.experiment.get("compress")
    if made is None or made == own:
        return {}
    return {name: value for name, value in made.items() if own is None or own.get(name) != value}


def int8_figures(record: Record) -> dict[str, float]:
    """`int8_accuracy`, `size_ratio`, ... of the artefact in `compressed/`: what would be served."""
    metrics = record.metrics
    if not other_settings(record):
        return {name: metrics[name] for name in NAMES if name in metrics}
    report = record.read_json("compressed/report.json")
    return {name: report[key] for name, key in NAMES.items() if report.get(key) is not None}


def against(report: Mapping[str, Any], name: str) -> str:
    """`torch 97.4 %, int8 97.3 %: -0.1 points`, or why the difference says nothing. name: one of COMPARED."""
    return f"torch {percent(report[f'{name}_torch'])}, int8 {percent(report[f'{name}_int8'])}: {change(report, name)}"


def change(report: Mapping[str, Any], name: str) -> str:
    """`-0.1 points`; where the torch model had nothing to lose, that instead."""
    torch, int8, one = report[f"{name}_torch"], report[f"{name}_int8"], report.get(f"{name}_one_answer")
    if torch == int8 == 0:
        return "nothing to lose"
    if one is not None:
        return f'torch gives one answer ("{one}") for every row and has nothing to lose'
    if not tells(report, name):
        return f"no better than one answer for every row ({percent(report[f'{name}_chance'])}), which says little"
    return points(100 * (int8 - torch))


def tells(report: Mapping[str, Any], name: str) -> bool:
    """Whether a difference of the two accuracies means something: one of them is better than a constant answer's."""
    best = max(report[f"{name}_torch"], report[f"{name}_int8"])
    return f"{name}_one_answer" not in report and best > report.get(f"{name}_chance", 0.0)


def lines(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(`adversarial test rows`, what `against` says) of the test rows, and of the gate's where its comparison tells nothing."""
    there = [name for name in COMPARED if f"{name}_int8" in report]
    silent = [name for name in there if name.startswith("gate") and not tells(report, name)]
    if "gate" in silent and "gate_full_depth" in silent:
        silent.remove("gate_full_depth")  # the same rows, and the same to say of them
    for name in there:
        if name in silent or not name.startswith("gate"):
            yield COMPARED[name], against(report, name)
    if kept := left_fp32(report):
        yield "weights", kept


def left_fp32(report: Mapping[str, Any]) -> str:
    """`2 convolutions stay fp32`: what the quantiser does not take; empty where there is nothing."""
    found = report.get("left_fp32") or {}
    named = [count(number, _LAYERS.get(operation, f"{operation} layer")) for operation, number in found.items()]
    return f"{' and '.join(named)} {'stays' if sum(found.values()) == 1 else 'stay'} fp32" if named else ""


def said(record: Record) -> str:
    """`compressed again by calibration_rows 64`; empty for an artefact of the experiment's own settings."""
    settings = other_settings(record)
    return f"compressed again by {', '.join(f'{k} {v}' for k, v in settings.items())}" if settings else ""
