"""For all unit tests: one small prepared data set, scikit-learn's digits with a question, and constructed records."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from constructed import construct

from dsray.data import DataConfig, prepare
from dsray.record import Record


@pytest.fixture(autouse=True)
def _one_thread():
    """Sums in one order, and no fight for the cores with whatever else the machine does."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def digits():
    return prepare(DataConfig.model_validate({"source": "digits"}))


@pytest.fixture
def construct_record(tmp_path: Path) -> Callable[..., Record]:
    """`construct_record(seed=0, only=("metrics.json",))` under a folder of the test's own."""
    return lambda **changes: construct(tmp_path / "runs", **changes)
