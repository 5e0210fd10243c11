"""One small prepared data set for all unit tests: scikit-learn's digits with a question."""

from __future__ import annotations

import pytest

from dsray.data import DataConfig, prepare


@pytest.fixture(scope="session")
def digits():
    return prepare(DataConfig.model_validate({"source": "digits"}))
