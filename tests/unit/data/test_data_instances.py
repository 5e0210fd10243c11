"""Raw instances of a request, and files given to `predict`."""

import base64

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dsray.base import RequestError
from dsray.data import DataConfig, columns_of, load_tables, prepare, prepare_table, read_rows
from dsray.data.schema import Schema
from dsray.inputs import ImageSpec

QUESTION = "is this digit even?"
BLANK = [[0.0] * 8] * 8


def text64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def refusal(schema: Schema, *instances) -> str:
    with pytest.raises(RequestError) as caught:
        columns_of(list(instances), schema)
    return str(caught.value)


@pytest.fixture(scope="module")
def colour() -> Schema:
    return Schema(image=ImageSpec(column="i", channels=3, height=4, width=6), label="l", classes=("a", "b"))


def test_an_instance_equals_its_prepared_row(digits):
    rows = digits.splits["test"][:20]
    table = load_tables(DataConfig())["test"].slice(0, 20).to_pylist()
    columns = columns_of([{"image": text64(r["image"]), "text": r["question"]} for r in table], digits.schema)
    expected = digits.take(rows)
    for name in ("image", "text", "present.image", "present.text"):
        assert np.array_equal(columns[name], expected[name]), name
        assert columns[name].dtype == expected[name].dtype, name
    assert columns.keys() == expected.keys()
    assert not digits.schema.target.labelled(columns["target"]).any()


def test_every_way_to_write_an_image_means_the_same(digits, png):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
    encoded = text64(png(pixels))
    wrapped = "\n".join(encoded[i : i + 60] for i in range(0, len(encoded), 60))
    ways = [encoded, f"data:image/png;base64,{encoded}", wrapped, pixels.tolist(), (pixels / 255).tolist()]
    ways += [pixels[None].tolist(), pixels[..., None].tolist()]
    columns = columns_of([{"image": way, "text": QUESTION} for way in ways], digits.schema)
    assert np.abs(columns["image"] - pixels[None, None].astype(np.float32) / 255).max() < 1e-7


def test_colour_arrays_in_both_layouts(colour, png):
    pixels = np.random.default_rng(0).integers(2, 256, (4, 6, 3), dtype=np.uint8)
    ways = [pixels.tolist(), pixels.transpose(2, 0, 1).tolist(), text64(png(pixels))]
    image = columns_of([{"image": way} for way in ways], colour)["image"]
    assert np.array_equal(image[0], pixels.transpose(2, 0, 1).astype(np.float32) / np.float32(255))
    assert np.array_equal(image[0], image[1])
    assert np.array_equal(image[0], image[2])


def test_null_hides_an_input(digits):
    columns = columns_of([{"image": None, "text": QUESTION}, {"image": BLANK, "text": None}], digits.schema)
    assert columns["present.image"].tolist() == [False, True]
    assert columns["present.text"].tolist() == [True, False]
    assert not columns["text"][1].any()


def test_refused_keys(digits):
    schema, good = digits.schema, {"image": BLANK, "text": QUESTION}
    assert refusal(schema) == "instances: is empty; needs at least one instance"
    assert refusal(schema, [1]) == "instances.0: got a list; needs an object with image and text"
    assert refusal(schema, good, {"image": BLANK}).startswith("instances.1.text: is missing; give it, or null")
    assert refusal(schema, {**good, "txt": ""}) == "instances.0.txt: unknown key; did you mean 'text'?"
    assert refusal(schema, {**good, "question": ""}) == "instances.0.question: unknown key; valid: image, text"
    assert refusal(schema, {"image": None, "text": None}).startswith("instances.0: image and text cannot be null at")
    assert refusal(schema, {**good, "text": 5}) == "instances.0.text: got a number; needs a string or null"
    assert refusal(schema, {**good, "text": ["a"]}) == "instances.0.text: got a list; needs a string or null"


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ([[0.0] * 8] * 7, "got 7x8 pixels (height x width); needs 8x8"),
        ([[[0.0]] * 8] * 7, "got 7x8 pixels (height x width); needs 8x8"),
        ([[[0.0] * 3] * 8] * 8, "got numbers of shape 8x8x3; needs 8x8"),
        ([0.0] * 64, "got numbers of shape 64; needs 8x8"),
        ([], "got numbers of shape 0; needs 8x8"),
        ([[0.0] * 8] * 7 + [[0.0]], "rows of different lengths; needs 8x8 numbers"),
        ([["a"] * 8] * 8, "holds values that are not numbers"),
        ([[True] * 8] * 8, "holds values that are not numbers"),
        ([[None] * 8] * 8, "holds values that are not numbers"),
        ([[10**30] * 8] * 8, "holds values that are not numbers"),
        ([[1.5] * 8] * 8, "got 1.5; needs fractions in [0, 1] or only whole numbers in 0..255"),
        ([[-1] * 8] * 8, "got -1; needs fractions"),
        ([[256] * 8] * 8, "got 256; needs fractions"),
        ([[float("nan")] * 8] * 8, "got nan; needs fractions"),
        ([[1] * 8] * 8, "whole numbers mean 0..255, so 1 is almost black; write 255 for white"),
        ("not base64!", "is not base64; needs a PNG or JPEG image in base64"),
        ("aGVsbG8=", "is not a whole PNG or JPEG image"),
        ("é", "is not base64"),
        (7, "got a number; needs a base64 string, nested numbers or null"),
        ({"b64": ""}, "got an object; needs a base64 string"),
    ],
)
def test_refused_images(digits, image, words):
    said = refusal(digits.schema, {"image": BLANK, "text": ""}, {"image": image, "text": QUESTION})
    assert said.startswith("instances.1.image: "), said
    assert words in said


def test_encoded_images_of_another_size_or_format(digits, png):
    wide = text64(png(np.zeros((8, 16), dtype=np.uint8)))
    assert refusal(digits.schema, {"image": wide, "text": ""}) == (
        "instances.0.image: got 8x16 pixels (height x width); needs 8x8"
    )
    noise = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
    for content in (png(noise, "GIF"), png(noise)[:70]):
        assert "not a whole PNG or JPEG" in refusal(digits.schema, {"image": text64(content), "text": ""})


def test_a_huge_image_is_refused_by_its_header(digits):
    import struct
    import zlib

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    assert refusal(digits.schema, {"image": text64(bomb), "text": ""}).startswith("instances.0.image: ")


# files


@pytest.fixture
def schema(small) -> Schema:
    return prepare(DataConfig.model_validate(small)).schema


def test_parquet_and_csv_give_the_same_rows(schema, small_table, tmp_path):
    table = small_table(12, seed=4)
    pq.write_table(table, tmp_path / "rows.parquet")
    for i, content in enumerate(table["picture"].to_pylist()):
        (tmp_path / f"{i}.png").write_bytes(content)
    lines = [f"{i}.png,{row['note']},{row['class']}" for i, row in enumerate(table.to_pylist())]
    (tmp_path / "rows.CSV").write_text("\n".join(["picture,note,class", *lines]))
    one, two = (prepare_table(read_rows(tmp_path / f, schema), schema) for f in ("rows.parquet", "rows.CSV"))
    for name in ("image", "text", "present.image", "present.text", "target"):
        assert one[name].equals(two[name]), name
    assert (one["target"].to_numpy() >= 0).all()


def test_the_label_may_be_absent_and_cells_empty(schema, small_table, tmp_path):
    (tmp_path / "a.png").write_bytes(small_table(1)["picture"][0].as_py())
    (tmp_path / "rows.csv").write_text("note,picture\nnull,a.png\n,a.png\nhello,\n")
    rows = prepare_table(read_rows(tmp_path / "rows.csv", schema), schema)
    assert rows["target"].to_pylist() == [-2, -2, -2]
    assert rows["present.text"].to_pylist() == [True, False, True]  # the word null is a text
    assert rows["present.image"].to_pylist() == [True, True, False]


def test_images_for_a_model_of_images(png, tmp_path):
    schema = Schema(image=ImageSpec(column="i", channels=1, height=2, width=2), label="l", classes=("a", "b"))
    for name in ("b.jpeg", "a.PNG"):
        (tmp_path / name).write_bytes(png(np.full((2, 2), 9, dtype=np.uint8)))
    (tmp_path / "notes.txt").write_text("")
    rows = read_rows(tmp_path, schema)
    assert rows["file"].to_pylist() == ["a.PNG", "b.jpeg"]
    assert prepare_table(read_rows(tmp_path / "a.PNG", schema), schema)["image"].to_pylist() == [[9] * 4]


def test_refused_files(schema, small_table, png, tmp_path):
    def refused(name: str) -> str:
        with pytest.raises(RequestError) as caught:
            read_rows(tmp_path / name, schema)
        return str(caught.value)

    (tmp_path / "x.parquet").write_text("no")
    (tmp_path / "x.txt").write_text("no")
    (tmp_path / "x.csv").write_text("picture,note\nabsent.png,a\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "image.png").write_bytes(png(np.zeros((6, 5), dtype=np.uint8)))
    (tmp_path / "folder").mkdir()
    table = small_table(3)
    pq.write_table(table.rename_columns(["picture", "notes", "class", "person"]), tmp_path / "names.parquet")
    pq.write_table(table.set_column(1, "note", pa.array([1, 2, 3])), tmp_path / "types.parquet")
    pq.write_table(table.slice(0, 0), tmp_path / "none.parquet")
    assert "does not exist" in refused("absent.csv")
    assert "is not a Parquet file" in refused("x.parquet")
    assert "is none of .parquet, .csv, .png" in refused("x.txt")
    assert "is none of .parquet, .csv, .png" in refused("folder")
    assert "row 0 names the image" in refused("x.csv")
    assert "is not a CSV file" in refused("empty.csv")
    assert "reads 'note' too; give a Parquet or CSV file with picture and note" in refused("image.png")
    assert refused("names.parquet").endswith("has no column 'note'; did you mean 'notes'?")
    assert refused("types.parquet").endswith("column 'note' holds int64; needs text")
    assert refused("none.parquet").endswith("has no rows")
    for labels in (pa.array([[1], [2], [3]]), pa.array([b"\xff"] * 3), pa.array([b"\xff"] * 3, pa.large_binary())):
        pq.write_table(table.set_column(2, "class", labels), tmp_path / "labels.parquet")
        holds = pq.read_schema(tmp_path / "labels.parquet").field("class").type
        assert refused("labels.parquet").endswith(f"'class' holds {holds}; needs whole numbers, booleans or words")
    text_only = schema.replace(inputs={"text": schema.inputs["text"]})
    with pytest.raises(RequestError, match="this model reads no image; give a Parquet or CSV file with column 'note'"):
        read_rows(tmp_path / "image.png", text_only)


@pytest.mark.parametrize(
    ("classes", "written", "targets"),
    [
        (("01", "02"), ["01", "", "02"], [0, -2, 1]),
        (("False", "True"), ["True", "False", "True"], [1, 0, 1]),
        (("false", "true"), ["True", "False", "True"], [1, 0, 1]),
        (("1", "2"), ["1.0", "", "2.0"], [0, -2, 1]),
    ],
)
def test_labels_of_a_csv_are_the_classes_that_they_name(tmp_path, schema, classes, written, targets):
    lines = ["note,class", *(f"a,{label}" for label in written)]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    only = schema.replace(
        inputs={"text": schema.inputs["text"]}, target={"column": "class", "kind": "classes", "classes": classes}
    )
    assert prepare_table(read_rows(tmp_path / "rows.csv", only), only)["target"].to_pylist() == targets


def test_a_csv_with_a_column_twice(tmp_path, schema):
    for twice in ("picture", "note", "class"):
        (tmp_path / "rows.csv").write_text(f"picture,note,class,{twice}\n,a,b,c\n")
        with pytest.raises(RequestError, match=f"has 2 columns '{twice}'; rename all but one"):
            read_rows(tmp_path / "rows.csv", schema)
