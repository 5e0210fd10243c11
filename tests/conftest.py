"""Strictness of the whole suite: warnings are errors, unit tests run without ray, what is absent is named.

GPUs are hidden, so that the suite is the same with and without one, except from `-m gpu`, which runs what needs them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

import pytest

DATA = Path(os.environ.get("DSRAY_DATA", Path(__file__).parents[2] / "shared" / "data"))
UNIT = Path(__file__).parent / "unit"

_left_out: dict[str, int] = {}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("filterwarnings", "error")
    if not _on_gpus(config):
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


def _on_gpus(config: pytest.Config) -> bool:
    return config.option.markexpr == "gpu"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Unit tests go first; left out are `data("mnist")` where DSRAY_DATA/mnist is absent, and `gpu(2)` on one GPU."""
    items.sort(key=lambda item: UNIT not in item.path.parents)
    absent = [item for item in items if _absent(item, config)]
    if absent:
        config.hook.pytest_deselected(items=absent)
        items[:] = [item for item in items if item not in absent]


def _absent(item: pytest.Item, config: pytest.Config) -> bool:
    """Whether the machine lacks what a test is marked to need; a test of one GPU is never left out of `-m gpu`."""
    missing = []
    if mark := item.get_closest_marker("data"):
        missing = [
            f"tests on real data, since {DATA / name} is absent (set DSRAY_DATA)"
            for name in mark.args or ("",)
            if not (DATA / name).exists()
        ]
    elif mark := item.get_closest_marker("gpu"):
        if not _on_gpus(config):
            return True
        if mark.args and _gpus() < mark.args[0]:
            missing = [f"tests of {mark.args[0]} GPUs, since there are fewer"]
    for what in missing:
        _left_out[what] = _left_out.get(what, 0) + 1
    return bool(missing)


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of several tells the process that prints what it has left out; each has looked at all tests."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = _left_out


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    _left_out.update(getattr(node, "workeroutput", {}).get("left_out", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for what, count in _left_out.items():
        terminalreporter.write_line(f"left out: {count} {what}")


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
