"""Which tensors of the inputs hold continuous values, and in which range: what attacks may move."""

from __future__ import annotations

from typing import NamedTuple

from dsray.data.config import DataConfig
from dsray.data.schema import Schema

NOTHING = "attacks perturb images; data.image is missing"
"""What is wrong with an experiment that attacks where no input is continuous."""


Range = tuple[float, float]


class Values(NamedTuple):
    """A tensor of an input. shape: of a row. range: of its values, None for ids and flags."""

    shape: tuple[int, ...]
    range: Range | None


def movable(schema: Schema) -> dict[str, dict[str, Values]]:
    """Input -> part ("" where there is only one) -> tensor."""
    found: dict[str, dict[str, Values]] = {}
    if schema.image:
        found["image"] = {"": Values((schema.image.channels, schema.image.height, schema.image.width), (0.0, 1.0))}
    if schema.text:
        found["text"] = {"": Values((schema.text.length,), None)}
    return found


def ranges(config: DataConfig) -> dict[str, Range | None]:
    """Input -> the range of its values as far as it is known before any row is read; None for ids and flags."""
    known = {"image": (0.0, 1.0), "text": None}
    return {name: limits for name, limits in known.items() if getattr(config, name)}
