"""Radius: an epsilon as an experiment file writes it; whether it is sound only its threat can say."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from dsray.base.fraction import FRACTION, fraction

Radius = Annotated[
    float,
    BeforeValidator(fraction),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": FRACTION}]}, mode="validation"
    ),
]
"""A radius in the units of its threat; `8/255` is understood in an experiment file."""
