"""The HTTP interface, without Ray: answers, and one typed sentence for each fault."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import numpy as np
import pytest
from tiny import write_tiny_artefact

from dsray.base import RequestError
from dsray.compress import Artefact
from dsray.serving import Predictor
from dsray.serving.api import build_api
from dsray.serving.config import ServeConfig


@pytest.fixture(scope="module")
def predictor(digits, tmp_path_factory):
    return Predictor(Artefact.load(write_tiny_artefact(digits, tmp_path_factory.mktemp("run") / "compressed")))


@pytest.fixture(scope="module")
def client(predictor):
    from fastapi.testclient import TestClient

    async def answer(rows):
        return predictor.answer_rows(rows)

    config = ServeConfig(body_limit_kb=4, max_instances=3)
    return TestClient(build_api(predictor, config, answer), raise_server_exceptions=False)


@pytest.fixture(scope="module")
def instance(digits):
    columns = digits.take(np.array([int(digits.splits["test"][0])]))
    image = (columns["image"][0, 0] * 255).round().astype(int).tolist()
    return {"image": image, "text": "is this digit even?"}


def post(client, body, **headers):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post("/v1/predict", content=content, headers={"content-type": "application/json", **headers})


def test_answers_equal_the_predictor(client, predictor, instance):
    reply = post(client, {"instances": [instance, {**instance, "text": "which digit?"}]})
    assert reply.status_code == 200
    assert reply.json()["predictions"] == predictor.predict([instance, {**instance, "text": "which digit?"}])
    first = reply.json()["predictions"][0]
    assert first["model"] == predictor.artefact.version
    assert 0 < first["compute"]["share"] <= 1
    assert first["confidence"] == max(first["probabilities"].values())


def renamed(schema, classes):
    return {"target": schema.target.replace(classes=classes)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda schema: renamed(schema, schema.target.classes[:-1]),
            r"'logits' has \[12\] numbers a row, not \[11\]",
        ),
        (
            lambda schema: renamed(schema, (*schema.target.classes, "maybe")),
            r"'logits' has \[12\] numbers a row, not \[13\]",
        ),
        (lambda schema: {"inputs": {"image": schema.inputs["image"]}}, "'text' has .* not any"),
        (
            lambda schema: {
                "inputs": schema.inputs | {"image": schema.inputs["image"].model_copy(update={"width": 9})}
            },
            r"'image' has \[1, 8, 8\] numbers",
        ),
        (
            lambda schema: {
                "inputs": schema.inputs | {"text": schema.inputs["text"].model_copy(update={"length": 99})}
            },
            r"'text' has .*, not \[99\]",
        ),
        (
            lambda schema: {
                "inputs": schema.inputs | {"text": schema.inputs["text"].model_copy(update={"tokenizer": "{}"})}
            },
            "schema.text.tokenizer: is none",
        ),
    ],
    ids=["a class less", "a class more", "no text", "a wider image", "longer texts", "no tokeniser"],
)
def test_a_schema_that_is_not_the_models_is_refused_before_an_answer(predictor, change, words):
    schema = predictor.artefact.schema
    other = replace(predictor.artefact, schema=schema.model_copy(update=change(schema)))
    with pytest.raises(RequestError, match=words):
        Predictor(other)


def test_an_image_as_base64_png_is_the_same_image(client, instance):
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.array(instance["image"], np.uint8)).save(buffer, "PNG")
    encoded = {**instance, "image": base64.b64encode(buffer.getvalue()).decode()}
    plain, packed = (post(client, {"instances": [i]}).json()["predictions"] for i in (instance, encoded))
    assert plain == packed


def test_a_null_hides_an_input(client, instance):
    assert post(client, {"instances": [{**instance, "text": None}]}).status_code == 200


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"image": [[0.5] * 7] * 8}, "instances.0.image", "8x8"),
        ({"text": 5}, "instances.0.text", "text"),
        ({"txt": "x"}, "instances.0.txt", "text"),
        ({"image": "no base64!"}, "instances.0.image", "base64"),
        ({"image": None, "text": None}, "instances.0", "at least one"),
        ({"image": [[1.5] * 8] * 8}, "instances.0.image", "[0, 1]"),
        ({"image": [[float("nan")] * 8] * 8}, "instances.0.image", "[0, 1]"),
        ({"image": [[10**40] * 8] * 8}, "instances.0.image", "numbers"),
        ({"image": {}}, "instances.0.image", "base64"),
    ],
)
def test_a_wrong_instance_is_named(client, instance, change, field, words):
    reply = post(client, {"instances": [{**instance, **change}]})
    assert reply.status_code == 422, reply.text
    error = reply.json()["error"]
    assert error["field"] == field
    assert words in error["message"]


def test_a_missing_input_is_named(client, instance):
    reply = post(client, {"instances": [instance, {"text": "x"}]})
    assert reply.status_code == 422
    assert reply.json()["error"]["field"] == "instances.1.image"


@pytest.mark.parametrize(
    ("body", "status", "kind", "field"),
    [
        (b"", 400, "json", None),
        (b"{no json", 400, "json", None),
        (b"\xff\xfe", 400, "json", None),
        (b"[" * 4000, 400, "json", None),
        (b"[1, 2]", 400, "json", None),
        (b"{}", 422, "body", "instances"),
        (b'{"instance": []}', 422, "body", "instance"),
        (b'{"instances": {}}', 422, "body", "instances"),
        (b'{"instances": []}', 422, "body", "instances"),
        (b'{"instances": [1, 2, 3, 4]}', 422, "body", "instances"),
        (b'{"instances": [1]}', 422, "instance", "instances.0"),
        (b'{"instances": [{}]}', 422, "instance", "instances.0.image"),
        (b" " * 5000, 413, "too_large", None),
    ],
)
def test_a_body_that_is_refused(client, body, status, kind, field):
    reply = post(client, body)
    assert reply.status_code == status
    error = reply.json()["error"]
    assert (error["type"], error["field"]) == (kind, field)
    assert error["message"]


def test_a_body_without_end_is_refused_while_it_comes(client):
    sent = 0

    def stream():
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield b" " * 1024

    reply = client.post("/v1/predict", content=stream(), headers={"content-type": "application/json"})
    assert reply.status_code == 413
    assert "4096 bytes" in reply.json()["error"]["message"]


def test_half_of_a_surrogate_pair_is_refused(client, instance):
    body = json.dumps({"instances": [{**instance, "text": "x"}]}).replace('"x"', '"\\ud800"').encode()
    reply = post(client, body)
    assert (reply.status_code, reply.json()["error"]["type"]) == (400, "json")
    assert post(client, body.replace(b"ud800", b"ud83d\\ude00")).status_code == 200
    assert post(client, body.replace(b"\\ud800", b"\xed\xa0\x80")).status_code == 400


def test_wrong_type_path_and_method(client):
    for headers in ({"content-type": "text/plain"}, {}):
        reply = client.post("/v1/predict", content=b"{}", headers=headers)
        assert (reply.status_code, reply.json()["error"]["type"]) == (415, "content_type")
    reply = client.get("/v1/predict")
    assert (reply.status_code, reply.json()["error"]["type"]) == (405, "method")
    assert "GET" in reply.json()["error"]["message"]
    reply = client.get("/nowhere")
    assert (reply.status_code, reply.json()["error"]["type"]) == (404, "not_found")


def test_a_bad_instance_reaches_no_model(predictor, instance):
    from fastapi.testclient import TestClient

    async def answer(rows):
        raise AssertionError("an unchecked instance was passed on")

    client = TestClient(build_api(predictor, ServeConfig(), answer))
    assert post(client, {"instances": [instance, {**instance, "text": 1}]}).status_code == 422


def test_a_failure_of_the_model_keeps_its_words_to_itself(predictor, instance):
    from fastapi.testclient import TestClient

    async def answer(rows):
        raise ValueError("secret")

    client = TestClient(build_api(predictor, ServeConfig(), answer), raise_server_exceptions=False)
    reply = post(client, {"instances": [instance]})
    assert (reply.status_code, reply.json()["error"]["type"]) == (500, "internal")
    assert "secret" not in reply.text


def test_the_record_gives_report_and_example(predictor, instance, tmp_path):
    from fastapi.testclient import TestClient

    async def answer(rows):
        return predictor.answer_rows(rows)

    (tmp_path / "report.html").write_text("<p>the report</p>")
    (tmp_path / "example.json").write_text(json.dumps({"instances": [instance]}))
    client = TestClient(build_api(predictor, ServeConfig(), answer, tmp_path))
    assert client.get("/").text == "<p>the report</p>"
    body = client.get("/openapi.json").json()["paths"]["/v1/predict"]["post"]["requestBody"]
    assert body["content"]["application/json"]["example"] == {"instances": [instance]}


def test_the_other_pages(client, predictor):
    about = client.get("/v1/model").json()
    assert about["classes"] == list(predictor.artefact.schema.target.classes)
    assert about["compute"]["blocks"] == 3
    assert client.get("/healthz").json()["status"] == "ok"
    page = client.get("/docs").text
    assert "/v1/predict" in page
    assert "http://" not in page
    assert "https://" not in page
    assert "instances" in json.dumps(client.get("/openapi.json").json()["paths"]["/v1/predict"])
    assert client.get("/").text == page


def test_the_example_of_the_description_is_answered(client):
    operation = client.get("/openapi.json").json()["paths"]["/v1/predict"]["post"]
    example = operation["requestBody"]["content"]["application/json"]["example"]
    assert post(client, example).status_code == 200
    assert set(operation["responses"]) == {"200", "400", "413", "415", "422"}
