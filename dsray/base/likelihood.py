"""What the numbers mean that a model answers with: all that training, attacks, early exits and figures know of a target."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor


class Likelihood(ABC):
    """A distribution over the targets of a row, given its `outputs` numbers (the logits); it has no parameters.

    Everywhere, logits are (batch, outputs) and target is (batch, *shape) as the kind of target encodes it. Functions
    are of each row alone, so that answers depend on no batch-mates. A target that is not known gives a loss of 0.
    """

    draws: tuple[int, ...] = ()
    """Shape of the uniform numbers that `sample` takes for a row."""

    @property
    @abstractmethod
    def outputs(self) -> int:
        """How many numbers a model answers with."""

    @abstractmethod
    def known(self, target: Tensor) -> Tensor:
        """(batch,) bool: an answer can be right, since the model knows what is asked for."""

    @abstractmethod
    def loss(
        self,
        logits: Tensor,
        target: Tensor,
        *,
        smoothing: float = 0.0,
        focal: float = 0.0,
        weights: Tensor | None = None,
    ) -> Tensor:
        """(batch,): what training minimises, -log p(target) unless told otherwise.

        smoothing: share of the probability spread over all answers. focal: exponent gamma of (1 - p)^gamma, by which
        easy rows count less (Lin et al. 2017). weights: as `TargetSpec.weights` gives them. What makes no sense for a
        kind of target is refused by its spec before the start.
        """

    @abstractmethod
    def log_likelihood(self, logits: Tensor, target: Tensor) -> Tensor:
        """(batch,): log p(target)."""

    def mean_loss(self, logits: Tensor, target: Tensor) -> Tensor:
        """The mean of -log p(target) over the known rows: the figure `loss`."""
        known = self.known(target)
        return -self.log_likelihood(logits[known], target[known]).mean()

    @abstractmethod
    def divergence(self, clean: Tensor, logits: Tensor) -> Tensor:
        """(batch,): KL(what `clean` says || what `logits` say), both (batch, outputs); what TRADES adds and climbs."""

    @abstractmethod
    def wrong(self, logits: Tensor, target: Tensor) -> Tensor:
        """(batch,) bool: the answer is not right, or is not a number. Accuracy is the share of the others."""

    @abstractmethod
    def margin(self, logits: Tensor, target: Tensor) -> Tensor:
        """(batch,): how far the answer is from being right, positive where it is wrong; target known."""

    def ascent(self, logits: Tensor, target: Tensor) -> Tensor:
        """(batch,): what an attack climbs to judge a model; its gradient vanishes nowhere and knows no scale of the logits."""
        return self.margin(logits, target)

    @abstractmethod
    def sample(self, logits: Tensor, uniform: Tensor) -> Tensor:
        """(batch, *shape): targets drawn from the distribution. uniform: (batch, *draws) in [0, 1)."""

    @abstractmethod
    def confidence(self, logits: Tensor) -> Tensor:
        """(batch,) in [0, 1]: the model's own probability that its answer is right. Rows are refused by it, or leave early.

        It stands in exported graphs: operations that torch.onnx traces.
        """

    def exit_confidence(self, logits: Tensor) -> Tensor:
        """`confidence` as it was before calibration: rows leave early by it, so that what is calibrated changes no route."""
        return self.confidence(logits)

    @abstractmethod
    def tally(self, logits: Tensor, target: Tensor) -> Tensor:
        """(n,) float64: sums over the rows, which `figures` reads; those of several workers are added."""

    @abstractmethod
    def figures(self, tally: Tensor) -> dict[str, float]:
        """The kind's own figures, of the rows of known target, by the names that its spec lists."""

    def ranked(self, logits: Tensor, target: Tensor) -> dict[str, float]:
        """Further figures, which need all rows at once: areas under curves and the like."""
        return {}

    def check(self, logits: Tensor, target: Tensor) -> None:
        """A RequestError unless these can be answers of a model to these targets, for a model that came from anywhere."""
        return

    def said(self, tally: Tensor) -> dict[str, Any]:
        """What must be said beside the figures of a validation: `own_figure`, the one that stands beside accuracy, and
        `one_answer`, what every row gets; not for policies."""
        return {}
