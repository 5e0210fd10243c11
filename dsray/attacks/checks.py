"""What a judgement asks of a model and its rows before it means something; a RequestError says what would be right."""

from __future__ import annotations

import torch
from torch import Tensor

from dsray.attacks.judgement import Judgement
from dsray.attacks.threats import Threat
from dsray.base import RequestError, a
from dsray.base.batch import Batch

SUM = 1e-3
"""How far from 1 the sum of a row of probabilities may be, in single precision."""


def check_values(batch: Batch, threat: Threat, field: str | None = None) -> None:
    """The values that the threat moves are floats inside its range. field: what to call them; the input unless given."""
    values, name = threat.read(batch), field or f"{threat.input}s"
    low, high = threat.limits(values)
    one = isinstance(low, float)  # range for all values
    limits = f"[{low:g}, {high:g}]" if one else "their ranges"
    hint = "; divide 8-bit pixels by 255" if one and (low, high) == (0.0, 1.0) else ""
    if not values.is_floating_point():
        raise RequestError(f"{name}: must be floats in {limits}; got {values.dtype}{hint}")
    if not ((values >= low) & (values <= high)).all():
        least, most = values.aminmax()
        raise RequestError(f"{name}: must lie in {limits}; got {least:g} to {most:g}{hint}")


def check_labels(labels: Tensor, values: Tensor, noun: str) -> None:
    """There is a whole number, 0 or more, for each value. noun: what to call one."""
    if labels.ndim != 1 or len(labels) != len(values):
        shape = len(labels) if labels.ndim == 1 else f"shape {tuple(labels.shape)}"
        raise RequestError(f"labels: one for each {noun}; got {shape} for {len(values)} {noun}s")
    if labels.is_floating_point() or labels.dtype == torch.bool:
        raise RequestError(f"labels: must be whole numbers; got {labels.dtype}; give the class of each {noun} as int64")
    if len(labels) and int(labels.min()) < 0:
        raise RequestError(f"labels: must be known for every {noun}, 0 or more; got {int(labels.min())}")


def check_logits(logits: Tensor, target: Tensor) -> None:
    """The model's answers on the clean rows are finite logits of at least two classes, which the targets belong to."""
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
    if not logits.is_floating_point():
        raise RequestError(f"model: gives {logits.dtype}; needs logits, which are floats")
    finite = torch.isfinite(logits).all(1)
    if not finite.all():
        raise RequestError(f"model: gives logits that are not finite on {int((~finite).sum())} of {rows} rows")
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


def nothing_to_move(rows: int, input: str) -> RequestError:
    """What is said of rows that all lack the input."""
    return RequestError(f"batches: none of the {rows} rows has {a(input)}; attacks move {input}s")


def check_judged(found: Judgement) -> Judgement:
    """The judgement itself, unless no attack had anything to move or to climb."""
    if found.unmoved.all():
        raise nothing_to_move(len(found.rows), found.input)
    if found.blind_alone:
        raise RequestError(
            f"attack: the gradient of all {int(found.climbed.sum())} rows that {', '.join(found.survived)} climbed is zero "
            f"in every {found.element}, so that nothing was judged; use kind 'random_search', which needs none"
        )
    return found
