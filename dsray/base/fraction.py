"""`8/255`: how the field writes radii."""

from __future__ import annotations

import math
import re
from typing import Any

FRACTION = r"^\s*(\d+(?:\.\d+)?)\s*/\s*(\d+(?:\.\d+)?)\s*$"


def fraction(value: Any) -> Any:
    """`8/255`, as the field writes radii, becomes a number; anything else stays as it is."""
    if isinstance(value, str) and (found := re.match(FRACTION, value)):
        above, below = float(found[1]), float(found[2])
        return above / below if below else math.inf
    return value
