"""All that dsray knows of a model: how it answers, what it skips, how it is cut into pieces and exported."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from torch import Tensor, nn

from dsray.base.batch import Batch
from dsray.base.likelihood import Likelihood
from dsray.base.protocols import Output


@dataclass(frozen=True)
class Routing:
    """What a row may skip.

    blocks: of the trunk. experts: of each block, 0 where it has none. budget: most blocks that any row runs.
    threshold: confidence from which a row leaves early; None where no row can.
    """

    blocks: int
    experts: int
    budget: int
    threshold: float | None


class Exportable(nn.Module):
    """A model's evaluation-mode function in operations that an exporter can trace.

    forward(*tensors, *flags) -> a tuple of what `outputs` names. tensors: the inputs in the order of `tensors`; flags:
    (batch,) bool in the order of `present`, whether an input is there. outputs: `logits`, and `blocks_run` of a model
    with routing.
    """

    tensors: tuple[str, ...]
    present: tuple[str, ...]
    outputs: tuple[str, ...]


class Piece(nn.Module):
    """Some consecutive blocks of a model in training mode, for one process of a pipeline.

    Between pieces travel tensors with the rows first; the last piece gives the logits of every exit, the last one final.
    The parameters are the model's own. first, last: whether the piece begins or ends the model.
    """

    first: bool
    last: bool

    def pack(self, batch: Batch) -> tuple[Tensor, ...]:
        """What the first piece is called with; nothing for the others, which receive theirs from the piece before."""
        raise NotImplementedError

    def expert_load(self, passes: int) -> Tensor:
        """(blocks, experts) int64 of the whole model: choices in the last `passes` passes, 0 in other pieces' blocks."""
        raise NotImplementedError

    def forget(self) -> None:
        """Count the passes anew."""
        raise NotImplementedError


class Routed(nn.Module):
    """Base of the models.

    In training mode every exit answers. In evaluation mode a row may leave early, and what it skips is not computed. The
    forward pass is pure: what a router learns changes only in `balance`. A row's answer depends on that row alone.
    likelihood: what the logits mean.
    """

    likelihood: Likelihood

    @property
    def routing(self) -> Routing | None:
        """What a row may skip; None for a model that routes nothing, which has no figures of routing."""
        raise NotImplementedError

    def forward(self, inputs: Mapping[str, Tensor], present: Mapping[str, Tensor], *, full: bool = False) -> Output:
        """inputs, present: as in `Batch`. full: run every block for every row also in evaluation mode."""
        raise NotImplementedError

    def classify(self, batch: Batch) -> Tensor:
        """(batch, outputs): the answer's logits."""
        logits: Tensor = self(batch.inputs, batch.present).logits
        return logits

    def classify_at_exits(self, batch: Batch) -> tuple[Tensor, ...]:
        """(batch, outputs) logits of every exit head in order of depth, the last one final; no row leaves early."""
        exits: tuple[Tensor, ...] = self(batch.inputs, batch.present, full=True).exits
        return exits

    def balance(self, load: Tensor) -> None:
        """Update the routers that learn after a batch. load: (blocks, experts), summed over workers."""
        raise NotImplementedError

    def without_exits(self) -> AbstractContextManager[None]:
        """Within, no row leaves early; none runs more than the budget all the same."""
        raise NotImplementedError

    def exportable(self) -> Exportable:
        """The same evaluation-mode function in operations that an exporter can trace, routing included."""
        raise NotImplementedError

    def piece(self, index: int, pieces: int) -> Piece:
        """Piece number `index` of `pieces`."""
        raise NotImplementedError

    def piece_of(self, name: str, pieces: int) -> int:
        """Which of `pieces` holds the parameter or buffer `name`."""
        raise NotImplementedError

    def activations(self) -> int | None:
        """Numbers that a row keeps for the backward pass, about; None where that is not known."""
        raise NotImplementedError

    def idle_parameters(self) -> int:
        """Parameters that a row with every input leaves alone when it runs all blocks: experts that it does not choose."""
        raise NotImplementedError
