"""The promises of operations."""

from __future__ import annotations

import numpy as np

from dsray.augment import AugmentConfig, OperationConfig, augment
from dsray.base import RunFailure
from dsray.base.protocols import Columns
from dsray.data.schema import Schema
from dsray.testing import subjects
from dsray.testing.settings import check_round_trip

ROWS = 16


def check_operation(config: OperationConfig, schema: Schema | None = None) -> None:
    """Columns, rows, dtypes and shapes kept, nothing written into what it was given, and what is continuous finite.

    What it makes of a row depends on seed, stage, row and epoch alone: the same when it is built again, in any company.
    schema: has an input that it changes, a small grey image unless given.
    """
    check_round_trip(config)
    schema = subjects.schema() if schema is None else schema
    columns = _columns(schema)
    first, again = _augmented(config, columns, schema), _augmented(config, columns, schema)
    for name in columns:
        assert np.array_equal(first[name], again[name]), f"'{name}' differs when the operation is repeated"
    part = np.array([9, 3, 14])
    alone = _augmented(config, {name: values[part] for name, values in columns.items()}, schema)
    for name in columns:
        assert np.array_equal(alone[name], first[name][part]), f"a row's '{name}' depends on its company"


def _augmented(config: OperationConfig, columns: Columns, schema: Schema) -> Columns:
    """What the runner makes of the columns, which gives the operation views that it cannot write into."""
    try:
        return augment(dict(columns), AugmentConfig(operations=(config,)).build(schema), schema, 7, "stage")
    except RunFailure as error:
        raise AssertionError(str(error)) from None
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        raise AssertionError("the operation wrote into its columns; it gives new arrays") from None


def _columns(schema: Schema) -> Columns:
    """Rows of random values, every fifth without each input, in their first epoch or their second."""
    rng, columns = np.random.default_rng(0), {}
    for name, tensor in schema.tensors.items():
        low, high = tensor.range or (0, tensor.ids or 2)
        drawn = low + (high - low) * rng.random((ROWS, *tensor.shape))
        columns[name] = drawn.astype(tensor.dtype)
    return {
        **columns,
        **{f"present.{name}": np.arange(ROWS) % 5 > 0 for name in schema.names},
        "target": np.arange(ROWS) % 3,
        "row": np.arange(100, 100 + ROWS),
        "epoch": np.arange(ROWS) % 2,
    }
