"""Raw instances of a request -> columns that the model reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dsray.base import RequestError, nearest
from dsray.data.schema import Schema
from dsray.inputs import flat
from dsray.inputs.words import what

if TYPE_CHECKING:
    from dsray.base.protocols import Columns


def columns_of(instances: Sequence[Any], schema: Schema, field: str = "instances") -> Columns:
    """The instances as columns; row ids are positions, and no row has a target.

    instances: one dict each with a value for every input of the schema, as its kind reads it; null hides that input.
    field: what the errors call the list. Every fault is a RequestError that names the instance and its key.
    """
    if not instances:
        raise RequestError(f"{field}: is empty; needs at least one instance")
    for i, instance in enumerate(instances):
        _check_keys(instance, schema, f"{field}.{i}")
    rows = len(instances)
    columns: Columns = {}
    for name, spec in schema.inputs.items():
        present = np.array([instance[name] is not None for instance in instances])
        given = np.flatnonzero(present).tolist()
        found = spec.read([instances[i][name] for i in given], [f"{field}.{i}.{name}" for i in given])
        columns[f"present.{name}"] = present
        for part, tensor in spec.tensors.items():
            columns[flat(name, part)] = np.zeros((rows, *tensor.shape), dtype=tensor.dtype)
            columns[flat(name, part)][given] = found[part]
    columns["target"] = schema.target.unlabelled(rows)
    columns["row"] = np.arange(rows, dtype=np.int64)
    columns["epoch"] = np.zeros(rows, dtype=np.int64)
    return columns


def _check_keys(instance: Any, schema: Schema, field: str) -> None:
    wanted = schema.names
    if not isinstance(instance, dict):
        raise RequestError(f"{field}: got {what(instance)}; needs an object with {' and '.join(wanted)}")
    for key in instance:
        if key not in wanted:
            raise RequestError(f"{field}.{key}: unknown key; {nearest(str(key), list(wanted))}")
    for name in wanted:
        if name not in instance:
            raise RequestError(f"{field}.{name}: is missing; give it, or null to hide it from the model")
    if all(instance[name] is None for name in wanted):
        raise RequestError(f"{field}: {' and '.join(wanted)} cannot be null at once; give at least one")
