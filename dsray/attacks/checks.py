"""What a judgement asks of a model and its rows before it means something; a RequestError says what would be right."""

from __future__ import annotations

import torch
from torch import Tensor

from dsray.attacks.judgement import Judgement
from dsray.base import RequestError

SUM = 1e-3
"""How far from 1 the sum of a row of probabilities may be, in single precision."""


def check_images(image: Tensor) -> None:
    """The images are floats in [0, 1]."""
    if not image.is_floating_point():
        raise RequestError(f"images: must be floats in [0, 1]; got {image.dtype}; divide 8-bit pixels by 255")
    low, high = image.aminmax()
    if not (low >= 0 and high <= 1):
        raise RequestError(f"images: must lie in [0, 1]; got {low:g} to {high:g}; divide 8-bit pixels by 255")


def check_labels(labels: Tensor, images: Tensor) -> None:
    """There is a whole number, 0 or more, for each image."""
    if labels.ndim != 1 or len(labels) != len(images):
        shape = len(labels) if labels.ndim == 1 else f"shape {tuple(labels.shape)}"
        raise RequestError(f"labels: one for each image; got {shape} for {len(images)} images")
    if labels.is_floating_point() or labels.dtype == torch.bool:
        raise RequestError(f"labels: must be whole numbers; got {labels.dtype}; give the class of each image as int64")
    if len(labels) and int(labels.min()) < 0:
        raise RequestError(f"labels: must be known for every image, 0 or more; got {int(labels.min())}")


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


def check_judged(found: Judgement) -> Judgement:
    """The judgement itself, unless no attack had anything to move or to climb."""
    if found.unmoved.all():
        raise RequestError(f"batches: none of the {len(found.rows)} rows has an image; attacks move images")
    if found.blind_alone:
        raise RequestError(
            f"attack: the gradient of all {int(found.climbed.sum())} rows that {', '.join(found.survived)} climbed is zero "
            "in every pixel, so that nothing was judged; use kind 'random_search', which needs none"
        )
    return found
