"""Evaluation: answers of a model on rows, and the figures that are made of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from dsray.base import RequestError
from dsray.base.batch import Batch
from dsray.base.likelihood import Likelihood
from dsray.base.modes import evaluating
from dsray.base.protocols import Output
from dsray.base.routed import Routed, Routing
from dsray.likelihoods import likelihood_of


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

    logits (n, outputs), target (n, *shape), rows (n,). likelihood: what the logits mean. routes: what the rows ran; None
    of a model that routes nothing. A row whose target the model does not know is wrong whatever the answer. Rows without
    a target (`dsray.data.labelled`) do not belong here.
    """

    logits: Tensor
    target: Tensor
    rows: Tensor
    likelihood: Likelihood
    routes: Routes | None = None

    @cached_property
    def right(self) -> Tensor:
        """(n,) bool: the answer is right."""
        return ~self.likelihood.wrong(self.logits, self.target)

    @cached_property
    def confidence(self) -> Tensor:
        """(n,) in [0, 1]: the model's own probability that its answer is right."""
        return self.likelihood.confidence(self.logits)

    @property
    def accuracy(self) -> float:
        """Share of all rows that are answered right, in [0, 1]."""
        return float(self.right.double().mean())

    @property
    def rows_unknown(self) -> int:
        """How many rows have a target that the model does not know."""
        return int((~self.likelihood.known(self.target)).sum())

    @property
    def loss(self) -> float:
        """Mean of -log p(target) in nats over the rows of known target."""
        return float(self.likelihood.mean_loss(self.logits, self.target))

    def known(self) -> Evaluation:
        """The answers on the rows of known target; the experts' load stays that of all rows."""
        known = self.likelihood.known(self.target)
        if known.all():  # thousands of logits a row are not copied for nothing
            return self
        routes = None if self.routes is None else replace(self.routes, blocks_run=self.routes.blocks_run[known])
        return replace(self, logits=self.logits[known], target=self.target[known], rows=self.rows[known], routes=routes)

    def metrics(self) -> dict[str, float]:
        """The figures of these rows by name.

        accuracy: of all rows, the `rows_unknown` of a target that the model does not know counted as wrong.
        accuracy_known, calibration_error (15 bins), loss and the kind's own figures: of the others.
        """
        from torchmetrics.functional.classification import binary_calibration_error  # a second of imports

        known = self.known()
        error = binary_calibration_error(known.confidence, known.right.long(), n_bins=15)
        return {
            "accuracy": self.accuracy,
            "accuracy_known": known.accuracy,
            "rows_unknown": self.rows_unknown,
            **self.likelihood.figures(self.likelihood.tally(self.logits, self.target)),
            **self.likelihood.ranked(self.logits, self.target),
            "calibration_error": float(error),
            "loss": self.loss,
        }


@torch.no_grad()
def evaluate(model: Routed, batches: Iterable[Batch], *, full: bool = False) -> Evaluation:
    """The model's answers in evaluation mode; `full` runs every block for every row. Each module keeps its mode.

    Raises RequestError where there are no rows: a loader that is used up gives none.
    """
    outputs: list[Output] = []
    targets, rows = [], []
    with evaluating(model):
        for batch in (batch for batch in batches if len(batch)):
            output: Output = model(batch.inputs, batch.present, full=full)
            outputs.append(replace(output, logits=output.logits.float().cpu(), exits=()))  # the rest is of no use here
            targets.append(batch.target.cpu())
            rows.append(batch.rows.cpu())
    if not outputs:
        raise RequestError("batches: hold no rows to evaluate; a loader that is used up gives none")
    return Evaluation(
        logits=torch.cat([output.logits for output in outputs]),
        target=torch.cat(targets),
        rows=torch.cat(rows),
        likelihood=likelihood_of(model),
        routes=_routes(outputs, model.routing) if model.routing is not None else None,
    )


def _routes(outputs: list[Output], routing: Routing) -> Routes:
    loads = [o.expert_load.cpu() for o in outputs if o.expert_load is not None]
    ran = [o.blocks_run.cpu() for o in outputs if o.blocks_run is not None]
    return Routes(torch.cat(ran), torch.stack(loads).sum(0), routing.blocks)
