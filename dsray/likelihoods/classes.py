"""One of several classes: the softmax of a logit for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor
from torch.nn import functional as F

from dsray.base import RequestError
from dsray.base.balance import uneven
from dsray.base.likelihood import Likelihood
from dsray.likelihoods.finite import check_finite
from dsray.likelihoods.gap import gap
from dsray.likelihoods.ranking import ranking

SUM = 1e-3
"""How far from 1 the sum of a row of probabilities may be, in single precision."""


@final
class Classes(Likelihood):
    """target: (batch,) int64, the index of the class; negative where the model does not know it, which no answer is right for."""

    def __init__(self, names: Sequence[str] = (), normal: int | None = None):
        """names: of the classes; of a model that came from anywhere, none. normal: the class that raises no alarm."""
        self.names, self.normal = tuple(names), normal

    @property
    def outputs(self) -> int:
        return len(self.names)

    def known(self, target: Tensor) -> Tensor:
        return target >= 0

    def loss(
        self,
        logits: Tensor,
        target: Tensor,
        *,
        smoothing: float = 0.0,
        focal: float = 0.0,
        weights: Tensor | None = None,
    ) -> Tensor:
        """weights: (classes,). With `focal`, p is the probability of the true class."""
        known = target.clamp(min=-1)
        found = F.cross_entropy(logits, known, reduction="none", ignore_index=-1, label_smoothing=smoothing)
        if focal > 0:
            missed = 1 - self.log_likelihood(logits, target).exp()
            # where p is 1, a root of 0 has no slope, and nothing would come back but what is no number
            found = missed.clamp(min=torch.finfo(missed.dtype).tiny) ** focal * found
        return found if weights is None else weights[target.clamp(min=0)] * found

    def log_likelihood(self, logits: Tensor, target: Tensor) -> Tensor:
        chosen = logits.log_softmax(-1).gather(1, target.clamp(min=0)[:, None])[:, 0]
        return torch.where(target >= 0, chosen, 0.0)

    def mean_loss(self, logits: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(logits, target, ignore_index=-1)

    def divergence(self, clean: Tensor, logits: Tensor) -> Tensor:
        each = F.kl_div(logits.log_softmax(-1), clean.log_softmax(-1), reduction="none", log_target=True)
        return each.sum(-1)

    def wrong(self, logits: Tensor, target: Tensor) -> Tensor:
        return (logits.argmax(1) != target) | torch.isnan(logits).any(1)

    def margin(self, logits: Tensor, target: Tensor) -> Tensor:
        """Best other logit minus the true one (Carlini & Wagner 2017)."""
        true = target[:, None]
        others = logits.scatter(1, true, float("-inf"))
        return others.amax(1) - logits.gather(1, true)[:, 0]

    def ascent(self, logits: Tensor, target: Tensor) -> Tensor:
        return gap(logits, target)

    def sample(self, logits: Tensor, uniform: Tensor) -> Tensor:
        """By inverting the cumulative sum."""
        below = logits.log_softmax(-1).exp().cumsum(-1) < uniform[:, None]
        return below.sum(-1).clamp(max=logits.shape[-1] - 1)

    def confidence(self, logits: Tensor) -> Tensor:
        return torch.softmax(logits, dim=-1).amax(dim=-1)

    def tally(self, logits: Tensor, target: Tensor) -> Tensor:
        """(4, classes) flat: rows of each class, of them right, answers to them, answers to all rows."""
        answer, known, columns = logits.argmax(-1), target >= 0, logits.shape[-1]
        counted = (target[known], target[known & (answer == target)], answer[known], answer)
        return torch.cat([torch.bincount(classes, minlength=columns) for classes in counted]).double()

    def figures(self, tally: Tensor) -> dict[str, float]:
        """balanced_accuracy, the mean recall of the classes that occur; macro_f1, over those that occur or are answered;
        classes_answered, how many different ones are given as an answer."""
        rows, right, answers, given = tally.reshape(4, -1).float()
        there, counted = rows > 0, rows + answers > 0
        f1 = 2 * right / (rows + answers)
        return {
            "balanced_accuracy": float((right / rows)[there].double().mean()),
            "macro_f1": float((torch.where(counted, f1, 0.0) / counted.sum()).sum()),
            "classes_answered": int((given > 0).sum()),
        }

    def said(self, tally: Tensor) -> dict[str, Any]:
        """own_figure: balanced_accuracy where accuracy alone says little. one_answer: the class that each of several rows gets."""
        rows, _, _, given = tally.reshape(4, -1)
        found: dict[str, Any] = {"own_figure": "balanced_accuracy"} if uneven(rows.long().tolist()) else {}
        only = given.nonzero()[:, 0].tolist()
        return found | ({"one_answer": self.names[only[0]]} if len(only) == 1 < int(given.sum()) else {})

    def ranked(self, logits: Tensor, target: Tensor) -> dict[str, float]:
        """average_precision and recall_at_1pct (of the rows that are not `normal`, found while 1 % of the normal ones raise
        an alarm); rows are ranked by the odds against `normal`. Nothing where there is no such class, or no row on one side."""
        if self.normal is None:
            return {}
        known = target >= 0
        logits, alarm = logits[known].double(), target[known] != self.normal
        if alarm.all() or not alarm.any():
            return {}
        others = logits.index_fill(1, torch.tensor([self.normal]), float("-inf"))
        return ranking(others.logsumexp(1) - logits[:, self.normal], alarm)

    def check(self, logits: Tensor, target: Tensor) -> None:
        """Finite logits of at least two classes, which the targets belong to, and no probabilities."""
        if not isinstance(logits, Tensor):
            raise RequestError(f"model: gives a {type(logits).__name__}; needs a tensor of logits, (rows, classes)")
        rows, shape = len(target), tuple(logits.shape)
        if shape in ((rows,), (rows, 1)):
            raise RequestError(
                "model: gives one column, so that every answer is the same; give two: for one logit z of the second class, "
                "torch.stack([torch.zeros_like(z), z], -1) with z of shape (rows,)"
            )
        if len(shape) != 2 or shape[0] != rows:
            raise RequestError(f"model: gives {shape} for {rows} rows; needs logits of shape (rows, classes)")
        check_finite(logits)
        near = max(SUM, 8 * torch.finfo(logits.dtype).eps)
        if (logits >= 0).all() and ((logits.sum(1) - 1).abs() <= near).all():
            raise RequestError(
                "model: gives probabilities, whose gradient vanishes where the model is certain; give the logits that go "
                "into its softmax"
            )
        low, high = int(target.min()), int(target.max())
        if low < -1 or high >= shape[1]:
            wrong = low if low < -1 else high
            raise RequestError(
                f"labels: must lie in 0 to {shape[1] - 1}, since the model gives {shape[1]} columns; got {wrong}"
            )


def likelihood_of(model: Any) -> Likelihood:
    """That of a model, or of the model that a method belongs to; classes for one that says nothing of it."""
    found = getattr(getattr(model, "__self__", model), "likelihood", None)
    return found if isinstance(found, Likelihood) else Classes()
