"""A number with its spread: a normal distribution of the standardised target."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from dsray.base import RequestError
from dsray.base.likelihood import Likelihood
from dsray.base.spread import WIDEST
from dsray.likelihoods.finite import check_finite

BETA = 0.5
"""Share of the way from the plain likelihood (0), which gives rows up that it finds hard, to squared error (1)."""
ROUNDED = 1e-12
"""Share of the sum of squares that is rounding, where nothing else is left of it once the mean is taken off."""


class Number(Likelihood):
    """target: (batch,) float32, standardised by the training rows; NaN for none. logits: (batch, 2), its mean and the
    log of its standard deviation, before `WIDEST` bounds that.

    Likelihoods are of the standardised number, so that the loss knows no units; figures are in those of the column.
    """

    draws = (2,)

    def __init__(self, tolerance: float, scale: float = 1.0, interval: float | None = None):
        """tolerance: standardised error up to which an answer is right. scale: units of the column in one standardised.
        interval: half the width of the interval in standard deviations, where it was calibrated."""
        self.tolerance, self.scale, self.interval = tolerance, scale, interval

    @property
    def outputs(self) -> int:
        return 2

    def known(self, target: Tensor) -> Tensor:
        return torch.isfinite(target)

    def loss(
        self,
        logits: Tensor,
        target: Tensor,
        *,
        smoothing: float = 0.0,
        focal: float = 0.0,
        weights: Tensor | None = None,
    ) -> Tensor:
        """beta-NLL (Seitzer et al. 2022, equation 5) with beta 0.5: rows that the model finds hard are not given up."""
        if smoothing or focal or weights is not None:
            raise ValueError("a number knows no smoothing, no focal exponent and no weights")
        spread = _log_spread(logits).detach().exp()
        return -(spread ** (2 * BETA)) * self.log_likelihood(logits, target)

    def log_likelihood(self, logits: Tensor, target: Tensor) -> Tensor:
        known, spread = self.known(target), _log_spread(logits)
        error = (logits[:, 0] - target.where(known, 0.0)) / spread.exp()
        return torch.where(known, -0.5 * error**2 - spread - 0.5 * math.log(2 * math.pi), 0.0)

    def divergence(self, clean: Tensor, logits: Tensor) -> Tensor:
        there, here = _log_spread(clean), _log_spread(logits)
        moved = ((clean[:, 0] - logits[:, 0]) / here.exp()) ** 2
        return here - there + 0.5 * ((2 * (there - here)).exp() + moved - 1)

    def wrong(self, logits: Tensor, target: Tensor) -> Tensor:
        return ~(self._error(logits, target) <= self.tolerance) | torch.isnan(logits).any(1)

    def margin(self, logits: Tensor, target: Tensor) -> Tensor:
        """Standardised error beyond the tolerance."""
        return self._error(logits, target) - self.tolerance

    def ascent(self, logits: Tensor, target: Tensor) -> Tensor:
        known = self.known(target)
        return torch.where(known, self.margin(logits, target.where(known, 0.0)), 0.0)

    def sample(self, logits: Tensor, uniform: Tensor) -> Tensor:
        """Box & Muller (1958)."""
        fixed = logits.detach()
        radius = (-2 * torch.log1p(-uniform[:, 0])).sqrt()
        normal = radius * torch.cos(2 * math.pi * uniform[:, 1])
        return (fixed[:, 0] + _log_spread(fixed).exp() * normal).to(fixed.dtype)

    def confidence(self, logits: Tensor) -> Tensor:
        """The probability that the truth lies within the tolerance of the mean."""
        return torch.erf(self.tolerance / math.sqrt(2) * torch.exp(-_log_spread(logits)))

    def tally(self, logits: Tensor, target: Tensor) -> Tensor:
        """(7,): rows, sums of |error|, error², target, target², rows within the interval, sum of its half widths.

        All standardised, so that targets are centred by the training rows and their squares lose no digits.
        """
        known = self.known(target)
        logits, target = logits[known].double(), target[known].double()
        error, half = logits[:, 0] - target, self._half(logits)
        sums = (error.abs(), error**2, target, target**2, (error.abs() <= half).double(), half)
        return torch.stack([torch.tensor(float(len(target)), dtype=torch.float64), *(values.sum() for values in sums)])

    def figures(self, tally: Tensor) -> dict[str, float]:
        """mae and rmse in units of the column; r2, the share of the variance explained, 0 where all targets are one
        number; interval_coverage and interval_width (units) where the interval was calibrated."""
        rows, absolute, squared, total, squares, inside, half = tally.tolist()
        spread = squares - total**2 / rows
        found = {
            "mae": self.scale * absolute / rows,
            "rmse": self.scale * math.sqrt(squared / rows),
            "r2": 1 - squared / spread if spread > ROUNDED * squares else 0.0,
        }
        if self.interval is None:
            return found
        width = 2 * self.scale * half / rows
        return found | {"interval_coverage": inside / rows, "interval_width": width}

    def said(self, tally: Tensor) -> dict[str, Any]:
        return {"own_figure": "mae"}

    def check(self, logits: Tensor, target: Tensor) -> None:
        if not isinstance(logits, Tensor):
            raise RequestError(f"model: gives a {type(logits).__name__}; needs a tensor, (rows, 2)")
        if tuple(logits.shape) != (len(target), 2):
            raise RequestError(
                f"model: gives {tuple(logits.shape)} for {len(target)} rows; needs (rows, 2), the mean of each number "
                "and the log of its standard deviation"
            )
        check_finite(logits)

    def _error(self, logits: Tensor, target: Tensor) -> Tensor:
        """|answer - truth|, with a gradient of 1 also where they are equal."""
        error = logits[:, 0] - target
        return torch.where(error < 0, -error, error)

    def _half(self, logits: Tensor) -> Tensor:
        return (self.interval or 0.0) * _log_spread(logits).exp()


def _log_spread(logits: Tensor) -> Tensor:
    """(batch,): the log standard deviation, bounded so that its gradient vanishes nowhere."""
    return WIDEST * torch.tanh(logits[:, 1] / WIDEST)
