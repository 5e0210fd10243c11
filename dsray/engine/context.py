"""What a term sees of a step; each forward pass is computed once, when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dsray.base.batch import Batch
from dsray.base.protocols import Output, RowLoss
from dsray.learning import Anchor

Perturbation = Callable[[Batch, Tensor | None], Batch]
"""(batch, clean answers (batch, classes) to move away from, or None: climb the attack's own loss) -> adversarial batch."""


class Context:
    """One batch on its way through the model.

    step: step of the stage. moved: positions of the rows that the perturbation moves, all unless given; the clean and
    the adversarial pass share what they have to say of the others. anchors: of earlier tasks, for EWC.
    """

    def __init__(
        self,
        model: nn.Module,
        batch: Batch,
        step: int,
        *,
        perturbation: Perturbation | None = None,
        moved: Tensor | None = None,
        climbs_divergence: bool = False,
        anchors: list[Anchor] | None = None,
        clean: Output | None = None,
    ):
        self.model, self.batch, self.step = model, batch, step
        self.anchors = anchors or []
        self._perturbation, self._moved, self._climbs_divergence = perturbation, moved, climbs_divergence
        self._loads: list[Tensor] = []
        if clean is not None:
            self.__dict__["clean"] = clean

    @property
    def attacked(self) -> bool:
        """Whether the stage perturbs its rows."""
        return self._perturbation is not None

    @cached_property
    def clean(self) -> Output:
        """The model's output on the batch as it came."""
        return self._pass(self.batch, beside=self.__dict__.get("adversarial"))

    @cached_property
    def adversarial_batch(self) -> Batch:
        """The batch after the stage's attack; the batch itself at epsilon 0."""
        if self._perturbation is None:
            raise RuntimeError("a term asked for adversarial rows in a stage without a perturbation")
        clean = self.clean.logits.detach().softmax(-1) if self._climbs_divergence else None
        return self._perturbation(self.batch, clean)

    @cached_property
    def adversarial(self) -> Output:
        """The model's output on the adversarial rows."""
        batch = self.adversarial_batch
        return self.clean if batch is self.batch else self._pass(batch, beside=self.__dict__.get("clean"))

    def expert_load(self) -> Tensor:
        """(blocks, experts) int64: choices of the experts in all passes made by terms (never in the attack's).

        A row that is the same in both passes counts once.
        """
        return torch.stack(self._loads).sum(0)

    def _pass(self, batch: Batch, beside: Output | None) -> Output:
        """The output on `batch`. beside: of the other pass, which holds for the rows that are not moved."""
        if beside is None or self._moved is None or len(self._moved) == len(batch):
            return self._counted(batch)
        return _with_rows(beside, self._moved, self._counted(batch.select(self._moved)))

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


def divergence(clean: Tensor) -> RowLoss:
    """KL(clean answer || answer), what TRADES climbs. clean: (batch, classes), probabilities, which stay fixed."""

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        return F.kl_div(logits.log_softmax(-1), clean, reduction="none").sum(-1)

    return loss
