"""A classifier that is watched: which rows an attack asked a gradient of, and which of them gave one."""

from __future__ import annotations

import torch
from torch import Tensor

from dsray.attacks.threats import Threat
from dsray.base.batch import Batch
from dsray.base.protocols import Classifier
from dsray.likelihoods import likelihood_of


class Watched:
    """Answers as the classifier does. It sees every attack that differentiates through it, whoever wrote it."""

    def __init__(self, model: Classifier, threat: Threat):
        self._model, self._tensors, self.likelihood = model, threat.tensors, likelihood_of(model)
        self._asked: list[Tensor] = []
        self._gave: list[tuple[Tensor, Tensor]] = []

    def __call__(self, batch: Batch) -> Tensor:
        rows = batch.rows
        for values in (batch.inputs[name] for name in self._tensors):
            if values.requires_grad and torch.is_grad_enabled():
                self._asked.append(rows)
                values.register_hook(lambda gradient: self._note(rows, gradient))
        return self._model(batch)

    def asked(self, rows: Tensor) -> Tensor:
        """Which of these row ids a gradient in the input was asked of: (rows,) bool."""
        return torch.isin(rows, torch.cat([rows[:0], *self._asked]))

    def gave(self, rows: Tensor) -> Tensor:
        """Which of these row ids gave a gradient that is not zero in every element, at least once: (rows,) bool."""
        return torch.isin(rows, torch.cat([rows[:0], *(ids[there] for ids, there in self._gave)]))

    def _note(self, rows: Tensor, gradient: Tensor) -> None:
        self._gave.append((rows, gradient.flatten(1).ne(0).any(1)))
