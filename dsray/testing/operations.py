"""The promises of operations."""

from __future__ import annotations

import numpy as np

from dsray.augment import OperationConfig, augment
from dsray.base import RunFailure
from dsray.base.protocols import Columns
from dsray.testing.settings import check_round_trip

ROWS = 16


def check_operation(config: OperationConfig) -> None:
    """Columns, rows, dtypes and shapes kept, nothing written into what it was given, and images finite.

    What it makes of a row depends on seed, stage, row and epoch alone: the same when it is built again, in any company.
    """
    check_round_trip(config)
    columns = _columns()
    first, again = _augmented(config, columns), _augmented(config, columns)
    for name in columns:
        assert np.array_equal(first[name], again[name]), f"'{name}' differs when the operation is repeated"
    part = np.array([9, 3, 14])
    alone = _augmented(config, {name: values[part] for name, values in columns.items()})
    for name in columns:
        assert np.array_equal(alone[name], first[name][part]), f"a row's '{name}' depends on its company"


def _augmented(config: OperationConfig, columns: Columns) -> Columns:
    """What the runner makes of the columns, which gives the operation views that it cannot write into."""
    try:
        return augment(dict(columns), [config.build()], 7, "stage")
    except RunFailure as error:
        raise AssertionError(str(error)) from None
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        raise AssertionError("the operation wrote into its columns; it gives new arrays") from None


def _columns() -> Columns:
    """Rows with an image, every fifth without, in their first epoch or their second."""
    return {
        "image": np.random.default_rng(0).random((ROWS, 1, 8, 8), np.float32),
        "present.image": np.arange(ROWS) % 5 > 0,
        "target": np.arange(ROWS) % 3,
        "row": np.arange(100, 100 + ROWS),
        "epoch": np.arange(ROWS) % 2,
    }
