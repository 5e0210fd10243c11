"""Diagonal Fisher information from per-example gradients.

true: labels drawn from the model's own prediction (Martens 2014, the Fisher). empirical: the given labels (Kunstner et
al. 2019 on why the two differ). Squared mini-batch gradients are a third thing and are not offered.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

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

    batches: of any data loader: `Batch`, or (images, labels) for a model that maps images to logits.
    One backward pass per row, so pass a few hundred rows. Only parameters that require gradients are measured;
    training mode and gradients of the model are left as they were.
    """
    classify = as_classifier(model)
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
                log_p = classify(row).log_softmax(dim=-1)
                label = _draw(log_p, row, seed) if kind == "true" else row.target
                loss = -log_p.gather(1, label[:, None]).sum()
                for t, g in zip(total, torch.autograd.grad(loss, parameters, allow_unused=True), strict=True):
                    if g is not None:
                        t += g.detach() ** 2
                rows += 1
    finally:
        model.train(was_training)
    return {name: t / max(1, rows) for name, t in zip(names, total, strict=True)}


def _as_batch(images: Tensor, labels: Tensor, *, first: int) -> Batch:
    ids = torch.arange(first, first + len(labels), device=labels.device)
    return Batch({"image": images}, labels, ids, torch.zeros_like(ids))


def _draw(log_p: Tensor, row: Batch, seed: int) -> Tensor:
    """A label from the model's own distribution, by inverting its cumulative sum."""
    u = uniform_torch(key_of(seed, "fisher"), row.rows, row.epochs, ())
    return (log_p.exp().cumsum(-1) < u[:, None]).sum(-1).clamp(max=log_p.shape[-1] - 1)
