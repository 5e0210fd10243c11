"""What policies may watch: the figures of a validation line."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from dsray.base import nearest
from dsray.base.figures import WATCHED


def check_watched(name: str) -> str:
    """The name itself; a ValueError that gives the nearest one when no validation line holds such a figure."""
    if name not in WATCHED:
        raise ValueError(f"must be a figure of the validations; got '{name}'; {nearest(name, list(WATCHED))}")
    return name


METRIC = (
    "figure of the validations, e.g. accuracy, balanced_accuracy, loss; null for the target's own: accuracy, or "
    "balanced_accuracy where the stage's classes are uneven"
)
"""How the config fields that name one are described."""

Watched = Annotated[str, AfterValidator(check_watched)]
"""A config field that names a figure of the validation lines."""
