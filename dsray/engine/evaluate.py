"""Evaluation: answers of a model on rows, and the field's metrics of them (torchmetrics)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from dsray.base import RequestError
from dsray.base.batch import Batch
from dsray.base.modes import evaluating
from dsray.base.protocols import Output
from dsray.base.routed import Routed, Routing


@dataclass(frozen=True)
class Routes:
    """What n rows ran: blocks_run (n,) int64, expert_load (blocks, experts) int64; blocks: depth of the whole trunk."""

    blocks_run: Tensor
    expert_load: Tensor
    blocks: int

    @property
    def skip_rate(self) -> float:
        """Share of the trunk's blocks that were not computed, in [0, 1]."""
        return 1 - float(self.blocks_run.double().mean()) / self.blocks


@dataclass(frozen=True)
class Evaluation:
    """Answers on n rows, all on the CPU.

    logits (n, classes), target (n,), rows (n,). routes: what the rows ran; None of a model that routes nothing. A target
    of -1 is a class that the model does not know: its row is wrong whatever the answer. Rows without a label
    (`dsray.data.labelled`) do not belong here.
    """

    logits: Tensor
    target: Tensor
    rows: Tensor
    routes: Routes | None = None

    @property
    def accuracy(self) -> float:
        """Share of all rows that are answered right, in [0, 1]."""
        return float((self.logits.argmax(-1) == self.target).double().mean())

    @property
    def rows_unknown(self) -> int:
        """How many rows are of a class that the model does not know."""
        return int((self.target < 0).sum())

    @property
    def answered(self) -> list[int]:
        """How often each class is the answer, over all rows."""
        return torch.bincount(self.logits.argmax(-1), minlength=self.logits.shape[-1]).tolist()

    @property
    def loss(self) -> float:
        """Mean cross-entropy in nats over the rows whose class is known (target >= 0)."""
        return float(F.cross_entropy(self.logits, self.target, ignore_index=-1))

    def known(self) -> Evaluation:
        """The answers on the rows whose class is known; the experts' load stays that of all rows."""
        known = self.target >= 0
        routes = None if self.routes is None else replace(self.routes, blocks_run=self.routes.blocks_run[known])
        return Evaluation(self.logits[known], self.target[known], self.rows[known], routes)

    def metrics(self) -> dict[str, float]:
        """The figures of these rows by name.

        accuracy: of all rows, the `rows_unknown` of a class that the model does not know counted as wrong.
        accuracy_known, balanced_accuracy (mean recall of the classes that occur), macro_f1, calibration_error (15 bins)
        and loss: of the others. classes_answered: how many different classes are given as an answer.
        """
        from torchmetrics.functional.classification import (  # a second of imports that training does not need
            multiclass_calibration_error,
            multiclass_f1_score,
            multiclass_recall,
        )

        known = self.known()
        logits, target, classes = known.logits, known.target, known.logits.shape[-1]
        recall = multiclass_recall(logits, target, classes, average="none")
        occurs = torch.bincount(target, minlength=classes) > 0
        return {
            "accuracy": self.accuracy,
            "accuracy_known": known.accuracy,
            "rows_unknown": self.rows_unknown,
            "classes_answered": sum(count > 0 for count in self.answered),
            "balanced_accuracy": float(recall[occurs].double().mean()),
            "macro_f1": float(multiclass_f1_score(logits, target, classes, average="macro")),
            "calibration_error": float(multiclass_calibration_error(logits.softmax(-1), target, classes, n_bins=15)),
            "loss": self.loss,
        }


@torch.no_grad()
def evaluate(model: Routed, batches: Iterable[Batch], *, full: bool = False) -> Evaluation:
    """The model's answers in evaluation mode; `full` runs every block for every row. Each module keeps its mode.

    Raises RequestError where there are no rows: a loader that is used up gives none.
    """
    with evaluating(model):
        pairs = [(model(b.inputs, b.present, full=full), b) for b in batches if len(b)]
    if not pairs:
        raise RequestError("batches: hold no rows to evaluate; a loader that is used up gives none")
    outputs: list[Output] = [output for output, _ in pairs]
    return Evaluation(
        logits=torch.cat([o.logits.float().cpu() for o in outputs]),
        target=torch.cat([b.target.cpu() for _, b in pairs]),
        rows=torch.cat([b.rows.cpu() for _, b in pairs]),
        routes=_routes(outputs, model.routing) if model.routing is not None else None,
    )


def _routes(outputs: list[Output], routing: Routing) -> Routes:
    loads = [o.expert_load.cpu() for o in outputs if o.expert_load is not None]
    ran = [o.blocks_run.cpu() for o in outputs if o.blocks_run is not None]
    return Routes(torch.cat(ran), torch.stack(loads).sum(0), routing.blocks)
