"""The templates of reports and comparisons: how figures are written there, and which pictures they show."""

from __future__ import annotations

import re
from pathlib import Path

from dsray.base.templates import Templates
from dsray.record.words import count, number, percent, plain_name

_PICTURE = re.compile(r"data:image/(png|jpeg|webp|gif);base64,[A-Za-z0-9+/]+={0,2}")


def embedded(source: object) -> bool:
    """Whether `source` is a picture that the page holds itself: in base64, of a kind that cannot hold script."""
    return isinstance(source, str) and _PICTURE.fullmatch(source) is not None


LAYOUT = Templates(
    Path(__file__).parent,
    filters={"count": count, "number": number, "percent": percent, "plain_name": plain_name},
    tests={"embedded": embedded},
)
render = LAYOUT.render
