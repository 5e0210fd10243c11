"""One Ray session and one small served model for all tests that need them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny import write_tiny_artefact

from dsray.data import DataConfig, prepare

TEXTS = ("which digit is this?", "is it even?", "is the number larger than five?")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What Ray's own modules warn of on import is no fault of ours."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.*"))


@pytest.fixture(scope="session")
def digits():
    return prepare(DataConfig.model_validate({"source": "digits"}))


@pytest.fixture(scope="session")
def ray_session():
    from dsray.parallel.config import ParallelConfig
    from dsray.runtime.session import Session

    with Session(ParallelConfig()) as session:
        yield session


@pytest.fixture(scope="session")
def instances(digits):
    """Forty test rows as a client sends them: whole numbers 0..255 and a text; some hide one of the two."""
    columns = digits.take(digits.splits["test"][:40])
    images = (columns["image"][:, 0] * 255).round().astype(int).tolist()
    rows = [{"image": image, "text": TEXTS[i % len(TEXTS)]} for i, image in enumerate(images)]
    for i, hidden in ((3, "image"), (7, "text"), (21, "text")):
        rows[i][hidden] = None
    return rows


@pytest.fixture(scope="session")
def tiny_run(digits, instances, tmp_path_factory):
    """A run folder as far as serving looks into it."""
    run = tmp_path_factory.mktemp("served") / "a run"
    write_tiny_artefact(digits, run / "compressed")
    (run / "example.json").write_text(json.dumps({"instances": instances[:1]}))
    (run / "report.html").write_text("<p>the report</p>")
    return run


@pytest.fixture(scope="session")
def tiny_artefact(tiny_run):
    from dsray.compress import Artefact

    return Artefact.load(tiny_run / "compressed")
