"""Label sets go the whole way, from a list column to an answer over HTTP, beside scikit-learn on the same rows."""

from __future__ import annotations

import collections
import csv
import io
import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image
from rich.console import Console
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, average_precision_score, f1_score
from sklearn.multiclass import OneVsRestClassifier

import dsray
from dsray.compress import Artefact
from dsray.experiment import Experiment
from dsray.record import Record
from dsray.serving import Predictor
from dsray.serving.api import build_api
from dsray.serving.config import ServeConfig
from dsray.verbs.check import outline
from dsray.verbs.predict import predict_file

DATA = Path(os.environ.get("DSRAY_DATA", Path(__file__).parents[3] / "shared" / "data"))
LABELS = ["east", "north", "south", "west"]
EXPERIMENT: dict[str, Any] = {
    "name": "corners",
    "data": {
        "source": {"kind": "parquet"},
        "image": {"column": "photo", "size": 8, "channels": 1},
        "target": {"kind": "labels", "column": "lit"},
    },
    "model": {
        "width": 16,
        "encoders": {"image": {"kind": "patch", "width": 16}},
        "trunk": {"blocks": 2, "hidden": 16, "heads": 2, "experts": {"count": 2, "hidden": 8}},
        "depth": {"kind": "early_exit", "exits": [1], "threshold": 0.4},
    },
    "train": {
        "steps": 200,
        "batch": 32,
        "threads": 1,
        "rates": {"schedule": {"kind": "constant", "value": 0.01}},
        "policies": [{"kind": "plateau", "patience": 5}],
        "task": {"kind": "task", "weights": "balanced", "focal": 1, "label_smoothing": 0.02},
    },
    "adversarial": {
        "stages": [{"steps": 4, "epsilon": 0.02, "attack": {"kind": "pgd", "steps": 2}}],
        "judge": {
            "epsilon": 0.1,
            "curve": [],
            "rows": 40,
            "attacks": [{"kind": "pgd", "steps": 4}, {"kind": "random_search", "queries": 3}],
        },
    },
    "compress": {"max_loss_points": 20, "max_adversarial_loss_points": 100},
}


def png(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(values.clip(0, 255).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def rows(count: int, seed: int) -> pa.Table:
    """Grey pictures whose corners are lit, each by a label of its own; the rarest in one row of eight."""
    draw = np.random.default_rng(seed)
    lit = draw.random((count, 4)) < [0.5, 0.4, 0.25, 0.125]
    pixels = 90 + 70 * np.kron(lit.reshape(count, 2, 2), np.ones((4, 4))) + draw.normal(0, 40, (count, 8, 8))
    sets = [[LABELS[i] for i in np.flatnonzero(row)] for row in lit]
    return pa.table({"photo": [png(values) for values in pixels], "lit": sets})


def written(home: Path, **sections: object) -> Path:
    tree = json.loads(json.dumps(EXPERIMENT | sections))
    tree["data"]["source"] |= {split: str(home / f"{split}.parquet") for split in ("train", "test")}
    (home / "x.yaml").write_text(yaml.safe_dump(tree))
    return home / "x.yaml"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the rows, the experiment and the record of its run."""
    folder = tmp_path_factory.mktemp("corners")
    pq.write_table(rows(400, 0), folder / "train.parquet")
    test = rows(120, 1)
    strange = pa.array([*test.column("lit").to_pylist()[:-2], ["north", "up"], None])
    pq.write_table(test.set_column(1, "lit", strange), folder / "test.parquet")
    dsray.run(written(folder), out=folder / "run", local=True)
    return folder


@pytest.fixture(scope="module")
def predictor(home: Path) -> Predictor:
    return Predictor(Artefact.load(home / "run/compressed"))


def metrics_of(home: Path) -> dict[str, float]:
    found: dict[str, float] = json.loads((home / "run/metrics.json").read_text())
    return found


def matrix(sets: list[list[str]]) -> np.ndarray:
    return np.array([[label in given for label in LABELS] for given in sets])


def test_it_trains_and_is_judged(home: Path) -> None:
    metrics = metrics_of(home)
    assert metrics["test_macro_f1"] > 0.85 and metrics["test_average_precision"] > 0.85
    assert (metrics["test_rows_unknown"], metrics["test_rows_unlabelled"]) == (1, 1)
    assert metrics["test_accuracy"] == pytest.approx(metrics["test_accuracy_known"] * 118 / 119)
    assert metrics["robust_accuracy"] < metrics["test_accuracy"] and metrics["robust_rows_without_gradient"] == 0
    assert abs(metrics["int8_loss_points"]) < 20 and metrics["skip_rate"] > 0.05
    assert metrics["test_accuracy_undefended"] > 0.3


def test_training_is_stopped_by_macro_f1(home: Path) -> None:
    lines = Record.open(home / "run").history()
    best = next(line["best"] for line in lines if line.get("event") == "end" and line["stage"] == "clean")
    assert best["figure"] == "macro_f1"
    assert all({"macro_f1", "micro_f1"} <= line.keys() for line in lines if line["kind"] == "validation")


def test_it_is_no_worse_than_a_regression_for_each_label(home: Path) -> None:
    def read(split: str) -> tuple[np.ndarray, np.ndarray]:
        table = pq.read_table(home / f"{split}.parquet").slice(0, 118 if split == "test" else None)
        pixels = [np.asarray(Image.open(io.BytesIO(p))).ravel() / 255 for p in table.column("photo").to_pylist()]
        return np.stack(pixels), matrix(table.column("lit").to_pylist())

    pixels, truth = read("test")
    other = OneVsRestClassifier(LogisticRegression(max_iter=200)).fit(*read("train"))
    precision = average_precision_score(truth, other.predict_proba(pixels))
    assert metrics_of(home)["test_average_precision"] > precision - 0.05


def test_thresholds_are_each_models_own(home: Path) -> None:
    def thresholds(path: str) -> Any:
        return json.loads((home / "run" / path).read_text())["schema"]["target"]["thresholds"]

    own = [thresholds(path) for path in ("model/model.json", "model-undefended/model.json", "compressed/manifest.json")]
    assert all(len(found) == 4 for found in own) and len(set(map(tuple, own))) > 1
    assert json.loads((home / "run/schema.json").read_text())["target"]["thresholds"] == []


@pytest.mark.parametrize("suffix", ["parquet", "jsonl", "csv"])
def test_predictions_are_sets_in_every_format(home: Path, suffix: str) -> None:
    out, said = home / f"out.{suffix}", io.StringIO()
    found = predict_file(home / "run", home / "test.parquet", out, Console(file=said, width=200))
    assert "on the 118 with a known label set; 1 with a label set that the model does not know" in said.getvalue()
    given, true = (found.column(name).to_pylist() for name in ("prediction", "target"))
    assert true[-2:] == [None, None]
    if suffix == "csv":
        with out.open() as file:
            lines = list(csv.DictReader(file))
        assert [line["prediction"] for line in lines] == [";".join(labels) for labels in given]
    else:
        read = pq.read_table(out).to_pylist() if suffix == "parquet" else map(json.loads, out.read_text().splitlines())
        assert [row["prediction"] for row in read] == given
    share = accuracy_score(matrix(true[:118]), matrix(given[:118]))
    assert f"accuracy {100 * share:.1f} %" in said.getvalue()
    assert share == pytest.approx(metrics_of(home)["int8_accuracy"] * 119 / 118)


def test_a_csv_file_of_separated_text_is_read(home: Path) -> None:
    (home / "photos").mkdir()
    with (home / "rows.csv").open("w") as file:
        file.write("photo,lit\n")
        for i, row in enumerate(pq.read_table(home / "test.parquet").slice(0, 20).to_pylist()):
            (home / f"photos/{i}.png").write_bytes(row["photo"])
            file.write(f'photos/{i}.png,"{"; ".join(row["lit"])}"\n')
    found = predict_file(home / "run", home / "rows.csv", None, Console(file=io.StringIO()))
    again = predict_file(home / "run", home / "test.parquet", None, Console(file=io.StringIO())).slice(0, 20)
    assert found.column("target").to_pylist() == again.column("target").to_pylist()
    assert [] in found.column("target").to_pylist()


def test_it_is_served_and_documented(home: Path, predictor: Predictor) -> None:
    from fastapi.testclient import TestClient

    async def answer(columns: Any) -> Any:
        return predictor.answer_rows(columns)

    client = TestClient(build_api(predictor, ServeConfig(), answer, home / "run"), raise_server_exceptions=False)
    reply = client.post("/v1/predict", json=json.loads((home / "run/example.json").read_text()))
    assert reply.status_code == 200
    (found,) = reply.json()["predictions"]
    assert set(found["labels"]) <= set(LABELS) and 0 <= found["confidence"] <= 1
    probabilities = list(found["probabilities"].values())
    assert len(probabilities) == 4 and probabilities == sorted(probabilities, reverse=True)
    api = client.get("/openapi.json").json()
    schema = api["components"]["schemas"]["Answer"]
    jsonschema.validate(found, schema | {"components": api["components"]})
    assert "there may be none" in schema["properties"]["labels"]["description"]
    assert client.get("/v1/model").json()["labels"] == LABELS


def test_the_report_has_a_line_for_each_label(home: Path) -> None:
    evaluation = json.loads((home / "run/evaluation.json").read_text())
    assert evaluation["wording"]["one"] == "label set"
    (table,) = evaluation["tables"]
    f1 = [row[3] for row in table["rows"]]
    assert [row[0] for row in table["rows"]] == LABELS
    assert np.mean(f1) == pytest.approx(metrics_of(home)["test_macro_f1"])
    page = (home / "run/report.html").read_text()
    assert "An answer is right where all labels of the row are given and no others." in page
    assert "By label" in page and "macro F1" in page and "no label" in page


def test_what_is_checked_is_told(home: Path) -> None:
    said = io.StringIO()
    Console(file=said, width=200).print(outline(Experiment.load(home / "x.yaml", [])))
    assert "labels a row" in said.getvalue() and "west" in said.getvalue()


SHAPES = {"circle", "rectangle", "triangle"}
COLOURS = {"black", "blue", "brown", "gray", "green", "red", "teal", "yellow"}


def shapes_and_colours(split: str, most: int) -> pa.Table:
    """Pictures of easy_vqa with the shape and the colour that questions about them and their answers name."""
    table = pq.read_table(DATA / "easy_vqa" / f"{split}.parquet")
    named = collections.defaultdict(set)
    for picture, question, answer in zip(*(table.column(name).to_pylist() for name in table.column_names), strict=True):
        if question.startswith("what"):
            named[picture] |= {answer, *question.strip("?").split()} & (SHAPES | COLOURS)
    whole = {picture: sorted(names) for picture, names in named.items() if len(names) == 2}
    return pa.table({"photo": list(whole)[:most], "lit": ["; ".join(names) for names in list(whole.values())[:most]]})


@pytest.mark.data("easy_vqa")
def test_shape_and_colour_of_pictures(tmp_path: Path) -> None:
    """A model of a few seconds tells colours and shapes better than a regression for each label on the same pixels."""
    tables = {"train": shapes_and_colours("train", 1500), "test": shapes_and_colours("test", 300)}
    for split, table in tables.items():
        pq.write_table(table, tmp_path / f"{split}.parquet")
    data = EXPERIMENT["data"] | {"image": {"column": "photo", "size": 16, "channels": 3}}
    train = EXPERIMENT["train"] | {"steps": 250, "batch": 64, "policies": [], "task": {"kind": "task"}}
    record = dsray.run(written(tmp_path, data=data, train=train, adversarial=None), out=tmp_path / "run", local=True)
    metrics = metrics_of(tmp_path)
    found = predict_file(record.path, tmp_path / "test.parquet", None, Console(file=io.StringIO()))
    names = sorted(SHAPES | COLOURS)
    truth, given = (
        np.array([[name in row for name in names] for row in found.column(name).to_pylist()])
        for name in ("target", "prediction")
    )
    assert f1_score(truth, given, average="macro") == pytest.approx(metrics["test_macro_f1"], abs=0.05)  # int8's

    def pixels(split: str) -> np.ndarray:
        pictures = [Image.open(io.BytesIO(p)).convert("RGB") for p in tables[split].column("photo").to_pylist()]
        return np.stack([np.asarray(p.resize((8, 8))).ravel() / 255 for p in pictures])

    of_train = np.array(
        [[name in row.split("; ") for name in names] for row in tables["train"].column("lit").to_pylist()]
    )
    other = OneVsRestClassifier(LogisticRegression(max_iter=1000, C=0.1)).fit(pixels("train"), of_train)
    regression = average_precision_score(truth, other.predict_proba(pixels("test")))
    assert metrics["test_average_precision"] > regression
