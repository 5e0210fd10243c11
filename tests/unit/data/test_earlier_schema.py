"""Schemas as dsray 0.2.0 wrote them, when an input could only be an image or a text, each under its own key."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml

from dsray.compress import Artefact
from dsray.compress.artefact import write_artefact
from dsray.compress.export import export_onnx
from dsray.data import DataConfig, to_batch
from dsray.data.schema import Schema
from dsray.inputs import ImageSpec
from dsray.models import RoutedConfig, load_model, save_model
from dsray.record import Record
from dsray.runner.original import schema_of
from dsray.serving import Predictor

IMAGE = (
    '{"image": {"column": "picture", "channels": 3, "height": 2, "width": 2}, "text": null, "label": "class", '
    '"classes": ["a", "b"], "label_names": []}'
)


def earlier(schema: Schema) -> dict[str, Any]:
    """What 0.2.0 wrote for the same inputs."""
    rest = schema.model_dump(mode="json")
    inputs, target = rest.pop("inputs"), rest.pop("target")
    rest |= {"label": target["column"], "classes": target["classes"], "label_names": target["names"]}
    for spec in inputs.values():
        del spec["kind"]
    return {"image": None, "text": None, **inputs, **rest}


@pytest.fixture(scope="module")
def old(digits) -> Any:
    """What writes the schema of the digits as it was."""
    return SimpleNamespace(model_dump=lambda mode: earlier(digits.schema))


def test_an_earlier_schema_is_read():
    schema = Schema.model_validate(json.loads(IMAGE))
    assert schema.inputs == {"image": ImageSpec(column="picture", channels=3, height=2, width=2)}
    assert (schema.target.column, schema.target.classes) == ("class", ("a", "b"))
    assert earlier(schema) == json.loads(IMAGE)


def test_an_earlier_artefact_answers_as_it_did(digits, old, tmp_path):
    rows = to_batch(digits.take(digits.splits["test"][:4]), digits.schema)
    export_onnx(RoutedConfig().build(digits.schema), rows, tmp_path / "model.onnx")
    about = {"threshold": None, "compute": {"blocks": 3, "budget": None}, "metrics": {}}
    for folder, schema in (("new", digits.schema), ("old", old)):
        write_artefact(tmp_path / folder, tmp_path / "model.onnx", schema, about, {})
    assert set(json.loads((tmp_path / "old/manifest.json").read_text())["schema"]) >= {"image", "text"}
    now, then = Artefact.load(tmp_path / "new"), Artefact.load(tmp_path / "old")
    assert then.schema == now.schema
    instance = [{"image": np.full((8, 8), 0.5).tolist(), "text": "which digit is this?"}]
    (one,), (other,) = Predictor(now).predict(instance), Predictor(then).predict(instance)
    assert one.pop("model") != other.pop("model") and one == other


def test_an_earlier_record_and_model_are_read(digits, old, tmp_path):
    record = Record.create_at(tmp_path / "run", yaml.safe_dump({"data": {"source": "digits"}}), {})
    record.write_json("schema.json", earlier(digits.schema))
    assert schema_of(record, DataConfig.model_validate({"source": "digits"})) == digits.schema
    config = RoutedConfig()
    save_model(tmp_path / "model", config.build(digits.schema), config, old)
    assert load_model(tmp_path / "model")[2] == digits.schema
