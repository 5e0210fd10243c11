"""What terms and views see of a step: its rows, the model, and each pass once, when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor, nn

from dsray.base.batch import Batch
from dsray.base.likelihood import Likelihood
from dsray.base.protocols import Output, RowLoss
from dsray.learning import Anchor
from dsray.likelihoods import likelihood_of


class View(Protocol):
    """A pass of a step; see `dsray.engine.views`."""

    def run(self, context: Context) -> Output: ...


class Context:
    """One batch on its way through the model; `context[view]` is the output of a pass.

    step: step of the stage. perturbation: the context -> its rows after the stage's attack; the batch itself where
    nothing moves. moved: positions of the rows that the perturbation may move, all unless given; passes share what they
    have to say of the others. anchors: of earlier tasks, for EWC. average: the state's average of
    the weights, by name. given: passes that are known already.
    """

    def __init__(
        self,
        model: nn.Module,
        batch: Batch,
        step: int,
        *,
        perturbation: Callable[[Context], Batch] | None = None,
        moved: Tensor | None = None,
        anchors: list[Anchor] | None = None,
        average: Mapping[str, Tensor] | None = None,
        given: Mapping[View, Output] | None = None,
    ):
        self.model, self.batch, self.step, self.moved = model, batch, step, moved
        self.anchors, self.average = anchors or [], average or {}
        self.likelihood = likelihood_of(model)
        self._perturbation = perturbation
        self._passes: dict[View, Output] = dict(given or {})
        self._loads: list[Tensor] = []
        self._first: Output | None = None

    def __getitem__(self, view: View) -> Output:
        if view not in self._passes:
            self._passes[view] = view.run(self)
        return self._passes[view]

    @property
    def seen(self) -> tuple[View, ...]:
        """The views that were asked for so far, in the order in which they were known."""
        return tuple(self._passes)

    @property
    def attacked(self) -> bool:
        """Whether the stage perturbs its rows."""
        return self._perturbation is not None

    @cached_property
    def adversarial_batch(self) -> Batch:
        """The batch after the stage's attack; the batch itself at epsilon 0."""
        if self._perturbation is None:
            raise RuntimeError("a term asked for adversarial rows in a stage without a perturbation")
        return self._perturbation(self)

    def run(self, batch: Batch) -> Output:
        """The model's output on `batch`, in which only the rows that may be moved differ from those of the step.

        What an earlier pass says of the other rows holds here too, and they are not run again.
        """
        if self._first is None:
            self._first = self._counted(batch)
            return self._first
        if self.moved is None or len(self.moved) == len(batch):
            return self._counted(batch)
        return _with_rows(self._first, self.moved, self._counted(batch.select(self.moved)))

    def part(self, rows: Tensor, given: Mapping[View, Output] | None = None) -> Context:
        """The step as some of its rows see it. rows: (n,) ascending positions; given: passes of them that are known.

        The choices of the experts in its passes count as those of the whole.
        """
        moved = None if self.moved is None else torch.isin(rows, self.moved).nonzero()[:, 0]
        part = Context(
            self.model,
            self.batch.select(rows),
            self.step,
            perturbation=self._perturbation,
            moved=moved,
            anchors=self.anchors,
            average=self.average,
            given=given,
        )
        part._loads = self._loads
        return part

    def parts(self, count: int) -> Iterator[Context]:
        """The step in `count` equal parts, one after the other, which must divide its rows; itself where it is one."""
        if count == 1:
            yield self
            return
        for rows in torch.arange(len(self.batch), device=self.batch.device).reshape(count, -1):
            yield self.part(rows)

    def expert_load(self) -> Tensor:
        """(blocks, experts) int64: choices of the experts in all passes made by terms (never in the attack's).

        A row that is the same in both passes counts once.
        """
        return torch.stack(self._loads).sum(0)

    def _counted(self, batch: Batch) -> Output:
        output: Output = self.model(batch.inputs, batch.present)
        if output.expert_load is not None:
            self._loads.append(output.expert_load)
        return output


def _with_rows(whole: Output, rows: Tensor, part: Output) -> Output:
    """`whole` with the answers of `part` at the positions `rows`; its load would be that of two passes, and is not told."""
    return Output(
        whole.logits.index_copy(0, rows, part.logits),
        tuple(w.index_copy(0, rows, p) for w, p in zip(whole.exits, part.exits, strict=True)),
        _copied(whole.blocks_run, rows, part.blocks_run),
    )


def _copied(whole: Tensor | None, rows: Tensor, part: Tensor | None) -> Tensor | None:
    return None if whole is None or part is None else whole.index_copy(0, rows, part)


def divergence(likelihood: Likelihood, clean: Tensor) -> RowLoss:
    """KL(clean answer || answer), what TRADES climbs. clean: (batch, outputs), logits, which stay fixed."""

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        return likelihood.divergence(clean, logits)

    return loss
