"""The figures of a validation line by name, and which way each of them is better."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Better = Literal["higher", "lower"]

FIGURES: Mapping[str, Better] = {
    "accuracy": "higher",
    "accuracy_known": "higher",
    "balanced_accuracy": "higher",
    "loss": "lower",
    "skip_rate": "higher",
}
"""What a policy may watch; see `dsray.engine.validate.validation_line` for what each means."""
