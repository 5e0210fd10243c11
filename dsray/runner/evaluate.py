"""The evaluation step: clean figures of the model and its twin, and what the report shows of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from dsray.base.routed import Routed
from dsray.data import Prepared, known
from dsray.engine import Evaluation
from dsray.experiment import Experiment
from dsray.learning import forgetting, learning_accuracy, retention
from dsray.models import active_parameters, count_parameters
from dsray.record import Record
from dsray.runner.figures import batches, clean_figures, validation_figures
from dsray.runner.refusal import refusal_detail
from dsray.runner.shown import raw_of, shown_inputs, values_of
from dsray.targets import Wording

EXAMPLES = 12
BINS = 15
MOST_DRAWN = 100
"""Classes up to which it is told which expert each loads."""


def evaluate_step(record: Record, experiment: Experiment, data: Prepared, model: Routed, twin: Routed | None) -> None:
    """Write the clean figures to `metrics.json`, their detail to `evaluation.json`, a request to `example.json`."""
    figures, found = clean_figures(model, data)
    figures |= validation_figures(experiment, model, data)
    figures["parameters"] = count_parameters(model)["total"]
    if model.routing is not None:
        figures["active_parameters"] = active_parameters(model)
    figures |= _training_figures(record)
    if twin is not None:
        figures["test_accuracy_undefended"] = clean_figures(twin, data)[0]["test_accuracy"]
    record.update_metrics(figures)
    record.write_json("evaluation.json", _detail(data, model, found))
    record.write_json("example.json", {"instances": [example(data)]})


def example(data: Prepared) -> dict[str, Any]:
    """The first of the test rows that lack least, as a request to the served model."""
    rows = data.splits["test"]
    row = int(rows[sum(data.columns[f"present.{name}"][rows].astype(int) for name in data.schema.names).argmax()])
    columns = data.take(np.array([row]))
    found: dict[str, Any] = {}
    for name, spec in data.schema.inputs.items():
        there = bool(columns[f"present.{name}"][0])
        found[name] = spec.request_of(values_of(columns, 0, name, spec), raw_of(data, row, spec)) if there else None
    return found


def _training_figures(record: Record) -> dict[str, float]:
    """Steps, mean epsilon, and what a sequence of tasks cost."""
    about = record.read_json("model/training.json")
    figures: dict[str, float] = {"steps": about["steps"]}
    if about.get("mean_epsilon") is not None:
        figures["mean_train_epsilon"] = about["mean_epsilon"]
    if matrix := about["task_accuracy"]:
        figures |= {"retention": retention(matrix), "forgetting": forgetting(matrix)}
        figures |= {"learning_accuracy": learning_accuracy(matrix)}
        figures |= {f"task_accuracy/{i + 1}": value for i, value in enumerate(matrix[-1])}
    return figures


def _detail(data: Prepared, model: Routed, found: Evaluation) -> dict[str, Any]:
    """What the report shows of `found`: groups, routing and what the target tells of all its rows, the rest of those of
    known target."""
    known, target = found.known(), data.schema.target
    return {
        "split": "test",
        "own_figure": target.own_figure(target.counts(found.target.numpy())),
        **({"wording": wording._asdict()} if (wording := target.wording) != Wording() else {}),
        **({"right_where": said} if (said := target.right_where()) else {}),
        **target.detail(found.logits.numpy(), found.target.numpy()),
        "reliability": _reliability(known),
        "refusal": refusal_detail(found, data.schema.target),
        "routing": _routing(data, model, found),
        "groups": _groups(data, found),
        "examples": _examples(data, known),
    }


def _reliability(found: Evaluation) -> list[dict[str, float]]:
    confidence, right = found.confidence, found.right.double()
    bins = []
    for i in range(BINS):
        inside = (confidence > i / BINS if i else confidence >= 0) & (confidence <= (i + 1) / BINS)
        if rows := int(inside.sum()):
            bins.append(
                {"confidence": float(confidence[inside].mean()), "accuracy": float(right[inside].mean()), "rows": rows}
            )
    return bins


def _routing(data: Prepared, model: Routed, found: Evaluation) -> dict[str, Any] | None:
    routes, routing = found.routes, model.routing
    if routes is None or routing is None:
        return None
    right, ran = found.right, routes.blocks_run
    detail: dict[str, Any] = {
        "blocks_run": {str(n): int((ran == n).sum()) for n in range(1, routes.blocks + 1)},
        "accuracy_by_blocks": {str(n): float(right[ran == n].double().mean()) for n in ran.unique().tolist()},
        "expert_load": routes.expert_load.tolist(),
        "confidence_threshold": routing.threshold,
    }
    if routing.experts and 1 < len(names := data.schema.target.strata_names) <= MOST_DRAWN:
        detail["expert_by_class"] = _experts_by_class(data, model, len(names), routing.experts)
    return detail


@torch.no_grad()
def _experts_by_class(data: Prepared, model: Routed, classes: int, experts: int) -> list[list[int]]:
    """(classes, experts): which expert of the first block the test rows of each class load."""
    counts = np.zeros((classes, experts), np.int64)
    rows, target = known(data, data.splits["test"]), data.schema.target
    strata = target.strata(data.columns["target"][rows])
    for i in range(classes):
        for batch in batches(data, rows[strata == i], 512):
            counts[i] += model(batch.inputs, batch.present).expert_load[0].numpy()
    return counts.tolist()


def _groups(data: Prepared, found: Evaluation) -> dict[str, dict[str, dict[str, float]]]:
    """Accuracy by the values of each shown column that has few of them."""
    right = found.right.numpy()
    inputs = {column for spec in data.schema.inputs.values() for column in spec.columns}
    groups = {}
    for name in data.shown.column_names:
        values = np.array([str(v) for v in data.shown.column(name).take(found.rows.numpy()).to_pylist()])
        kinds = np.unique(values)
        if name not in inputs and 1 < len(kinds) <= 20:
            groups[name] = {
                str(k): {"accuracy": float(right[values == k].mean()), "rows": int((values == k).sum())} for k in kinds
            }
    return groups


def _examples(data: Prepared, found: Evaluation) -> list[dict[str, Any]]:
    """Half of them wrong answers, where there are so many."""
    right, target = found.right, data.schema.target
    wrong = (~right).nonzero()[:, 0].tolist()[: EXAMPLES // 2]
    chosen = [*right.nonzero()[:, 0].tolist()[: EXAMPLES - len(wrong)], *wrong]
    examples = []
    for i, answer in zip(chosen, target.answers(found.logits[chosen].numpy()), strict=True):
        row = int(found.rows[i])
        examples.append(
            {
                "inputs": shown_inputs(data, row),
                "target": target.show_target(found.target[i].numpy()),
                "prediction": target.show_answer(answer),
                "right": bool(right[i]),
                "confidence": float(found.confidence[i]),
                "blocks_run": None if found.routes is None else int(found.routes.blocks_run[i]),
            }
        )
    return examples
