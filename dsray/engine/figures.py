"""The figures of a validation line by name, and which way each of them is better."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator

from dsray.base import nearest

Better = Literal["higher", "lower"]

FIGURES: Mapping[str, Better] = {
    "accuracy": "higher",
    "accuracy_known": "higher",
    "balanced_accuracy": "higher",
    "loss": "lower",
    "skip_rate": "higher",
}
"""What a policy may watch; see `dsray.engine.validate.validation_line` for what each means."""


def check_figure(name: str) -> str:
    """The name itself; a ValueError that gives the nearest one when no validation line holds such a figure."""
    if name not in FIGURES:
        raise ValueError(f"must be a figure of the validations; got '{name}'; {nearest(name, list(FIGURES))}")
    return name


def gain(name: str, value: float) -> float:
    """The value of a figure turned so that more is better; what is not a number is worse than any."""
    if math.isnan(value):
        return -math.inf
    return value if FIGURES[name] == "higher" else -value


Figure = Annotated[str, AfterValidator(check_figure)]
"""A config field that names a figure of the validation lines."""
