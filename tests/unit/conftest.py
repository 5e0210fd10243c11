"""One small prepared data set for all unit tests: scikit-learn's digits with a question."""

from __future__ import annotations

import pytest

from dsray.data import DataConfig, prepare


@pytest.fixture(autouse=True)
def _one_thread():
    """Sums in one order, and no fight for the cores with whatever else the machine does."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def digits():
    return prepare(DataConfig.model_validate({"source": "digits"}))
