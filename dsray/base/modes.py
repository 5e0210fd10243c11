"""Training and evaluation mode, kept for each module on its own: a frozen norm in evaluation mode stays there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode inside; afterwards each module is in the mode that it was found in."""
    found = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in found:
            module.training = training


def frozen_parts(model: nn.Module) -> list[nn.Module]:
    """The largest parts that have parameters of which none requires gradients.

    A module without parameters belongs to the part around it.
    """
    parts = []
    for child in model.children():
        learning = [parameter.requires_grad for parameter in child.parameters()]
        if any(learning):
            parts += frozen_parts(child)
        elif learning:
            parts.append(child)
    return parts
