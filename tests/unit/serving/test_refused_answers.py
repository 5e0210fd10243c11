"""A model that may refuse: over HTTP, in its documentation, and in predictions of a file."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from rich.console import Console
from tiny import write_tiny_artefact

from dsray.compress import Artefact
from dsray.record import Record
from dsray.serving import Predictor
from dsray.serving.api import build_api
from dsray.serving.config import ServeConfig
from dsray.targets import Abstain
from dsray.verbs.predict import predict_file

QUESTIONS = ("is this digit even?", "which digit is this?")


@pytest.fixture(scope="module")
def record(digits, tmp_path_factory):
    schema = digits.schema.replace(target=digits.schema.target.replace(abstain=Abstain(coverage=0.6)))
    record = Record.create_at(tmp_path_factory.mktemp("runs") / "run", "name: x\n", {})
    write_tiny_artefact(replace(digits, schema=schema), record.path / "compressed")
    return record


@pytest.fixture(scope="module")
def client(record):
    from fastapi.testclient import TestClient

    predictor = Predictor(Artefact.load(record.path / "compressed"))

    async def answer(rows):
        return predictor.answer_rows(rows)

    return TestClient(build_api(predictor, ServeConfig(), answer))


def _png(image):
    out = io.BytesIO()
    Image.fromarray(np.array(image, dtype=np.uint8)).save(out, "PNG")
    return out.getvalue()


def _instances(digits, rows):
    images = (digits.take(rows)["image"][:, 0] * 255).round().astype(int).tolist()
    return [{"image": image, "text": QUESTIONS[i % 2]} for i, image in enumerate(images)]


def test_a_refused_instance_has_no_label_and_keeps_its_confidence(client, digits):
    threshold = client.get("/v1/model").json()["refusal"]["threshold"]
    body = {"instances": _instances(digits, digits.splits["test"][:60])}

    answers = client.post("/v1/predict", json=body).json()["predictions"]

    assert 0 < sum(a["refused"] for a in answers) < 60
    for answer in answers:
        assert answer["refused"] == (answer["confidence"] < threshold)
        assert (answer["label"] is None) == answer["refused"]
        assert answer["confidence"] == max(answer["probabilities"].values())


def test_the_served_model_tells_threshold_and_coverage(client):
    refusal = client.get("/v1/model").json()["refusal"]
    assert refusal["coverage"] == pytest.approx(0.6, abs=0.005) and refusal["rows"] == 200
    assert 0 < refusal["threshold"] < 1 and 0 <= refusal["error_rate"] < 1


def test_the_documentation_knows_that_a_label_may_be_null(client):
    answer = client.get("/openapi.json").json()["components"]["schemas"]["Answer"]
    assert {"refused", "label", "confidence"} <= set(answer["required"])
    assert {part["type"] for part in answer["properties"]["label"]["anyOf"]} == {"string", "null"}
    assert answer["properties"]["refused"]["type"] == "boolean"


def test_predictions_of_a_file_say_coverage_and_accuracy_of_what_is_answered(record, digits, tmp_path):
    rows = digits.splits["test"][:80]
    target = [digits.schema.target.show(t) for t in digits.columns["target"][rows]]
    instances = _instances(digits, rows)
    table = pa.table({"image": [_png(i["image"]) for i in instances], "question": [i["text"] for i in instances]})
    pq.write_table(table.append_column(digits.schema.target.column, pa.array(target)), tmp_path / "rows.parquet")
    said = io.StringIO()

    found = predict_file(
        record.path, tmp_path / "rows.parquet", tmp_path / "out.parquet", Console(file=said, width=200)
    )

    refused = np.array(found.column("refused"))
    assert 0 < refused.sum() < 80
    assert found.filter(pa.array(refused)).column("prediction").null_count == refused.sum()
    kept = found.filter(pa.array(~refused)).to_pylist()
    accuracy = np.mean([row["prediction"] == row["target"] for row in kept])
    words = " ".join(said.getvalue().split())
    assert f"80 rows, {refused.sum()} refused: coverage {100 * (1 - refused.mean()):.1f} %" in words
    assert f"of what is answered accuracy {100 * accuracy:.1f} %" in words
    assert pq.read_table(tmp_path / "out.parquet").column("confidence").null_count == 0


def test_the_report_of_the_artefact_tells_what_it_answers_of_the_test_rows(record):
    report = record.read_json("compressed/report.json")
    assert 0.3 < report["coverage_int8"] < 0.9
    assert report["accuracy_answered_int8"] > report["accuracy_int8"]
