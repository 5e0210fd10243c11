"""scikit-learn's handwritten digits with a question (1,797 images of 8x8 pixels; Alpaydin & Kaynak 1998)."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import io
import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from PIL import Image
from pydantic import Field

from dsray.base.noise import key_of
from dsray.data.sources.questions import ANSWERS, SEEN, WORDINGS
from dsray.data.sources.source import SPLITS, SourceConfig

_TEST, _VALIDATION = 0.2, 0.1


class DigitsConfig(SourceConfig):
    """Each image with one question of each kind: which digit, even or not, larger than five or not.

    Image and question are both needed: the best answer without the question is right on half of the rows, without
    the image on 40 %. The splits hold different images (70, 10 and 20 %), and a quarter of the test rows ask in
    words that training has not seen in this arrangement.
    """

    kind: Literal["digits"] = "digits"
    questions: bool = Field(True, description="false: no question, each image once, the label is the digit")
    split_seed: int = Field(0, ge=0, description="seed of the splits and of the wordings drawn")

    def tables(self) -> dict[str, pa.Table]:
        values = _read()
        pixels, digits = values[:, :64].reshape(-1, 8, 8), values[:, 64].astype(np.int64)
        order = _balanced_order(digits, self.split_seed)
        test, validation = round(len(values) * _TEST), round(len(values) * _VALIDATION)
        parts = np.split(order, [len(values) - test - validation, len(values) - test])
        images = [_png(np.round(image * (255 / 16)).astype(np.uint8)) for image in pixels]
        return {split: self._rows(split, ids, images, digits) for split, ids in zip(SPLITS, parts, strict=True)}

    def _rows(self, split: str, ids: np.ndarray, images: list[bytes], digits: np.ndarray) -> pa.Table:
        if not self.questions:
            columns: dict[str, Any] = {"image": [images[i] for i in ids], "digit": digits[ids], "image_id": ids}
            return pa.table(columns)
        kinds = [(i, kind) for i in ids for kind in WORDINGS]
        drawn = np.random.default_rng([self.split_seed, key_of(split)]).integers(
            len(WORDINGS["digit"]) if split == "test" else SEEN, size=len(kinds)
        )
        return pa.table(
            {
                "image": [images[i] for i, _ in kinds],
                "question": [WORDINGS[kind][n] for (_, kind), n in zip(kinds, drawn, strict=True)],
                "answer": [ANSWERS[kind](int(digits[i])) for i, kind in kinds],
                "question_kind": [kind for _, kind in kinds],
                "digit": np.array([digits[i] for i, _ in kinds], dtype=np.int64),
                "image_id": np.array([i for i, _ in kinds], dtype=np.int64),
            }
        )

    def fingerprint(self) -> str:
        content = hashlib.blake2b(_path().read_bytes(), digest_size=16)
        content.update(json.dumps([self.model_dump(mode="json"), WORDINGS, SEEN, _TEST, _VALIDATION]).encode())
        return content.hexdigest()

    def columns(self) -> dict[str, Any]:
        image = {"column": "image", "size": 8, "channels": 1}
        if not self.questions:
            return {"image": image, "label": "digit", "group": "image_id", "show": ["image_id"]}
        return {
            "image": image,
            "text": {"column": "question", "vocabulary": 256, "length": 8},
            "label": "answer",
            "group": "image_id",
            "show": ["question_kind", "digit", "image_id"],
        }


def _balanced_order(digits: np.ndarray, seed: int) -> np.ndarray:
    """A random order of the images in which any long stretch holds the ten digits in their proportions."""
    order = np.random.default_rng(seed).permutation(len(digits))
    place = np.empty(len(digits))
    for digit in range(10):
        mine = order[digits[order] == digit]
        place[mine] = (np.arange(len(mine)) + 0.5) / len(mine)
    return order[np.argsort(place[order], kind="stable")]


def _path() -> Path:
    # found without importing sklearn.datasets, which takes 0.8 s
    spec = importlib.util.find_spec("sklearn")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("scikit-learn, which brings the digits, is not installed")
    return Path(spec.submodule_search_locations[0]) / "datasets" / "data" / "digits.csv.gz"


def _read() -> np.ndarray:
    """(1797, 65) integers: 64 pixels in 0..16, then the digit."""
    text = gzip.decompress(_path().read_bytes()).decode()
    return np.loadtxt(text.splitlines(), delimiter=",", dtype=np.int64)


def _png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
