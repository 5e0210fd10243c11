"""The model is cut into pieces, one per process; microbatches flow through them (1F1B, Narayanan et al. 2019)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, final

import torch
import torch.distributed as dist
from torch import Tensor

from dsray.base import RequestError
from dsray.base.protocols import Output
from dsray.base.routed import Routed
from dsray.engine.context import Context, View
from dsray.engine.executions import local
from dsray.engine.executions.data_parallel import sum_gradients, summed
from dsray.engine.executions.execution import Precision, WeightedTerm, autocast, loss_of
from dsray.engine.stage import Stage
from dsray.engine.state import TrainState
from dsray.engine.views import CLEAN
from dsray.optim import load_named_state, named_state

_WHOLE = "needs the whole model in one process; set it to 1"


@final
class Pipeline:
    """One process of a pipeline of `pieces`, which may stand beside others that hold other rows.

    Each process keeps the weights of the whole model, but gradients, optimiser state and activations only of its own
    piece; `gather` brings the weights of the other pieces up to date. Terms see one microbatch at a time and only the
    clean output: no attack and no EWC, whose work needs the whole model in one process. The batch flows in `accumulate`
    parts, one after the other, and must divide by the microbatches of all of them. along: the group of this pipeline,
    all processes unless given; across: that of the same piece in other pipelines, if any.
    """

    def __init__(
        self,
        model: Routed,
        microbatches: int,
        precision: Precision = "fp32",
        along: dist.ProcessGroup | None = None,
        across: dist.ProcessGroup | None = None,
        accumulate: int = 1,
    ):
        self.model, self.precision, self.microbatches, self.accumulate = model, precision, microbatches, accumulate
        self.passes = accumulate * microbatches
        self.device = next(model.parameters()).device
        self.along, self.across = along, across
        self.index, self.pieces = dist.get_rank(along), dist.get_world_size(along)
        self.piece = model.piece(self.index, self.pieces)
        self.owner = {name: model.piece_of(name, self.pieces) for name in model.state_dict()}
        self._schedule: tuple[object, Any] = (None, None)
        self._rows = 1
        self._context: Context | None = None
        self._terms: Sequence[WeightedTerm] = ()
        self._parts: list[dict[str, Tensor]] = []
        for tensor in (*model.parameters(), *model.buffers()):
            dist.broadcast(tensor.detach(), src=0)

    def check(self, stage: Stage) -> None:
        if stage.perturb:
            raise RequestError(f"parallel.pipeline: the attack of {stage.name} {_WHOLE}")
        for term in stage.terms:
            other = [view.kind for view in term.views if view != CLEAN]
            if other:
                raise RequestError(f"parallel.pipeline: '{term.kind}' reads the view '{other[0]}', which {_WHOLE}")

    def forward_backward(self, context: Context, terms: Sequence[WeightedTerm], rows: int) -> dict[str, Tensor]:
        if context.anchors:
            raise RequestError(f"parallel.pipeline: EWC {_WHOLE}")
        if len(context.batch) % self.passes:
            raise RequestError(
                f"parallel.microbatches: {self.passes} do not divide the {len(context.batch)} rows of a worker"
            )
        self._terms, self._rows = terms, rows
        self._parts = []
        self.piece.forget()
        for part in context.parts(self.accumulate):
            self._flow(part)
        parts = torch.zeros(len(terms), device=self.device)
        if self.piece.last:
            # torch runs piece and loss once before the first step, to learn their shapes: the last ones are of this step
            done = self._parts[-self.passes :]
            parts = torch.stack([torch.stack([part[name] for part in done]).sum() for name, _, _ in terms])
        dist.broadcast(parts, group=self.along, group_src=self.pieces - 1)
        if self.across is not None:
            sum_gradients((p for n, p in self.model.named_parameters() if self.owner[n] == self.index), self.across)
        return {name: parts[i] for i, (name, _, _) in enumerate(terms)}

    def _flow(self, context: Context) -> None:
        """Add the gradients of these rows, a microbatch after the other."""
        self._context = context
        packed = self.piece.pack(context.batch)
        # torch cuts inputs and target into microbatches itself and hands each piece of the target to the loss. What the
        # terms need of a batch is more than a target: so the target is the position of each row, by which the loss takes
        # its microbatch out of the whole context.
        target = {"target": torch.arange(len(context.batch), device=self.device)} if self.piece.last else {}
        with autocast(self.precision, self.device):
            self._scheduled(context).step(*packed, **target, return_outputs=False)

    def expert_load(self, context: Context) -> Tensor:
        load = self.piece.expert_load(self.passes)
        # zeros in the blocks of other pieces: the sum along the pipeline is the whole table
        dist.all_reduce(load, group=self.along)
        return self.reduce(load)

    def clip(self, max_norm: float | None) -> float:
        # The norm is that of the whole model, of which each process holds the gradients of one piece: squares are summed
        # along the pipeline, and every process comes to the same factor. Pipelines beside this one hold the same sums
        # already. The 1e-6 is that of `clip_grad_norm_`, so that one process and many clip alike.
        grads = [p.grad for p in self.model.parameters() if p.grad is not None]
        square = torch.stack([g.double().square().sum() for g in grads] or [torch.zeros((), dtype=torch.float64)]).sum()
        square = square.to(self.device)
        dist.all_reduce(square, group=self.along)
        norm = math.sqrt(float(square))
        if max_norm is not None and norm > max_norm:
            torch._foreach_mul_(grads, max_norm / (norm + 1e-6))
        return norm

    def optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        local.optimizer_step(optimizer)

    def reduce(self, values: Tensor) -> Tensor:
        return values if self.across is None else summed(values, self.device, self.across)

    @torch.no_grad()
    def gather(self, state: TrainState) -> None:
        for tensors in (self.model.state_dict(), state.average):
            for name, tensor in tensors.items():
                dist.broadcast(tensor, group=self.along, group_src=self.owner[name])
        if state.optimizer is None:
            return
        # As objects, since a process knows neither which tensors an optimiser keeps for the parameters of other pieces nor
        # their shapes; and on the CPU, since only the one that writes the checkpoint has a use for all of them.
        named = named_state(state.optimizer).items()
        mine = {k: v.cpu() for k, v in named if self.owner[k.rpartition("/")[0]] == self.index}
        everyones: list[dict[str, Tensor]] = [{} for _ in range(self.pieces)]
        dist.all_gather_object(everyones, mine, group=self.along)
        for i, theirs in enumerate(everyones):
            if i != self.index:
                load_named_state(state.optimizer, theirs)

    def predict(self, context: Context, view: View) -> Output:
        return local.predict(context, view, self.precision, self.device)

    def _scheduled(self, context: Context) -> Any:
        """The schedule for these shapes and trainable parameters; torch learns both once, at the first batch."""
        from torch.distributed.pipelining import PipelineStage  # a second of imports that only pipelines need
        from torch.distributed.pipelining.schedules import get_schedule_class

        learning = tuple(p.requires_grad for p in self.model.parameters())
        key = (len(context.batch), tuple(context.batch.inputs), tuple(context.batch.present), learning)
        if self._schedule[0] != key:
            stage = PipelineStage(self.piece, self.index, self.pieces, self.device, group=self.along)
            make: Any = get_schedule_class("1F1B")
            # no scaling: torch would divide by the microbatches, and the terms are divided by the rows of the whole batch
            self._schedule = key, make(stage, self.microbatches, loss_fn=self._loss, scale_grads=False)
        return self._schedule[1]

    def _loss(self, output: Tensor | tuple[Tensor, ...], index: Tensor) -> Tensor:
        """The terms' loss on one microbatch. index: its rows within the batch."""
        assert self._context is not None
        exits = output if isinstance(output, tuple) else (output,)
        part = self._context.part(index, given={CLEAN: Output(exits[-1], exits)})
        loss, parts = loss_of(part, self._terms, self._rows)
        self._parts.append(parts)
        return loss
