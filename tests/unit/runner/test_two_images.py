"""Two images in one row, of different sizes and encoders, go the whole way under their own names."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image
from rich.console import Console

import dsray
from dsray.base import RequestError
from dsray.compress import Artefact
from dsray.models import load_model
from dsray.serving import Predictor
from dsray.serving.api import build_api
from dsray.serving.config import ServeConfig
from dsray.verbs.predict import predict_file

EXPERIMENT = {
    "data": {
        "inputs": {
            "left": {"kind": "image", "column": "near", "size": 8},
            "right": {"kind": "image", "column": "far", "size": [4, 12], "channels": 3},
        },
        "label": "class",
    },
    "model": {
        "width": 16,
        "encoders": {"left": {"kind": "patch", "width": 16}, "right": {"kind": "patch", "width": 8, "patch": 2}},
        "trunk": {"blocks": 1, "hidden": 16, "heads": 2, "experts": None},
        "depth": "full",
    },
    "augment": {"operations": [{"kind": "shift", "input": "right", "pixels": 1}]},
    "train": {"steps": 100, "batch": 32},
    "adversarial": {
        "judge": {
            "threat": {"kind": "linf", "input": "left"},
            "epsilon": 0.25,
            "curve": [],
            "rows": 40,
            "attacks": [{"kind": "pgd", "steps": 4}],
        },
        "baseline": False,
    },
    "compress": {"max_loss_points": 20, "max_adversarial_loss_points": 100},
}


def encoded(pixels: np.ndarray) -> bytes:
    """pixels: in [0, 1]."""
    file = io.BytesIO()
    Image.fromarray((255 * pixels.clip(0, 1)).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def rows(count: int, seed: int) -> pa.Table:
    """The left one is brighter above or below, and tells whether; the right one is red or blue, and tells which."""
    draw = np.random.default_rng(seed)
    near, far = [], []
    for i in range(count):
        grey = draw.uniform(0.1, 0.4, (8, 8))
        grey[:4] += 0.5 * (i % 2)
        colour = draw.uniform(0, 0.3, (4, 12, 3))
        colour[..., i // 2 % 2] += 0.6
        near.append(encoded(grey) if i % 7 else None)
        far.append(encoded(colour))
    classes = [f"{'up' if i % 2 else 'down'} {'green' if i // 2 % 2 else 'red'}" for i in range(count)]
    return pa.table({"near": pa.array(near, pa.binary()), "far": pa.array(far, pa.binary()), "class": classes})


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pair")
    pq.write_table(rows(160, 0), folder / "train.parquet")
    pq.write_table(rows(56, 1), folder / "test.parquet")
    tree = json.loads(json.dumps(EXPERIMENT))
    source = {"kind": "parquet", **{split: str(folder / f"{split}.parquet") for split in ("train", "test")}}
    tree["data"]["source"] = source
    (folder / "x.yaml").write_text(yaml.safe_dump(tree))
    dsray.run(folder / "x.yaml", out=folder / "run", local=True)
    return folder


@pytest.fixture(scope="module")
def predictor(home):
    return Predictor(Artefact.load(home / "run/compressed"))


def test_each_of_them_counts_and_is_hidden_on_its_own(home):
    metrics = json.loads((home / "run/metrics.json").read_text())
    assert metrics["test_accuracy"] > 0.8
    for name in ("left", "right"):
        assert metrics[f"test_accuracy_without_{name}"] < 0.7
    model, _, schema = load_model(home / "run/model")
    assert {name: model.get_submodule(f"encoders.{name}").width for name in schema.names} == {"left": 16, "right": 8}
    assert set(dict(model.get_submodule("adapters").named_children())) == {"right"}
    assert {name: tensor.shape for name, tensor in schema.tensors.items()} == {"left": (1, 8, 8), "right": (3, 4, 12)}


def test_the_named_one_is_attacked(home):
    attack = json.loads((home / "run/attack.json").read_text())
    assert attack["input"] == "left" and attack["robust_accuracy"] < attack["clean_accuracy"]
    assert attack["robust_rows_without_left"] == 6
    example = attack["examples"][0]
    assert list(example["others"]) == ["right"] and example["difference"]["media"] == "image/png"


def test_an_attack_must_be_told_which(home):
    tree = yaml.safe_load((home / "x.yaml").read_text())
    tree["adversarial"]["judge"]["threat"] = "linf"
    (home / "y.yaml").write_text(yaml.safe_dump(tree))
    with pytest.raises(RequestError, match=r"left.*right"):
        dsray.run(home / "y.yaml", out=home / "none", local=True)


def test_they_are_predicted_from_parquet_and_from_files_that_a_csv_file_names(home, predictor):
    said = io.StringIO()
    found = predict_file(home / "run", home / "test.parquet", None, Console(file=said, width=200))
    assert "left missing: 8 of 56 rows" in said.getvalue() and "right missing" not in said.getvalue()
    test = pq.read_table(home / "test.parquet").to_pylist()
    with (home / "rows.csv").open("w") as file:
        writer = csv.writer(file)
        writer.writerow(["near", "far"])
        for i, row in enumerate(test):
            for name in ("near", "far"):
                (home / f"{name}{i}.png").write_bytes(row[name] or b"")
            writer.writerow([f"near{i}.png" if row["near"] else "", f"far{i}.png"])
    again = predict_file(home / "run", home / "rows.csv", None, Console(file=said))
    assert again.column("prediction") == found.column("prediction")
    with pytest.raises(RequestError, match="this model reads 'far' too; give a Parquet or CSV file with near and far"):
        predict_file(home / "run", home / "far0.png", None, Console(file=said))


def test_they_are_served_under_their_names(home, predictor):
    from fastapi.testclient import TestClient

    async def answer(columns):
        return predictor.answer_rows(columns)

    client = TestClient(build_api(predictor, ServeConfig(), answer, home / "run"), raise_server_exceptions=False)
    example = json.loads((home / "run/example.json").read_text())
    assert list(example["instances"][0]) == ["left", "right"]
    assert client.post("/v1/predict", json=example).json()["predictions"] == predictor.predict(example["instances"])
    assert "8x8 pixels, 1 channel" in client.get("/docs").text and "4x12 pixels, 3 channel" in client.get("/docs").text
    turned = {"left": example["instances"][0]["left"], "right": np.zeros((3, 12, 4)).tolist()}
    refused = client.post("/v1/predict", json={"instances": [turned]}).json()
    assert refused["error"]["field"] == "instances.0.right"


def test_both_are_shown(home):
    report = (home / "run/report.html").read_text()
    example = json.loads((home / "run/evaluation.json").read_text())["examples"][1]["inputs"]
    for name in ("left", "right"):
        assert f'src="{example[name]["content"]}" alt="{name}, ' in report
    assert "with the left hidden" in report and "with the right hidden" in report
