"""What a judgement asks of a model and its rows before it means something; a RequestError says what would be right."""

from __future__ import annotations

import torch
from torch import Tensor

from dsray.attacks.judgement import Judgement
from dsray.attacks.threats import Threat
from dsray.base import RequestError, a
from dsray.base.batch import Batch


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
