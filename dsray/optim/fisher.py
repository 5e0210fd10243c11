"""Diagonal Fisher information from per-example gradients.

true: labels drawn from the model's own prediction (Martens 2014, the Fisher). empirical: the given labels (Kunstner et
al. 2019 on why the two differ). Squared mini-batch gradients are a third thing and are not offered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from dsray.base import RequestError
from dsray.base.batch import Batch
from dsray.base.likelihood import Likelihood
from dsray.base.modes import evaluating
from dsray.base.noise import key_of, uniform_torch
from dsray.base.protocols import as_classifier, first_input
from dsray.base.routed import Routed
from dsray.likelihoods import likelihood_of

FisherKind = Literal["true", "empirical"]


def diagonal_fisher(
    model: nn.Module, batches: Iterable[Batch | tuple[Tensor, Tensor]], *, kind: FisherKind = "true", seed: int = 0
) -> dict[str, Tensor]:
    """Parameter name -> mean squared gradient of log p(target | row), in the shape of the parameter.

    A model with early exits is measured over all of its blocks, and the mean is over its exits too: whatever exit a
    row happens to take, what lies behind it matters to others.

    batches: of any data loader: `Batch`, or (images, labels) for a model that maps images to logits.
    One backward pass per row and exit, so pass a few hundred rows. Only parameters that require gradients are measured,
    also under `no_grad`; the mode of each module and the gradients of the model are left as they were. 0 is for a
    parameter that no answer depends on. Raises RequestError where nothing is measured: no rows (a loader that is used
    up gives none), no parameter that requires gradients, or none that an answer depends on.
    """
    learning = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if not learning:
        raise RequestError("model: no parameter requires gradients; let those learn that are to be measured")
    answers, parameters, likelihood = _answers(model), list(learning.values()), likelihood_of(model)
    total = [torch.zeros_like(p) for p in parameters]
    rows, reached = 0, False
    with evaluating(model), torch.enable_grad():
        for batch in batches:
            batch = batch if isinstance(batch, Batch) else _as_batch(*batch, name=first_input(model), first=rows)
            for i in range(len(batch)):
                row = batch.select(slice(i, i + 1))  # type: ignore[arg-type]
                exits = answers(row)
                for gradients in _gradients(likelihood, exits, row, parameters, kind, seed):
                    reached |= any(g is not None for g in gradients)
                    for t, g in zip(total, gradients, strict=True):
                        if g is not None:
                            t += g.detach() ** 2 / len(exits)
                rows += 1
    if not rows:
        raise RequestError("batches: hold no rows to measure on; a loader that is used up gives none")
    if not reached:
        raise RequestError("model: its answers depend on no parameter that requires gradients; nothing can be measured")
    return {name: t / rows for name, t in zip(learning, total, strict=True)}


def _gradients(
    likelihood: Likelihood,
    exits: Sequence[Tensor],
    row: Batch,
    parameters: Sequence[Tensor],
    kind: FisherKind,
    seed: int,
) -> Iterator[Sequence[Tensor | None]]:
    """For each exit, the gradients of log p(label | row); None where the answer does not depend on it."""
    for number, logits in enumerate(exits, 1):
        if not logits.requires_grad:  # nothing before this exit is measured
            continue
        target = _draw(likelihood, logits, row, seed) if kind == "true" else row.target
        chosen = likelihood.log_likelihood(logits, target).sum()
        yield torch.autograd.grad(chosen, parameters, allow_unused=True, retain_graph=number < len(exits))


def _answers(model: nn.Module) -> Callable[[Batch], tuple[Tensor, ...]]:
    """The logits of every exit of the model, or its only ones."""
    if isinstance(model, Routed):
        return model.classify_at_exits
    classify = as_classifier(model)
    return lambda batch: (classify(batch),)


def _as_batch(values: Tensor, labels: Tensor, *, name: str, first: int) -> Batch:
    ids = torch.arange(first, first + len(labels), device=labels.device)
    return Batch({name: values}, labels, ids, torch.zeros_like(ids))


def _draw(likelihood: Likelihood, logits: Tensor, row: Batch, seed: int) -> Tensor:
    """A target from the model's own distribution."""
    uniform = uniform_torch(key_of(seed, "fisher"), row.rows, row.epochs, likelihood.draws)
    return likelihood.sample(logits, uniform)
