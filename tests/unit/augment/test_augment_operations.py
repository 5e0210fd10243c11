"""One table of promises for every built-in operation, and what each does."""

import hashlib
import time
from typing import get_args

import numpy as np
import pytest

from dsray.augment import AnyOperation, AugmentConfig, GaussianNoiseConfig, OperationConfig, ShiftConfig, augment
from dsray.base import RequestError
from dsray.data.schema import Schema
from dsray.inputs import ImageSpec, TextSpec

MEMBERS = get_args(AnyOperation)[1].members
CASES = [config(**extra) for config in MEMBERS.values() for extra in ({}, {"chance": 0.5})]
each = pytest.mark.parametrize("config", CASES, ids=lambda c: f"{c.kind}-{c.chance:g}")


def columns_of(rows: int, *, shape: tuple[int, ...] = (1, 8, 8), epoch: int = 0, hidden: int = 0) -> dict:
    """Random images and token ids; the first `hidden` rows have no image."""
    rng = np.random.default_rng(0)
    return {
        "image": rng.random((rows, *shape), dtype=np.float32),
        "text": rng.integers(2, 50, (rows, 6)),
        "present.image": np.arange(rows) >= hidden,
        "present.text": np.ones(rows, dtype=bool),
        "target": rng.integers(0, 9, rows),
        "row": np.arange(rows, dtype=np.int64) + 100,
        "epoch": np.full(rows, epoch, dtype=np.int64),
    }


def schema_of(columns: dict) -> Schema:
    """The schema of `columns_of`."""
    channels, height, width = columns["image"].shape[1:]
    image = ImageSpec(column="image", channels=channels, height=height, width=width)
    text = TextSpec(column="text", length=6, vocabulary=50, tokenizer="")
    return Schema(inputs={"image": image, "text": text}, label="y", classes=("a", "b"))


def run(config: OperationConfig, columns: dict, seed: int = 3, stage: str = "clean", times: int = 1) -> dict:
    schema = schema_of(columns)
    return augment(columns, AugmentConfig(operations=(config,) * times).build(schema), schema, seed, stage)


@each
def test_everything_but_the_values_stays(config):
    before = columns_of(50)
    after = run(config, before)
    assert after.keys() == before.keys()
    for name in ("text", "present.image", "present.text", "target", "row", "epoch"):
        assert np.array_equal(after[name], before[name])
    assert (after["image"].dtype, after["image"].shape) == (np.float32, (50, 1, 8, 8))
    assert 0 <= after["image"].min() <= after["image"].max() <= 1
    assert not np.array_equal(after["image"], before["image"])


@each
def test_the_columns_given_are_not_written_to(config):
    before = columns_of(50)
    copies = {name: values.copy() for name, values in before.items()}
    run(config, before)
    assert all(np.array_equal(before[name], copies[name]) for name in copies)
    assert all(values.flags.writeable for values in before.values())


@each
def test_a_row_gets_the_same_in_any_company(config):
    columns = columns_of(50)
    whole = run(config, columns)
    chosen = np.array([31, 4, 17])
    alone = run(config, {name: values[chosen] for name, values in columns.items()})
    assert np.array_equal(alone["image"], whole["image"][chosen])


@each
def test_each_epoch_each_seed_and_each_stage_draw_anew(config):
    first = run(config, columns_of(50))["image"]
    assert np.array_equal(first, run(config, columns_of(50))["image"])
    others = run(config, columns_of(50), seed=4), run(config, columns_of(50), stage="pgd")
    for other in (run(config, columns_of(50, epoch=1)), *others):
        same = (other["image"] == first).all(axis=(1, 2, 3)).mean()
        assert same < 0.6


@each
def test_two_of_a_kind_draw_apart(config):
    columns = columns_of(200)
    once = run(config, columns)["image"]
    second = run(config, {**columns, "image": once})["image"]
    assert not np.array_equal(run(config, columns, times=2)["image"], second)


@each
def test_hidden_images_stay_as_they_are(config):
    before = columns_of(50, hidden=20)
    after = run(config, before)
    assert np.array_equal(after["image"][:20], before["image"][:20])
    assert not np.array_equal(after["image"][20:], before["image"][20:])


PHOTO = ImageSpec(column="photo", channels=1, height=8, width=8)
NOTE = TextSpec(column="note", length=6, vocabulary=50, tokenizer="")


def labelled(**inputs) -> Schema:
    return Schema(inputs=inputs, label="y", classes=("a", "b"))


@each
def test_of_two_images_only_the_named_one_is_changed(config):
    schema, one = labelled(front=PHOTO, back=PHOTO), columns_of(50, hidden=20)
    columns = {name: one[name] for name in ("target", "row", "epoch")}
    columns |= {"front": one["image"], "back": 1 - one["image"], "present.front": one["present.text"]}
    columns["present.back"] = one["present.image"]
    config = config.replace(input="back")
    after = augment(columns, AugmentConfig(operations=(config,)).build(schema), schema, 3, "clean")
    assert np.array_equal(after["front"], columns["front"])
    assert np.array_equal(after["back"][:20], columns["back"][:20])
    changed = run(config.replace(input=None), {**one, "image": columns["back"]})["image"]
    assert np.array_equal(after["back"], changed)  # the draws belong to row and place in the list, not to the name
    assert not np.array_equal(changed[20:], columns["back"][20:])


SCHEMAS = {
    "none": (labelled(note=NOTE), None),
    "none of the name": (labelled(photo=PHOTO), "foto"),
    "another kind": (labelled(photo=PHOTO, note=NOTE), "note"),
    "several": (labelled(photo=PHOTO, note=NOTE, scan=PHOTO), None),
}
SENTENCES = {
    "none": "shift changes an input of kind image, and data has only note; add one, or leave the operation out",
    "none of the name": "'foto' is no input; did you mean 'photo'?",
    "another kind": "shift cannot change 'note'; valid: photo",
    "several": "is needed, since photo and scan both fit; name one of them",
}


@pytest.mark.parametrize("case", SCHEMAS)
def test_an_operation_without_an_input_of_its_own_is_refused(case):
    schema, name = SCHEMAS[case]
    config = AugmentConfig(operations=(ShiftConfig(input=name),))
    with pytest.raises(RequestError) as caught:
        config.build(schema)
    assert str(caught.value) == f"augment.operations.0.input: {SENTENCES[case]}"


def test_the_draws_are_those_of_the_first_version():
    """To the bit: what an experiment file of then is trained on must not change."""
    columns = columns_of(4)
    config = AugmentConfig(operations=(GaussianNoiseConfig(), ShiftConfig(chance=0.5)))
    schema = schema_of(columns)
    after = augment(columns, config.build(schema), schema, 5, "pgd")["image"]
    assert hashlib.blake2b(after.tobytes(), digest_size=8).hexdigest() == "4be21d87cc746036"


@each
def test_any_shape_and_no_rows_at_all(config):
    assert run(config, columns_of(4, shape=(3, 5, 11)))["image"].shape == (4, 3, 5, 11)
    assert run(config, columns_of(0))["image"].shape == (0, 1, 8, 8)


@each
def test_a_hundred_thousand_small_images_a_second(config):
    columns = columns_of(4096)
    schema = schema_of(columns)
    operation = AugmentConfig(operations=(config,)).build(schema)
    times = []
    for _ in range(5):
        start = time.thread_time()
        augment(columns, operation, schema, 0, "clean")
        times.append(time.thread_time() - start)
    assert 4096 / min(times) >= 100_000


def test_noise_has_the_sigma_asked_for():
    columns = columns_of(2000)
    columns["image"] = np.full_like(columns["image"], 0.5)
    added = run(GaussianNoiseConfig(sigma=0.1), columns)["image"] - 0.5
    assert added.std() == pytest.approx(0.1, rel=0.02)
    assert added.mean() == pytest.approx(0.0, abs=0.002)
    assert abs(np.corrcoef(added[:-1].ravel(), added[1:].ravel())[0, 1]) < 0.02


@pytest.mark.parametrize("pixels", [1, 2, 9])
def test_every_row_is_shifted_by_whole_pixels_with_black_at_the_border(pixels):
    columns = columns_of(3000, shape=(2, 4, 5))
    before, after = columns["image"], run(ShiftConfig(pixels=pixels), columns)["image"]
    padded = np.pad(before, ((0, 0), (0, 0), (pixels, pixels), (pixels, pixels)))
    explained = np.zeros(len(before), dtype=int)
    for y in range(2 * pixels + 1):
        for x in range(2 * pixels + 1):
            explained += (after == padded[:, :, y : y + 4, x : x + 5]).all(axis=(1, 2, 3))
    assert (explained >= 1).all()
    assert after.flags.c_contiguous


def test_every_shift_is_equally_likely():
    columns = columns_of(9000, shape=(1, 3, 3))
    columns["image"] = np.zeros_like(columns["image"])
    columns["image"][:, 0, 1, 1] = 1
    share = run(ShiftConfig(pixels=1), columns)["image"].mean(axis=0)[0]
    assert np.abs(share - 1 / 9).max() < 0.015


def test_chance_is_the_share_of_rows_changed():
    columns = columns_of(5000)
    after = run(GaussianNoiseConfig(sigma=0.1, chance=0.3), columns)["image"]
    changed = (after != columns["image"]).any(axis=(1, 2, 3))
    assert changed.mean() == pytest.approx(0.3, abs=0.02)
    always = run(GaussianNoiseConfig(sigma=0.1), columns)["image"]
    assert np.array_equal(after[changed], always[changed])


def test_operations_are_chosen_by_kind():
    config = AugmentConfig.model_validate({"operations": ["shift", {"kind": "gaussian_noise", "sigma": 0.2}]})
    assert [type(o).__name__ for o in config.build(labelled(photo=PHOTO))] == ["Shift", "GaussianNoise"]
    assert AugmentConfig.model_validate(config.model_dump(mode="json")) == config
    assert AugmentConfig().operations == ()
