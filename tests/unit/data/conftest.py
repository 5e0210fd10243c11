"""Tables, files and prepared rows that the tests of the data package share."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from dsray.data import DataConfig, Prepared, prepare


def _png(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def _small_table(rows: int, seed: int = 0) -> pa.Table:
    """Grey 6x5 images, a sentence, a label and the person that each row is about (five rows a person)."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, rows)
    return pa.table(
        {
            "picture": [_png(rng.integers(0, 256, (6, 5), dtype=np.uint8)) for _ in range(rows)],
            "note": [f"row of class {c} number {i % 7}" for i, c in enumerate(label)],
            "class": [f"c{c}" for c in label],
            "person": np.arange(rows) // 5,
        }
    )


SMALL = {
    "image": {"column": "picture", "size": [6, 5]},
    "text": {"column": "note", "vocabulary": 64, "length": 9},
    "label": "class",
    "show": ["person"],
}


@pytest.fixture(scope="session")
def png() -> Callable[..., bytes]:
    """(height, width) or (height, width, 3) uint8 -> encoded bytes."""
    return _png


@pytest.fixture(scope="session")
def small_table() -> Callable[..., pa.Table]:
    """Rows, seed -> the table behind `small`."""
    return _small_table


@pytest.fixture
def small(tmp_path: Path) -> dict:
    """The `data` section over two small Parquet files."""
    pq.write_table(_small_table(100), tmp_path / "train.parquet")
    pq.write_table(_small_table(20, seed=1), tmp_path / "test.parquet")
    paths = {split: str(tmp_path / f"{split}.parquet") for split in ("train", "test")}
    return {"source": {"kind": "parquet", **paths}, **SMALL}


@pytest.fixture(scope="session")
def digits() -> Prepared:
    return prepare(DataConfig())
