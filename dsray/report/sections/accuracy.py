"""Accuracy of the models of a run side by side, with inputs hidden, under attack, by group of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dsray.base.figures import Figure, figure
from dsray.record.cautions import cautions, own_figure, rows_of_test, wording_of
from dsray.record.figures import figures_of
from dsray.record.int8 import int8_figures
from dsray.record.judgements import FIGURES, differing, in_words, judgements, own_judgement
from dsray.record.record import Record
from dsray.record.words import count, hidden, sentence, spoken
from dsray.report.layout import render
from dsray.report.sections.section import Section

Row = tuple[str, list[float | None]]

_MODELS = (("", "defended", 1), ("_undefended", "undefended", 2), ("int8", "int8", 3))

OWN = {"test_balanced_accuracy": "balanced: mean over the classes"}
_OTHERS = (
    "test_calibration_error",
    "val_accuracy",
    "parameters",
    "active_parameters",
    "steps",
    "mean_train_epsilon",
)


def accuracy(record: Record) -> Section | None:
    """From `metrics.json` (`test_accuracy` and its kin) and the groups of `evaluation.json`."""
    metrics = {**record.metrics, **int8_figures(record)}
    if "test_accuracy" not in metrics:
        return None
    rows = [*_rows(record), *_attacked(record)]
    used = [i for i in range(3) if any(values[i] is not None for _, values in rows)]
    body = render(
        "accuracy.html",
        headings=[_heading(i, metrics) for i in used],
        rows=[(name, [(values[i], _MODELS[i][2]) for i in used]) for name, values in rows],
        others=_others(record),
        groups=(record.read_json("evaluation.json") or {}).get("groups") or {},
    )
    return Section("accuracy", "Accuracy", body, _lead(record))


def _lead(record: Record) -> str:
    test = rows_of_test(record)
    on = [f"On {count(test, 'row')} of the test split."] if test else []
    return " ".join([*on, *(sentence(said) for about, said in cautions(record) if about in ("rows", "answers"))])


def _rows(record: Record) -> list[Row]:
    metrics, manifest = {**record.metrics, **int8_figures(record)}, record.manifest
    get = metrics.get
    rows: list[Row] = [("clean", [get("test_accuracy"), get("test_accuracy_undefended"), get("int8_accuracy")])]
    if get("test_rows_unknown"):
        rows.append((f"{wording_of(record).known} alone", [get("test_accuracy_known"), None, None]))
    lines = figures_of(record)
    if (own := own_figure(record)) and _is_share(own, lines):
        rows.append((OWN.get(own, figure(own, lines).label), [get(own), None, None]))
    if "test_accuracy_full" in metrics:
        rows.append(("with no block skipped", [get("test_accuracy_full"), None, None]))
    for name in sorted(metrics, reverse=True):
        label = hidden(name, manifest)
        if label:
            rows.append((label, [metrics[name], None, None]))
    return rows


def _attacked(record: Record) -> list[Row]:
    """The judgement of the experiment, as `metrics.json` has it, and then any others."""
    others = [j for j in judgements(record) if not j["own"]]
    judged = [j for j in ({**own_judgement(record), **record.metrics}, *others) if "robust_accuracy" in j]
    names = ("epsilon", "rows", *differing(judged))
    return [
        (", ".join(filter(None, ["under attack", in_words(j, dict.fromkeys(names))])), [*map(j.get, FIGURES), None])
        for j in judged
    ]


def _heading(model: int, metrics: Mapping[str, float]) -> str:
    return "this model" if model == 0 and "mean_train_epsilon" not in metrics else _MODELS[model][1]


def _is_share(name: str, lines: Sequence[Figure]) -> bool:
    """Whether a bar can show it."""
    return figure(name, lines).unit in ("share", "score")


def _others(record: Record) -> list[str]:
    metrics, lines, own = record.metrics, figures_of(record), own_figure(record)
    kinds = [f"test_{line.name}" for line in lines if line.better is not None]
    names = [name for name in (*kinds, *_OTHERS) if name != own or not _is_share(own, lines)]
    return [f"{figure(n, lines).label} {spoken(n, metrics[n], lines)}" for n in names if metrics.get(n) is not None]
