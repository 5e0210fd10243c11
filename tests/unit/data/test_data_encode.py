"""Single columns: images, tokens and targets."""

import io
import json
import re
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from dsray.base import RequestError
from dsray.data import DataConfig, fit_schema, load_tables, prepare_table
from dsray.data.schema import Schema
from dsray.inputs import ImageSpec, TextSpec
from dsray.inputs.tokens import learn_tokenizer, load_tokenizer, tokenise


def image_schema(height: int, width: int, channels: int = 1) -> Schema:
    image = ImageSpec(column="i", channels=channels, height=height, width=width)
    return Schema(image=image, label="l", classes=("a", "b"))


def pixels_of(table: pa.Table, schema: Schema) -> np.ndarray:
    spec = schema.inputs["image"]
    flat = prepare_table(table, schema)["image"].combine_chunks().flatten().to_numpy()
    return flat.reshape(-1, spec.channels, spec.height, spec.width)


def spec_of(texts: list[str], vocabulary: int = 64, length: int = 8) -> TextSpec:
    return TextSpec(column="t", length=length, vocabulary=vocabulary, tokenizer=learn_tokenizer(texts, vocabulary))


# images


def test_grey_and_colour_keep_their_pixels(png):
    rng = np.random.default_rng(0)
    grey, colour = rng.integers(0, 256, (6, 5), dtype=np.uint8), rng.integers(0, 256, (6, 5, 3), dtype=np.uint8)
    table = pa.table({"i": [png(grey), png(colour)]})
    assert np.array_equal(pixels_of(table, image_schema(6, 5))[0, 0], grey)
    three = pixels_of(table, image_schema(6, 5, channels=3))
    assert np.array_equal(three[0], np.stack([grey] * 3))
    assert np.array_equal(three[1], colour.transpose(2, 0, 1))


def test_jpeg_and_the_struct_of_hugging_face(png):
    grey = np.full((8, 8), 120, dtype=np.uint8)
    table = pa.table({"i": [{"bytes": png(grey, "JPEG"), "path": "a.jpg"}, {"bytes": None, "path": None}, None]})
    pixels = pixels_of(table, image_schema(8, 8))
    assert np.abs(pixels[0].astype(int) - 120).max() <= 2
    assert prepare_table(table, image_schema(8, 8))["present.image"].to_pylist() == [True, False, False]


def test_sixteen_bit_grey_keeps_its_range(png):
    values = np.array([[0, 32896], [65535, 257]], dtype=np.uint16)
    assert pixels_of(pa.table({"i": [png(values)]}), image_schema(2, 2)).tolist() == [[[[0, 128], [255, 1]]]]


def test_a_transparent_palette_is_read_in_silence(recwarn):
    image = Image.fromarray(np.full((4, 4), 7, dtype=np.uint8)).convert("P")
    file = io.BytesIO()
    image.save(file, "PNG", transparency=bytes(range(256)))
    assert pixels_of(pa.table({"i": [file.getvalue()]}), image_schema(4, 4)).shape == (1, 1, 4, 4)
    assert not recwarn.list


def test_resizing_averages_over_the_area(png):
    checks = np.kron([[0, 255], [255, 0]], np.ones((8, 8))).astype(np.uint8)
    small = pixels_of(pa.table({"i": [png(checks)]}), image_schema(2, 2))[0, 0].astype(int)
    assert np.abs(small - [[0, 255], [255, 0]]).max() <= 64
    assert pixels_of(pa.table({"i": [png(checks)]}), image_schema(3, 5)).shape == (1, 1, 3, 5)


def test_missing_values_are_zeros_and_marked(small):
    tables = load_tables(DataConfig.model_validate(small), 0)
    schema = fit_schema(DataConfig.model_validate(small), tables["train"])
    table = pa.table({"picture": pa.array([None], pa.binary()), "note": pa.array([None], pa.string())})
    row = prepare_table(table, schema).to_pylist()[0]
    assert not any(row["image"])
    assert not any(row["text"])
    assert (row["present.image"], row["present.text"], row["target"]) == (False, False, -2)


@pytest.mark.parametrize("content", [b"", b"GIF89a..", b"\x89PNG\r\n\x1a\n broken"])
def test_bytes_that_are_no_image(content):
    with pytest.raises(
        RequestError, match=r"data.image.column: column 'i', row 0, holds \d+ bytes .*needs whole PNG or JPEG"
    ):
        prepare_table(pa.table({"i": [content]}), image_schema(2, 2))


def test_a_cut_image_is_refused(png):
    whole = png(np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8))
    with pytest.raises(RequestError, match="needs whole PNG or JPEG"):
        prepare_table(pa.table({"i": [whole[: len(whole) // 2]]}), image_schema(32, 32))


# text


def test_padding_cutting_case_and_unknown_letters():
    spec = spec_of(["which digit is this?"] * 3, length=5)
    ids = tokenise(["Which DIGIT", "which digit is this? which", "", "ß", "   "], spec.tokenizer, spec.length)
    assert ids.dtype == np.int64
    assert ids[0].tolist()[2:] == [0, 0, 0]
    assert ids[1].tolist()[:2] == ids[0].tolist()[:2]
    assert (ids[1] > 1).all()
    assert ids[2].tolist() == ids[3].tolist() == ids[4].tolist() == [1, 0, 0, 0, 0]


def test_words_of_the_tokeniser_itself_are_ordinary_text():
    spec = spec_of(["padding unknown [ ]"] * 2)
    ids = tokenise(["[padding] [unknown]"], spec.tokenizer, spec.length)
    assert not np.array_equal(ids[0, :2], [0, 1])
    assert ids[0, 0] > 1


def test_vocabulary_is_a_limit_even_for_many_letters():
    texts = ["".join(chr(0x4E00 + (7 * i + j) % 500) for j in range(9)) for i in range(200)]
    assert load_tokenizer(learn_tokenizer(texts, 50)).get_vocab_size() == 50


def test_the_tokeniser_does_not_depend_on_process_or_order(digits):
    code = (
        "import sys; from dsray.data import *; from dsray.inputs.tokens import learn_tokenizer;"
        "t = DigitsConfig().tables()['train']['question'].to_pylist(); print(learn_tokenizer(t[::-1], 256))"
    )
    made = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout for _ in range(2)}
    assert made == {digits.schema.inputs["text"].tokenizer + "\n"}


def test_the_tokeniser_learns_from_training_rows_only(small, tmp_path):
    schema = fit_schema(config := DataConfig.model_validate(small), load_tables(config, 0)["train"])
    test = pq.read_table(tmp_path / "test.parquet")
    pq.write_table(test.set_column(1, "note", pa.array(["zzz qqq"] * len(test))), tmp_path / "test.parquet")
    assert fit_schema(config, load_tables(config, 0)["train"]) == schema
    assert "z" not in json.loads(schema.inputs["text"].tokenizer)["model"]["vocab"]


def test_digits_fit_their_length(digits):
    lengths = (digits.columns["text"] > 0).sum(axis=1)
    assert lengths.min() >= 3
    assert (digits.columns["text"] != 1).all()
    words = max(len(re.findall(r"\w+|[^\w\s]", q)) for q in digits.shown["question"].to_pylist())
    assert words <= digits.schema.inputs["text"].length


# labels


def test_classes_are_numbers_by_value_then_words(digits):
    assert digits.schema.target.classes == (*"0123456789", "no", "yes")


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        ([10, 9, 9, 2], ("2", "9", "10")),
        ([True, False], ("false", "true")),
        ([1.0, 0.0, 1.0], ("0", "1")),
        (["b", "a", "10", "9"], ("9", "10", "a", "b")),
        (pa.array(["b", "a"]).dictionary_encode(), ("a", "b")),
    ],
)
def test_class_names_of_every_type_of_column(values, classes):
    config = DataConfig(source={"kind": "parquet", "train": "", "test": ""}, text={"column": "t"}, label="l")
    table = pa.table({"t": ["x"] * len(values), "l": values})
    schema = fit_schema(config, table)
    assert schema.target.classes == classes
    target = prepare_table(table, schema)["target"].to_pylist()
    names = table["l"].cast(pa.string()).to_pylist()
    assert [schema.target.classes[t] for t in target] == names


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["a", None], "is null in 1 training rows; remove them"),
        (["a", "a"], "holds 1 different values"),
        ([0.5, 1.0], "holds fractions or NaN (double); needs whole numbers"),
        (list(range(10_001)), "holds 10001 different values"),
        ([[1], [2]], "needs whole numbers, booleans or words"),
    ],
)
def test_labels_that_are_no_classes(values, words):
    config = DataConfig(source={"kind": "parquet", "train": "", "test": ""}, text={"column": "t"}, label="l")
    with pytest.raises(RequestError, match=r"^data\.label: column 'l' ") as caught:
        fit_schema(config, pa.table({"t": ["x"] * len(values), "l": values}))
    assert words in str(caught.value)


def test_unknown_and_null_labels_are_told_apart():
    schema = Schema(text=spec_of(["x"]), label="l", classes=("a", "b"))
    table = pa.table({"t": ["x"] * 4, "l": ["b", "c", None, "a"]})
    assert prepare_table(table, schema)["target"].to_pylist() == [1, -1, -2, 0]
