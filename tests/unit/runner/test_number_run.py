"""A number goes the whole way, from its column to an answer over HTTP, on generated pictures and on real ones."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image
from rich.console import Console
from sklearn.linear_model import RidgeCV
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

import dsray
from dsray.base import RequestError
from dsray.compress import Artefact
from dsray.experiment import Experiment
from dsray.serving import Predictor
from dsray.serving.api import build_api
from dsray.serving.config import ServeConfig
from dsray.verbs.check import outline
from dsray.verbs.predict import predict_file

DATA = Path(os.environ.get("DSRAY_DATA", Path(__file__).parents[4] / "shared" / "data"))
SIZE = 8
EXPERIMENT = {
    "name": "weight",
    "data": {
        "image": {"column": "picture", "size": SIZE, "channels": 1},
        "target": {"kind": "number", "column": "weight", "tolerance": 30},
        "show": ["part"],
    },
    "model": {
        "width": 16,
        "encoders": {"image": {"kind": "patch", "patch": 8}},
        "trunk": {"blocks": 2, "hidden": 16, "heads": 1, "experts": {"count": 2, "hidden": 8}},
        "depth": {"kind": "early_exit", "exits": [1], "threshold": 0.4},
    },
    "train": {
        "steps": 120,
        "batch": 64,
        "task": {"exit_weight": 1.0},
        "rates": {"schedule": {"kind": "cosine", "peak_value": 1e-2}},
    },
    "continual": {
        "tasks": [{"name": name, "column": "part", "values": [name]} for name in ("first", "second")],
        "memory": {"rows": 40},
        "ewc": {"strength": 1.0, "rows": 10},
    },
    "adversarial": {
        "stages": [{"steps": 10, "epsilon": 0.005, "attack": {"kind": "pgd", "steps": 1}, "loss": {"kind": "madry"}}],
        "judge": {
            "epsilon": 0.02,
            "curve": [],
            "rows": 40,
            "attacks": [{"kind": "pgd", "steps": 5}, {"kind": "random_search", "queries": 10}],
        },
        "baseline": False,
    },
    "compress": {"max_loss_points": 20, "max_adversarial_loss_points": 100},
}


def png(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray((255 * values.clip(0, 1)).round().astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def rows(count: int, seed: int) -> pa.Table:
    """Pictures whose brightness is a weight from 200 to 800, told with an error of about ten."""
    draw = np.random.default_rng(seed)
    level = draw.uniform(0.2, 0.8, count)
    pictures = level[:, None, None] + draw.normal(0, 0.05, (count, SIZE, SIZE))
    return pa.table(
        {
            "picture": [png(picture) for picture in pictures],
            "weight": np.round(1000 * level + draw.normal(0, 10, count)).astype(np.int32),
            "part": np.where(np.arange(count) % 2, "first", "second"),
        }
    )


def pixels(table: pa.Table) -> np.ndarray:
    return np.stack([np.asarray(Image.open(io.BytesIO(p))).ravel() / 255 for p in table["picture"].to_pylist()])


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A folder with the rows, the experiment and the record of its run."""
    folder = tmp_path_factory.mktemp("weight")
    tree = json.loads(json.dumps(EXPERIMENT))
    tree["data"]["source"] = {"kind": "parquet"}
    for seed, (split, count) in enumerate({"train": 400, "validation": 150, "test": 300}.items()):
        pq.write_table(rows(count, seed), folder / f"{split}.parquet")
        tree["data"]["source"][split] = str(folder / f"{split}.parquet")
    (folder / "x.yaml").write_text(yaml.safe_dump(tree))
    dsray.run(folder / "x.yaml", out=folder / "run", local=True)
    return folder


@pytest.fixture(scope="module")
def metrics(home) -> dict:
    return json.loads((home / "run/metrics.json").read_text())


def test_it_is_learnt_about_as_well_as_by_a_ridge_on_the_same_pixels(home, metrics):
    train, test = (pq.read_table(home / f"{split}.parquet") for split in ("train", "test"))
    ridge = RidgeCV(np.logspace(-3, 3, 7)).fit(pixels(train), train["weight"].to_numpy()).predict(pixels(test))
    assert metrics["test_r2"] > 0.9 and metrics["test_accuracy"] > 0.6
    assert metrics["test_mae"] < 2.5 * mean_absolute_error(test["weight"].to_numpy(), ridge)


def test_its_interval_holds_nine_in_ten(metrics):
    assert metrics["test_interval_coverage"] == pytest.approx(0.9, abs=0.07)
    assert 0 < metrics["test_interval_width"] < 300


def test_rows_leave_early_and_tasks_are_consolidated(home, metrics):
    assert 0 < metrics["skip_rate"] < 1
    assert {"retention", "forgetting", "task_accuracy/1", "task_accuracy/2"} <= metrics.keys()
    assert json.loads((home / "run/model/training.json").read_text())["task_accuracy"][0][0] > 0


def test_it_is_attacked_within_its_tolerance(home, metrics):
    clean = json.loads((home / "run/attack.json").read_text())["clean_accuracy"]
    assert metrics["robust_accuracy"] < clean and metrics["robust_rows_without_gradient"] == 0


def test_its_figures_are_those_of_scikit_learn_on_the_answers_of_the_artefact(home):
    """Predicted from a file by the int8 model, with an interval that was calibrated on its own answers."""
    said = io.StringIO()
    found = predict_file(home / "run", home / "test.parquet", home / "out.csv", Console(file=said, width=200))
    assert found.column_names == ["prediction", "low", "high", "confidence", "blocks_run", "target"]
    truth, answer = (found[name].to_numpy() for name in ("target", "prediction"))
    assert truth.tolist() == pq.read_table(home / "test.parquet")["weight"].to_pylist()
    within = np.mean(np.abs(answer - truth) <= 30)
    assert f"300 rows, accuracy {100 * within:.1f} %" in said.getvalue()
    report = json.loads((home / "run/compressed/report.json").read_text())
    assert report["accuracy_int8"] == pytest.approx(within)
    held = (found["low"].to_numpy() <= truth) & (truth <= found["high"].to_numpy())
    assert held.mean() == pytest.approx(0.9, abs=0.07)
    spec = Artefact.load(home / "run/compressed").schema.target
    target = spec.encode(pa.chunked_array([truth]))
    assert np.array_equal(spec.right(spec.answers(_logits(spec, found)), target), np.abs(answer - truth) <= 30)


def _logits(spec, found) -> np.ndarray:
    center = (found["prediction"].to_numpy() - spec.mean) / spec.scale
    return np.stack([center, np.zeros_like(center)], 1).astype(np.float32)


def test_figures_of_the_model_are_those_of_scikit_learn(home, metrics):
    from dsray.data import prepare
    from dsray.models import load_model
    from dsray.runner.figures import clean_figures

    experiment = Experiment.load(home / "x.yaml", [])
    data = prepare(experiment.data)
    model, _, schema = load_model(home / "run/model", expected=experiment.model)
    assert schema.target.interval > 0 and schema.uncalibrated() == data.schema
    _, found = clean_figures(model, data)
    truth = pq.read_table(home / "test.parquet")["weight"].to_numpy()
    answer = [a["value"] for a in schema.target.answers(found.logits.numpy())]
    assert metrics["test_mae"] == pytest.approx(mean_absolute_error(truth, answer), rel=1e-6)
    assert metrics["test_rmse"] == pytest.approx(root_mean_squared_error(truth, answer), rel=1e-6)
    assert metrics["test_r2"] == pytest.approx(r2_score(truth, answer), rel=1e-6)


def test_it_is_served_and_documented(home):
    from fastapi.testclient import TestClient

    predictor = Predictor(Artefact.load(home / "run/compressed"))

    async def answer(columns):
        return predictor.answer_rows(columns)

    client = TestClient(build_api(predictor, ServeConfig(), answer, home / "run"), raise_server_exceptions=False)
    example = json.loads((home / "run/example.json").read_text())
    (found,) = client.post("/v1/predict", json=example).json()["predictions"]
    assert found["low"] < found["value"] < found["high"] and 0 <= found["confidence"] <= 1
    properties = client.get("/openapi.json").json()["components"]["schemas"]["Answer"]["properties"]
    assert {"value", "low", "high", "confidence"} <= properties.keys()
    about = client.get("/v1/model").json()
    assert about["tolerance"] == 30 and about["coverage"] == 0.9 and len(about["range"]) == 2


def test_it_is_shown_in_the_report_and_by_check(home):
    report = (home / "run/report.html").read_text()
    assert "An answer is right within 30" in report and "mean absolute error" in report.lower()
    assert "Errors by size of the truth" in report and "Truth and answer" in report
    shown = io.StringIO()
    Console(file=shown, width=200).print(outline(Experiment.load(home / "x.yaml", [])))
    assert "standard deviation" in shown.getvalue() and "the share of answers within 30" in shown.getvalue()


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (
            ["train.task.label_smoothing=0.1"],
            "train.task.label_smoothing: a target of kind number has no other answers",
        ),
        (["train.task.focal=2"], "train.task.focal: a target of kind number has no other answers"),
        (["train.task.weights=balanced"], "train.task.weights: a target of kind number has no classes to weigh"),
        (["data.target.coverage=0.999"], r"data.target.coverage: .* needs 999 validation rows .* there are 150"),
        (["data.target.column=part"], "data.target: column 'part' holds string; needs numbers"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_starts(home, overrides, said):
    with pytest.raises(RequestError, match=said):
        outline(Experiment.load(home / "x.yaml", overrides))


@pytest.mark.data("skin_lesions")
def test_an_age_from_a_real_picture_and_where_it_was_taken(tmp_path):
    """Little can be told of an age so; that little is found, about as a ridge on pixels and places does, and intervals hold."""
    parts = {}
    for split, wanted in {"train": 1500, "test": 500}.items():
        table = pq.read_table(DATA / "skin_lesions" / f"{split}.parquet").slice(0, wanted)
        known = np.isfinite(table["age"].to_numpy())
        parts[split] = table.filter(pa.array(known)) if split == "train" else table
        pq.write_table(parts[split], tmp_path / f"{split}.parquet")
    tree = {
        "name": "age",
        "data": {
            "source": {"kind": "parquet"} | {s: str(tmp_path / f"{s}.parquet") for s in parts},
            "image": {"column": "image", "size": 16},
            "text": {"column": "site"},
            "target": {"kind": "number", "column": "age"},
            "validation": 0.2,
        },
        "model": {
            "width": 32,
            "encoders": {"image": {"kind": "patch", "patch": 4}},
            "trunk": {"blocks": 2, "hidden": 32, "heads": 2, "experts": None},
            "depth": {"kind": "early_exit", "exits": [1]},
        },
        "train": {"steps": 200, "batch": 64, "rates": {"schedule": {"kind": "cosine", "peak_value": 3e-3}}},
    }
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(tree))
    metrics = dsray.run(tmp_path / "x.yaml", out=tmp_path / "run", local=True).metrics
    truth, ages = parts["test"]["age"].to_numpy(), parts["train"]["age"].to_numpy()
    there = np.isfinite(truth)
    ridge = RidgeCV(np.logspace(-2, 4, 13)).fit(features(parts["train"]), ages).predict(features(parts["test"]))
    assert metrics["test_rows_unlabelled"] == (~there).sum()
    assert metrics["test_mae"] < mean_absolute_error(truth[there], np.full(there.sum(), np.median(ages)))
    assert metrics["test_mae"] < 1.08 * mean_absolute_error(truth[there], ridge[there])
    assert metrics["test_r2"] > 0
    assert metrics["test_interval_coverage"] == pytest.approx(0.9, abs=0.05)


def features(table: pa.Table) -> np.ndarray:
    """Pixels and places of the lesions."""
    sites = np.array(["lower extremity", "upper extremity", "head/neck", "anterior torso", "posterior torso", "torso"])
    pictures = [Image.open(io.BytesIO(p)).convert("RGB").resize((16, 16)) for p in table["image"].to_pylist()]
    places = np.array(table["site"].fill_null("").to_pylist())[:, None] == sites
    return np.hstack([np.stack([np.asarray(p).ravel() / 255 for p in pictures]), 3.0 * places])
