"""Rows of the data as their kinds of input show them, for the files that pages are made from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dsray.data import Prepared
from dsray.inputs import InputSpec, Shown, flat


def raw_of(data: Prepared, row: int, spec: InputSpec) -> dict[str, Any]:
    """The values of a row as the source gave them, of the columns that an input reads and that are kept."""
    return {c: data.shown.column(c)[row].as_py() for c in spec.columns if c not in spec.encoded}


def values_of(columns: Mapping[str, np.ndarray], i: int, name: str, spec: InputSpec) -> dict[str, np.ndarray]:
    """Part -> what the model reads of row `i` of the columns."""
    return {part: columns[flat(name, part)][i] for part in spec.tensors}


def shown_inputs(data: Prepared, row: int) -> dict[str, dict[str, str]]:
    """Input -> what a page shows of it, for those that the row has."""
    columns = data.take(np.array([row]))
    return {
        name: as_json(spec.show(values_of(columns, 0, name, spec), raw_of(data, row, spec)))
        for name, spec in data.schema.inputs.items()
        if columns[f"present.{name}"][0]
    }


def as_json(shown: Shown) -> dict[str, str]:
    """`{"media": "image/png", "content": "data:..."}`."""
    return shown._asdict()
