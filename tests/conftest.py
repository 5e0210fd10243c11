"""Strictness of the whole suite: warnings are errors, unit tests run without ray, absent data sets are named."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.abc import MetaPathFinder
from pathlib import Path

import pytest

DATA = Path(os.environ.get("DSRAY_DATA", Path(__file__).parents[2] / "shared" / "data"))
UNIT = Path(__file__).parent / "unit"

_left_out: dict[Path, int] = {}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("filterwarnings", "error")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Unit tests go first; `@pytest.mark.data("mnist")` is deselected where DSRAY_DATA/mnist is absent."""
    items.sort(key=lambda item: UNIT not in item.path.parents)
    absent = [item for item in items if (mark := item.get_closest_marker("data")) and _absent(mark)]
    if absent:
        config.hook.pytest_deselected(items=absent)
        items[:] = [item for item in items if item not in absent]


def _absent(mark: pytest.Mark) -> bool:
    missing = [DATA / name for name in mark.args or ("",) if not (DATA / name).exists()]
    for path in missing:
        _left_out[path] = _left_out.get(path, 0) + 1
    return bool(missing)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for path, count in _left_out.items():
        terminalreporter.write_line(f"left out: {count} tests on real data, since {path} is absent (set DSRAY_DATA)")


@pytest.fixture(autouse=True)
def _one_torch_thread() -> None:
    """Sums in one order, and no fight for the cores; torch is not loaded for this."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


class _NoRay(MetaPathFinder):
    """Refuses to load ray, and remembers that somebody tried."""

    def __init__(self) -> None:
        self.tried = False

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        if fullname == "ray":
            self.tried = True
            raise ModuleNotFoundError("unit tests run without ray", name=fullname)


@pytest.fixture(autouse=True)
def _unit_tests_run_without_ray(request: pytest.FixtureRequest) -> Iterator[None]:
    """Also where an earlier test, or the collection, has loaded it."""
    if UNIT not in request.node.path.parents:
        yield
        return
    hidden = {name: sys.modules.pop(name) for name in [*sys.modules] if name.partition(".")[0] == "ray"}
    finder = _NoRay()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        sys.modules.update(hidden)
    assert not finder.tried, f"{request.node.nodeid} imports ray"
