"""Strictness of the whole suite, and where the real data sets are."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

DATA = Path(os.environ.get("DSRAY_DATA", Path(__file__).parents[2] / "shared" / "data"))

# warnings are errors, except those of third parties that no caller can avoid
IGNORED = (
    "ignore::DeprecationWarning:torch.*",
    "ignore::DeprecationWarning:onnxruntime.*",
    "ignore::ResourceWarning",
    "ignore:.*TorchScript-based ONNX export.*",
    "ignore:Please use the new API settings to control TF32.*",
)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("filterwarnings", "error")
    for line in IGNORED:
        config.addinivalue_line("filterwarnings", line)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests on real data need it; where it is absent they are deselected by name, not passed over in silence."""
    if DATA.is_dir():
        return
    absent = [item for item in items if item.get_closest_marker("data")]
    if absent:
        print(f"\n{len(absent)} tests on real data left out: {DATA} is absent (set DSRAY_DATA)", file=sys.stderr)
        config.hook.pytest_deselected(items=absent)
        items[:] = [item for item in items if item not in absent]


@pytest.fixture(autouse=True)
def _unit_tests_never_load_ray(request: pytest.FixtureRequest):
    unit = "/tests/unit/" in str(request.node.path)
    before = "ray" in sys.modules
    yield
    if unit and not before:
        assert "ray" not in sys.modules, f"{request.node.nodeid} imported ray"
