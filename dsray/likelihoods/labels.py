"""Several labels at once: for each the sigmoid of a logit of its own, independent of the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dsray.base import RequestError
from dsray.base.likelihood import Likelihood
from dsray.likelihoods.finite import check_finite
from dsray.likelihoods.ranking import average_precisions

SHARPNESS = 6.0
"""Standard deviation to which `ascent` brings the margins of a row before it weighs them."""


@final
class Labels(Likelihood):
    """target: (batch, labels) float32, 1 where the row has the label; below 0 or not a number where it is not known."""

    def __init__(self, names: Sequence[str], cuts: np.ndarray | None = None):
        """names: of the labels. cuts: (labels,), the logits above which a label is given; 0 unless told otherwise."""
        self.names = tuple(names)
        self.draws = (len(self.names),)
        self.cuts = torch.zeros(len(self.names)) if cuts is None else torch.from_numpy(cuts)

    @property
    def outputs(self) -> int:
        return len(self.names)

    def known(self, target: Tensor) -> Tensor:
        return (target >= 0).all(-1)

    def loss(
        self,
        logits: Tensor,
        target: Tensor,
        *,
        smoothing: float = 0.0,
        focal: float = 0.0,
        weights: Tensor | None = None,
    ) -> Tensor:
        """The sum over the labels. smoothing: each is 1 - smoothing / 2 certain. focal: p is the probability of what is
        true of the label. weights: (labels,), a factor where the row has the label."""
        logits, true = logits.float(), (target > 0).float()  # in bf16 the slope of a label that is nearly sure is lost
        soft = true * (1 - smoothing) + smoothing / 2
        each = F.softplus(logits) - soft * logits
        if focal > 0:
            each = (-focal * F.softplus((2 * true - 1) * logits)).exp() * each  # a power of 0 might have no slope
        if weights is not None:
            each = torch.where(true > 0, weights, 1.0) * each
        return torch.where(self.known(target), each.sum(-1), 0.0)

    def log_likelihood(self, logits: Tensor, target: Tensor) -> Tensor:
        return -self.loss(logits, target)

    def divergence(self, clean: Tensor, logits: Tensor) -> Tensor:
        """The sum over the labels of p (c - z) - softplus(c) + softplus(z), p = sigmoid(c)."""
        each = clean.sigmoid() * (clean - logits) - F.softplus(clean) + F.softplus(logits)
        return each.sum(-1)

    def wrong(self, logits: Tensor, target: Tensor) -> Tensor:
        """Where any label is wrong: accuracy is that of the whole set (subset accuracy)."""
        differs = (self._given(logits) != (target > 0)).any(-1)
        return differs | torch.isnan(logits).any(-1) | ~self.known(target)

    def margin(self, logits: Tensor, target: Tensor) -> Tensor:
        """That of the worst label: how far its logit is on the wrong side."""
        return self._margins(logits, target).amax(-1)

    def ascent(self, logits: Tensor, target: Tensor) -> Tensor:
        """The margins of all labels, weighted by how near each is to being wrong: the weights are constants, of margins
        brought to one standard deviation a row, as `gap` has them for classes; 0 where the target is not known."""
        margins = self._margins(logits, target)
        kept = margins.detach()
        spread = kept.std(-1, correction=0, keepdim=True)
        weights = (SHARPNESS * kept / torch.where(spread > 0, spread, 1.0)).softmax(-1)
        return torch.where(self.known(target), (weights * margins).sum(-1), 0.0)

    def sample(self, logits: Tensor, uniform: Tensor) -> Tensor:
        return (uniform < logits.sigmoid()).float()

    def confidence(self, logits: Tensor) -> Tensor:
        """The product over the labels of the probability of what is said of each."""
        return _probability(logits, self._given(logits))

    def exit_confidence(self, logits: Tensor) -> Tensor:
        return _probability(logits, logits > 0)

    def tally(self, logits: Tensor, target: Tensor) -> Tensor:
        """(4 labels + 1,): of rows of known target those given each label rightly, given it, having it; of all rows those
        given it; all rows."""
        known, given, true = self.known(target), self._given(logits), target > 0
        of_known = (given & true)[known], given[known], true[known]
        counted = [values.sum(0) for values in (*of_known, given)]
        return torch.cat([*counted, torch.tensor([len(logits)], device=logits.device)]).double()

    def figures(self, tally: Tensor) -> dict[str, float]:
        """macro_f1, the mean over the labels that occur or are given; micro_f1, over all pairs of a row and a label."""
        right, given, true, _ = tally[:-1].reshape(4, -1)
        counted = given + true > 0
        f1 = (2 * right / (given + true))[counted]
        whole = float((given + true).sum())
        return {
            "macro_f1": float(f1.mean()) if len(f1) else 0.0,
            "micro_f1": 2 * float(right.sum()) / whole if whole else 0.0,
        }

    def said(self, tally: Tensor) -> dict[str, Any]:
        """own_figure, and one_answer where every one of several rows is given the same labels."""
        found: dict[str, Any] = {"own_figure": "macro_f1"}
        rows, given = int(tally[-1]), tally[:-1].reshape(4, -1)[3]
        if rows < 2 or not ((given == 0) | (given == rows)).all():
            return found
        only = [name for name, times in zip(self.names, given.tolist(), strict=True) if times]
        return found | {"one_answer": ", ".join(only) or "no label"}

    def ranked(self, logits: Tensor, target: Tensor) -> dict[str, float]:
        """average_precision: the mean over the labels that occur; nothing where none does."""
        known = self.known(target)
        of_each = average_precisions(logits[known].numpy(), (target[known] > 0).numpy())
        there = ~np.isnan(of_each)
        return {"average_precision": float(of_each[there].mean())} if there.any() else {}

    def check(self, logits: Tensor, target: Tensor) -> None:
        """Finite logits, one for each label."""
        if not isinstance(logits, Tensor):
            raise RequestError(f"model: gives a {type(logits).__name__}; needs a tensor of logits, (rows, labels)")
        if logits.shape != (len(target), self.outputs):
            raise RequestError(
                f"model: gives {tuple(logits.shape)} for {len(target)} rows; needs logits of shape (rows, {self.outputs})"
            )
        check_finite(logits)

    def _given(self, logits: Tensor) -> Tensor:
        """(batch, labels) bool."""
        return logits > self.cuts.to(logits)

    def _margins(self, logits: Tensor, target: Tensor) -> Tensor:
        """(batch, labels): positive where the label is wrong."""
        return torch.where(target > 0, -1.0, 1.0) * (logits - self.cuts.to(logits))


def _probability(logits: Tensor, given: Tensor) -> Tensor:
    """(batch,): of exactly these labels."""
    return torch.where(given, F.softplus(-logits), F.softplus(logits)).sum(-1).neg().exp()
