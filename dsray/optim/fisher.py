"""Diagonal Fisher information from per-example gradients.

true: labels drawn from the model's own prediction (Martens 2014, the Fisher). empirical: the given labels (Kunstner et
al. 2019 on why the two differ). Squared mini-batch gradients are a third thing and are not offered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, cast

import torch
from torch import Tensor, nn

from dsray.batch import Batch
from dsray.noise import key_of, uniform_torch
from dsray.protocols import as_classifier

FisherKind = Literal["true", "empirical"]


def diagonal_fisher(
    model: nn.Module, batches: Iterable[Batch | tuple[Tensor, Tensor]], *, kind: FisherKind = "true", seed: int = 0
) -> dict[str, Tensor]:
    """Parameter name -> mean squared gradient of log p(label | row), in the shape of the parameter.

    A model with early exits is measured over all of its blocks, and the mean is over its exits too: whatever exit a
    row happens to take, what lies behind it matters to others.

    batches: of any data loader: `Batch`, or (images, labels) for a model that maps images to logits.
    One backward pass per row and exit, so pass a few hundred rows. Only parameters that require gradients are measured;
    training mode and gradients of the model are left as they were.
    """
    answers = _answers(model)
    names, parameters = zip(*((n, p) for n, p in model.named_parameters() if p.requires_grad), strict=True)
    total = [torch.zeros_like(p) for p in parameters]
    rows = 0
    was_training = model.training
    model.eval()
    try:
        for batch in batches:
            batch = batch if isinstance(batch, Batch) else _as_batch(*batch, first=rows)
            for i in range(len(batch)):
                row = batch.select(slice(i, i + 1))  # type: ignore[arg-type]
                exits = answers(row)
                for number, logits in enumerate(exits, 1):
                    if not logits.requires_grad:  # nothing before this exit is measured
                        continue
                    log_p = logits.log_softmax(dim=-1)
                    label = _draw(log_p, row, seed) if kind == "true" else row.target
                    gradients = torch.autograd.grad(
                        log_p.gather(1, label[:, None]).sum(),
                        parameters,
                        allow_unused=True,
                        retain_graph=number < len(exits),
                    )
                    for t, g in zip(total, gradients, strict=True):
                        if g is not None:
                            t += g.detach() ** 2 / len(exits)
                rows += 1
    finally:
        model.train(was_training)
    return {name: t / max(1, rows) for name, t in zip(names, total, strict=True)}


def _answers(model: nn.Module) -> Callable[[Batch], tuple[Tensor, ...]]:
    """The logits of every exit of the model, or its only ones."""
    exits = getattr(model, "classify_at_exits", None)
    if exits is not None:
        return cast(Callable[[Batch], tuple[Tensor, ...]], exits)
    classify = as_classifier(model)
    return lambda batch: (classify(batch),)


def _as_batch(images: Tensor, labels: Tensor, *, first: int) -> Batch:
    ids = torch.arange(first, first + len(labels), device=labels.device)
    return Batch({"image": images}, labels, ids, torch.zeros_like(ids))


def _draw(log_p: Tensor, row: Batch, seed: int) -> Tensor:
    """A label from the model's own distribution, by inverting its cumulative sum."""
    u = uniform_torch(key_of(seed, "fisher"), row.rows, row.epochs, ())
    return (log_p.exp().cumsum(-1) < u[:, None]).sum(-1).clamp(max=log_p.shape[-1] - 1)
