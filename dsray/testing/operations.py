"""The promises of operations."""

from __future__ import annotations

import numpy as np

from dsray.augment import OperationConfig, augment
from dsray.testing.settings import check_round_trip


def check_operation(config: OperationConfig) -> None:
    """Rows, dtypes, shapes and range kept; repeatable; a row's result depends on seed, stage, row and epoch alone."""
    check_round_trip(config)
    rng = np.random.default_rng(0)
    columns = {
        "image": rng.random((16, 1, 8, 8), np.float32),
        "present.image": np.arange(16) % 5 > 0,
        "target": np.arange(16) % 3,
        "row": np.arange(100, 116),
        "epoch": np.arange(16) % 2,
    }
    operation = config.build()
    first = augment(dict(columns), [operation], 7, "stage")
    again = augment(dict(columns), [operation], 7, "stage")
    for name, values in columns.items():
        assert first[name].shape == values.shape, f"{name} changed its shape"
        assert first[name].dtype == values.dtype, f"{name} changed its dtype"
        assert np.array_equal(first[name], again[name]), f"{name} differs when repeated"
    assert 0 <= first["image"].min() <= first["image"].max() <= 1, "an image left the range [0, 1]"
    absent = np.logical_not(columns["present.image"])
    assert np.array_equal(first["image"][absent], columns["image"][absent]), "an absent image was changed"
    part = np.array([9, 3, 14])
    alone = augment({k: v[part] for k, v in columns.items()}, [operation], 7, "stage")
    assert np.array_equal(alone["image"], first["image"][part]), "a row's result depends on its company"
