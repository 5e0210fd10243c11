"""Which tensors of the inputs hold continuous values, and in which range: what attacks may move."""

from __future__ import annotations

from typing import cast

from dsray.data.config import DataConfig
from dsray.data.schema import Schema
from dsray.inputs import INPUTS, InputConfig, TensorSpec

Range = tuple[float, float]


def movable(schema: Schema) -> dict[str, dict[str, TensorSpec]]:
    """Input -> part ("" where there is only one) -> tensor; those that have a range may be moved."""
    return {name: spec.tensors for name, spec in schema.inputs.items()}


def ranges(config: DataConfig) -> dict[str, Range | None]:
    """Input -> the range of its values as far as it is known before any row is read; None for ids and flags."""
    return {name: part.range for name, part in config.inputs.items()}


KINDS = tuple(kind for kind, member in INPUTS.members.items() if cast(type[InputConfig], member).range)
"""The kinds of input that attacks move."""
ONE, MANY = " or ".join(KINDS), " or ".join(f"{kind}s" for kind in KINDS)
"""These in words, where no single input is meant: `image`, `images`."""
NOTHING = f"attacks perturb {' and '.join(f'{kind}s' for kind in KINDS)}; data.{' or data.'.join(KINDS)} is missing"
"""What is wrong with an experiment that attacks where no input is continuous."""
