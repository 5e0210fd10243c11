"""The table of figures: what stands under each name in `metrics.json`, `timings.json` and the lines of a validation.

A new figure is a line here. What shows figures, and what decides by them, asks for the unit and for which way is better.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

Unit = Literal["share", "score", "ratio", "points", "count", "number", "seconds", "milliseconds"]
"""share: of rows or blocks, always written in percent. score: in [0, 1], a bare number in a table of many figures, where
its own literature writes it so. ratio: of two sizes. points: difference of two shares in percentage points."""


@dataclass(frozen=True)
class Figure:
    """One figure, or a family of them.

    name: the key; a `*` at its end stands for whatever follows, and so does a `/` that a key has after the name.
    label: what it is called in a sentence, {} for what the `*` stands for. better: the direction to hope for, None where
    neither is. watched: it stands in every line of a validation, so that policies may decide by it. routed: only a model
    with routing has it.
    """

    name: str
    label: str
    unit: Unit
    better: Literal["higher", "lower"] | None = None
    watched: bool = False
    routed: bool = False

    def gain(self, value: float) -> float:
        """The value turned so that more is better; what is not a number is worse than any."""
        if self.better is None:
            raise ValueError(f"{self.name} has no better and no worse")
        if math.isnan(value):
            return -math.inf
        return value if self.better == "higher" else -value


_TABLE = (
    # the lines of a validation
    Figure("accuracy", "accuracy", "share", "higher", watched=True),
    Figure("accuracy_known", "accuracy known", "share", "higher", watched=True),
    Figure("balanced_accuracy", "balanced accuracy", "share", "higher", watched=True),
    Figure("macro_f1", "macro F1", "score", "higher", watched=True),
    Figure("micro_f1", "micro F1", "score", "higher", watched=True),
    Figure("mae", "mean absolute error", "number", "lower", watched=True),
    Figure("rmse", "root mean squared error", "number", "lower", watched=True),
    Figure("r2", "share of the variance explained", "score", "higher", watched=True),
    Figure("loss", "loss", "number", "lower", watched=True),
    Figure("skip_rate", "blocks skipped", "share", "higher", watched=True, routed=True),
    # answers on the test rows
    Figure("test_accuracy", "accuracy", "share", "higher"),
    Figure("test_accuracy_known", "accuracy on rows of known class", "share", "higher"),
    Figure("test_accuracy_full", "accuracy with no block skipped", "share", "higher", routed=True),
    Figure("test_accuracy_undefended", "accuracy of the undefended model", "share", "higher"),
    Figure("test_accuracy_without_*", "with the {} hidden", "share", "higher"),
    Figure("test_balanced_accuracy", "balanced accuracy", "share", "higher"),
    Figure("test_macro_f1", "macro F1", "score", "higher"),
    Figure("test_micro_f1", "micro F1", "score", "higher"),
    Figure("test_average_precision", "average precision", "score", "higher"),
    Figure("test_recall_at_1pct", "recall at 1 % false alarms", "share", "higher"),
    Figure("test_mae", "mean absolute error", "number", "lower"),
    Figure("test_rmse", "root mean squared error", "number", "lower"),
    Figure("test_r2", "share of the variance explained", "score", "higher"),
    Figure("test_interval_coverage", "rows within their interval", "share"),
    Figure("test_interval_width", "mean width of an interval", "number", "lower"),
    Figure("test_calibration_error", "calibration error", "score", "lower"),
    Figure("test_loss", "loss", "number", "lower"),
    Figure("test_classes_answered", "classes answered", "count"),
    Figure("test_rows_unknown", "rows of unknown class", "count"),
    Figure("test_rows_unlabelled", "rows without a label", "count"),
    Figure("test_coverage", "rows answered", "share", "higher"),
    Figure("test_accuracy_answered", "accuracy of what is answered", "share", "higher"),
    Figure("test_aurc", "area under risk against coverage", "score", "lower"),
    Figure("test_auroc_out_of_scope", "AUROC of rows out of scope", "score", "higher"),
    Figure("skip_loss_points", "accuracy lost by skipping", "points", "lower", routed=True),
    # answers on the validation rows, by which choices are made
    Figure("val_accuracy", "validation accuracy", "share", "higher"),
    Figure("val_accuracy_known", "validation accuracy on rows of known class", "share", "higher"),
    Figure("val_rows_unknown", "validation rows of unknown class", "count"),
    Figure("val_robust_accuracy", "validation robust accuracy", "share", "higher"),
    Figure("val_balanced_robustness", "mean of validation and robust accuracy", "score", "higher"),
    # under attack
    Figure("robust_accuracy", "robust accuracy", "share", "higher"),
    Figure("robust_accuracy_known", "robust accuracy on rows of known class", "share", "higher"),
    Figure("robust_accuracy_undefended", "robust accuracy of the undefended model", "share", "higher"),
    Figure("robust_rows_*", "judged rows ({})", "count"),
    # the model and its training
    Figure("parameters", "parameters", "count"),
    Figure("active_parameters", "of them active per row", "count", routed=True),
    Figure("steps", "steps", "count"),
    Figure("mean_train_epsilon", "mean epsilon in training", "number"),
    Figure("retention", "retention", "score", "higher"),
    Figure("forgetting", "forgetting", "score", "lower"),
    Figure("learning_accuracy", "learning accuracy", "share", "higher"),
    Figure("task_accuracy", "accuracy on a task", "share", "higher"),
    # the artefact
    Figure("int8_accuracy", "int8 accuracy", "share", "higher"),
    Figure("int8_loss_points", "accuracy lost by int8", "points", "lower"),
    Figure("int8_adversarial_loss_points", "accuracy lost by int8 on adversarial rows", "points", "lower"),
    Figure("int8_coverage", "rows that int8 answers", "share", "higher"),
    Figure("int8_accuracy_answered", "accuracy of what int8 answers", "share", "higher"),
    Figure("size_ratio", "int8 size", "ratio", "lower"),
    Figure("parity_same_route", "rows that take the same route", "score", "higher", routed=True),
    Figure("parity_max_abs_logit", "largest difference of a logit", "number", "lower"),
    # a sweep; its value is that of the objective, which the record names
    Figure("tune_best_value", "best value", "number"),
    Figure("tune_default_value", "value of the default settings", "number"),
    Figure("tune_overhead_per_trial_s", "seconds of a trial outside its own work", "number", "lower"),
    # time
    Figure("seconds", "seconds of a phase", "seconds", "lower"),
    Figure("seconds_total", "time", "seconds", "lower"),
    Figure("seconds_to_first_step", "first step", "seconds", "lower"),
    Figure("seconds_serve_first_answer", "first answer", "seconds", "lower"),
    Figure("speed", "milliseconds of a batch", "milliseconds", "lower"),
)
_NAMED = {figure.name: figure for figure in _TABLE}
_FAMILIES = [figure for figure in _TABLE if figure.name.endswith("*")]

COMMON = ("accuracy", "accuracy_known", "loss", "skip_rate")
"""What stands in every line of a validation, whatever the target; see `dsray.engine.validate.validation_line`."""


def listed(name: str, own: Sequence[Figure] = ()) -> Figure | None:
    """The line for a key: its own, its family's, or that of the name before its first `/`.

    own: lines of a kind of target that the table does not hold; each stands for `test_` and its name too.
    """
    if name in _NAMED:
        return _NAMED[name]
    for family in _FAMILIES:
        _, found, rest = name.partition(family.name[:-1])
        if found and rest and name.startswith(found):
            return replace(family, name=name, label=family.label.format(rest))
    for line in own:
        if name in (line.name, f"test_{line.name}"):
            return replace(line, name=name)
    base, slash, _ = name.partition("/")
    return listed(base, own) if slash else None


def figure(name: str, own: Sequence[Figure] = ()) -> Figure:
    """The line of the table for a key; a plain number under its own name where the table has none.

    Records of other versions hold keys that this one does not know; they are shown, and nothing is decided by them.
    """
    return listed(name, own) or Figure(name, name.replace("_", " "), "number")
