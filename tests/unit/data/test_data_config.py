"""The `data` section: what the source fills in and what is refused."""

import pytest
from pydantic import ValidationError

from dsray.base import explain
from dsray.base.kinds import json_schema
from dsray.data import DataConfig


def refusal(**section) -> str:
    with pytest.raises(ValidationError) as caught:
        DataConfig.model_validate(section)
    return explain(caught.value, "data")


def test_the_columns_of_the_source_are_in_the_resolved_section():
    resolved = DataConfig.model_validate({"source": "digits"}).model_dump(mode="json")
    assert resolved["source"] == {"kind": "digits", "questions": True, "split_seed": 0}
    assert resolved["image"] == {"column": "image", "size": 8, "channels": 1}
    assert resolved["text"] == {"column": "question", "vocabulary": 256, "length": 8}
    assert (resolved["label"], resolved["group"]) == ("answer", "image_id")
    assert DataConfig.model_validate(resolved).model_dump(mode="json") == resolved


def test_the_file_overrides_single_keys_of_the_source():
    config = DataConfig.model_validate({"image": {"size": 16}, "text": None})
    assert config.inputs["image"].model_dump() == {"kind": "image", "column": "image", "size": 16, "channels": 1}
    assert (config.inputs["image"].height, config.inputs["image"].width) == (16, 16)
    assert (list(config.inputs), config.target.column) == (["image"], "answer")


PHOTO, NOTE = {"kind": "image", "column": "a", "size": 8}, {"kind": "text", "column": "b"}


def test_an_input_called_like_its_kind_is_the_short_form():
    given = {"source": {"kind": "parquet", "train": "a", "test": "b"}, "label": "y"}
    short = DataConfig.model_validate({**given, "image": {"column": "a", "size": 8}})
    assert short == DataConfig.model_validate({**given, "inputs": {"image": PHOTO}})
    both = DataConfig.model_validate(
        {**given, "image": {"column": "a", "size": 8}, "inputs": {"front": PHOTO, "note": NOTE}}
    )
    resolved = both.model_dump(mode="json")
    assert list(both.inputs) == ["image", "front", "note"]
    assert (resolved["image"]["column"], resolved["text"], list(resolved["inputs"])) == ("a", None, ["front", "note"])
    assert DataConfig.model_validate(resolved) == both


def test_an_input_that_is_written_twice_is_refused():
    """One of the two would win without a word."""
    given = {"source": {"kind": "parquet", "train": "a", "test": "b"}, "label": "y"}
    twice = refusal(**given, image={"column": "b", "size": 4}, inputs={"image": PHOTO})
    assert twice == "inputs.image: is written in short too, as image; keep one of the two"
    alone = DataConfig.model_validate({**given, "image": None, "inputs": {"image": PHOTO}})
    assert alone.inputs["image"].columns == ("a",)
    assert refusal(**given, image=None, inputs={"image": {**PHOTO, "channels": 2}}).startswith(
        "inputs.image.channels: "
    )


def test_faults_of_inputs_are_told_where_they_were_written():
    parquet = {"kind": "parquet", "train": "a", "test": "b"}
    given = {"source": parquet, "label": "y"}
    assert refusal(**given, inputs={"front": {**PHOTO, "channels": 2}}).startswith("inputs.front.channels: ")
    assert refusal(**given, image={"column": "a", "size": 8, "channels": 2}).startswith("image.channels: ")
    assert (
        refusal(**given, inputs={"front": {**PHOTO, "szie": 8}})
        == "inputs.front.szie: unknown key; did you mean 'size'?"
    )
    assert "unknown kind 'imge'; did you mean 'image'" in refusal(**given, inputs={"front": {**PHOTO, "kind": "imge"}})
    assert refusal(**given, imagee={"column": "a"}) == "imagee: unknown key; did you mean 'image'?"
    for name in ("target", "Front", "a b", "a/b", "present_a"):
        assert f"'{name}' cannot name an input" in refusal(**given, inputs={name: PHOTO})
    assert "since dsray calls something else so" in refusal(**given, inputs={"row": PHOTO})


def test_refusals_name_the_field_and_what_is_right():
    parquet = {"kind": "parquet", "train": "a", "test": "b"}
    image = {"column": "picture", "size": 8}
    assert refusal(source="digit") == "source: unknown kind 'digit'; did you mean 'digits'?; got 'digit'"
    assert refusal(source={**parquet, "tset": "b"}).startswith("source.tset: unknown key; did you mean 'test'")
    assert refusal(lable="x") == "lable: unknown key; did you mean 'label'?"
    assert refusal(source=parquet, label="class").startswith("data: needs at least one input")
    assert refusal(source=parquet, image=image).startswith("label: name the column that holds the class")
    assert refusal(source=parquet, image={"column": "picture"}, label="class") == "image.size: is required"
    assert refusal(image={"channels": 2}).startswith("image.channels: input should be 1 or 3; got 2")
    assert refusal(validation=1.0).startswith("validation: input should be less than 1; got 1.0")
    assert "'question' is the label and an input" in refusal(label="question")
    assert "'image' is the image itself" in refusal(show=["image"])


def test_the_json_schema_describes_every_field():
    schema = json_schema(DataConfig)
    assert all("description" in f for f in schema["properties"].values())
    for name in ("DigitsConfig", "ParquetConfig", "ImageInput", "TextInput"):
        fields = schema["$defs"][name]["properties"]
        assert all("description" in f for key, f in fields.items() if key != "kind"), name
