"""The HTTP interface, without Ray: answers, and one typed sentence for each fault."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from dsray.compress import Artefact
from dsray.sections import ServeConfig
from dsray.serving import Predictor
from dsray.serving.api import build_api

sys.path.insert(0, str(Path(__file__).parents[1] / "compress"))
from test_compress import artefact, model  # noqa: F401  the trained model and its artefact


@pytest.fixture(scope="module")
def predictor(artefact):  # noqa: F811
    return Predictor(Artefact.load(artefact[0]))


@pytest.fixture(scope="module")
def client(predictor):
    from fastapi.testclient import TestClient

    async def answer(instances):
        return predictor.predict(instances)

    config = ServeConfig(body_limit_kb=4, max_instances=3)
    return TestClient(build_api(predictor, config, answer), raise_server_exceptions=False)


@pytest.fixture(scope="module")
def instance(digits):
    columns = digits.gather(np.array([int(digits.splits["test"][0])]))
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


def test_an_image_as_base64_png_is_the_same_image(client, instance):
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.array(instance["image"], np.uint8)).save(buffer, "PNG")
    encoded = {**instance, "image": base64.b64encode(buffer.getvalue()).decode()}
    plain, packed = (post(client, {"instances": [i]}).json()["predictions"] for i in (instance, encoded))
    assert plain == packed


def test_a_null_hides_a_modality(client, instance):
    assert post(client, {"instances": [{**instance, "text": None}]}).status_code == 200


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"image": [[0.5] * 7] * 8}, "instances.0.image", "8x8"),
        ({"text": 5}, "instances.0.text", "text"),
        ({"txt": "x"}, "instances.0.txt", "text"),
        ({"image": "no base64!"}, "instances.0.image", "base64"),
        ({"image": None, "text": None}, "instances.0", ""),
    ],
)
def test_a_wrong_instance_is_named(client, instance, change, field, words):
    reply = post(client, {"instances": [{**instance, **change}]})
    assert reply.status_code == 422, reply.text
    error = reply.json()["error"]
    assert error["field"] == field
    assert words in error["message"]


def test_a_missing_modality_is_named(client, instance):
    reply = post(client, {"instances": [instance, {"text": "x"}]})
    assert reply.status_code == 422
    assert reply.json()["error"]["field"] == "instances.1.image"


def test_bodies_that_are_refused(client, instance):
    assert post(client, b"{no json").status_code == 400
    assert post(client, {"rows": []}).json()["error"]["field"] == "instances"
    assert post(client, {"instances": [instance] * 4}).status_code in (413, 422)
    assert post(client, b" " * 5000).status_code == 413
    assert client.post("/v1/predict", content=b"x", headers={"content-type": "text/plain"}).status_code == 415
    assert client.get("/v1/predict").status_code == 405
    assert client.get("/nowhere").json()["error"]["type"] == "http"


def test_the_other_pages(client, predictor):
    about = client.get("/v1/model").json()
    assert about["classes"] == list(predictor.classes)
    assert about["compute"]["blocks"] == 3
    assert client.get("/healthz").json()["status"] == "ok"
    page = client.get("/docs").text
    assert "/v1/predict" in page
    assert "http://" not in page
    assert "https://" not in page
    assert "instances" in json.dumps(client.get("/openapi.json").json()["paths"]["/v1/predict"])
