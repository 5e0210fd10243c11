"""The runner keeps what an operation must not change, and refuses operations that try."""

import numpy as np
import pytest
from pydantic import ValidationError

from dsray.augment import AugmentConfig, augment
from dsray.base import RunFailure, explain
from dsray.data.schema import Schema
from dsray.inputs import ImageSpec, InputSpec, TensorSpec

IMAGE = ImageSpec(column="image", channels=1, height=2, width=2)
SCHEMA = Schema(inputs={"image": IMAGE}, label="y", classes=("a", "b"))


def columns_of(rows: int = 6) -> dict:
    return {
        "image": np.full((rows, 1, 2, 2), 0.5, dtype=np.float32),
        "present.image": np.ones(rows, dtype=bool),
        "target": np.zeros(rows, dtype=np.int64),
        "row": np.arange(rows, dtype=np.int64),
        "epoch": np.zeros(rows, dtype=np.int64),
    }


class Brightness:
    """Adds `by` to the image, out of range for all the operation knows."""

    def __init__(self, by: float):
        self.by = np.float32(by)

    def __call__(self, columns, key):
        return {**columns, "image": columns["image"] + self.by}


def test_images_are_clipped_to_the_unit_range():
    assert (augment(columns_of(), [Brightness(3)], SCHEMA, 0, "clean")["image"] == 1).all()
    assert (augment(columns_of(), [Brightness(-3)], SCHEMA, 0, "clean")["image"] == 0).all()


class Sound(InputSpec):
    """Two tensors: samples in [-1, 1], and ids."""

    kind: str = "sound"

    @property
    def tensors(self):
        return {"left": TensorSpec((2,), range=(-1.0, 1.0)), "speaker": TensorSpec((), "int64", ids=9)}


def test_each_tensor_is_kept_in_its_own_range_and_where_its_input_is():
    schema = SCHEMA.model_copy(update={"inputs": {"image": IMAGE, "talk": Sound()}})
    columns = columns_of() | {
        "talk/left": np.zeros((6, 2), np.float32),
        "talk/speaker": np.zeros(6, np.int64),
        "present.talk": np.arange(6) > 1,
    }
    after = augment(
        columns,
        [lambda c, k: {**c, "talk/left": c["talk/left"] - 3, "talk/speaker": c["talk/speaker"] + 30}],
        schema,
        0,
        "clean",
    )
    assert after["talk/left"].tolist() == [[0, 0]] * 2 + [[-1, -1]] * 4
    assert after["talk/speaker"].tolist() == [0, 0, 30, 30, 30, 30]
    assert np.array_equal(after["image"], columns["image"])


def test_operations_run_in_order():
    columns = augment(columns_of(), [Brightness(3), Brightness(-0.25)], SCHEMA, 0, "clean")
    assert (columns["image"] == 0.75).all()


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        (lambda c, k: {n: v for n, v in c.items() if n != "target"}, "gave columns"),
        (lambda c, k: {**c, "extra": c["row"]}, "gave columns"),
        (lambda c, k: {n: v[:-1] for n, v in c.items()}, r"needs float32 \(6, 1, 2, 2\)"),
        (lambda c, k: {**c, "image": c["image"].astype(np.float64)}, r"gave 'image' as float64"),
        (lambda c, k: {n: v[::-1] for n, v in c.items()}, "changed 'row'"),
        (lambda c, k: {**c, "epoch": c["epoch"] + 1}, "changed 'epoch'"),
        (lambda c, k: {**c, "target": c["target"] + 1}, "changed 'target'"),
        (Brightness(np.nan), "values that are not finite"),
        (Brightness(np.inf), "values that are not finite"),
    ],
)
def test_broken_promises_name_the_operation(operation, words):
    with pytest.raises(RunFailure, match=words) as caught:
        augment(columns_of(), [Brightness(0), operation], SCHEMA, 0, "clean")
    assert str(caught.value).startswith(f"augment.operations.1 ({type(operation).__name__}): ")


def test_writing_into_the_columns_is_not_possible():
    def writes(columns, key):
        columns["image"] *= 0
        return columns

    with pytest.raises(ValueError, match="read-only"):
        augment(columns_of(), [writes], SCHEMA, 0, "clean")


@pytest.mark.parametrize(
    ("operation", "sentence"),
    [
        ({"kind": "gausian_noise"}, "unknown kind 'gausian_noise'; did you mean 'gaussian_noise'?"),
        ({"kind": "gaussian_noise", "sigma": 25}, "sigma: input should be less than or equal to 1; got 25"),
        ({"kind": "gaussian_noise", "sgima": 0.1}, "sgima: unknown key; did you mean 'sigma'?"),
        ({"kind": "shift", "pixels": 0}, "pixels: input should be greater than or equal to 1; got 0"),
        ({"kind": "shift", "chance": 0}, "chance: input should be greater than 0; got 0"),
    ],
)
def test_wrong_settings_are_refused(operation, sentence):
    with pytest.raises(ValidationError) as caught:
        AugmentConfig.model_validate({"operations": [operation]})
    assert sentence in explain(caught.value, "augment")
