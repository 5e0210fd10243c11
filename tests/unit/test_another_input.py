"""A kind of input that dsray does not know goes the whole way, from its column to an answer over HTTP.

Its own kinds are taken away meanwhile, so that nothing on the way can be about them.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import jsonschema
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from foreign_series import SeriesEncoderConfig, SeriesInput, SeriesSpec
from rich.console import Console

import dsray
from dsray.base import RequestError
from dsray.compress import Artefact
from dsray.data import DataConfig, prepare
from dsray.experiment import Experiment
from dsray.inputs import INPUTS, SPECS
from dsray.models.encoders import ENCODERS
from dsray.record import Record
from dsray.serving import Predictor
from dsray.serving.api import build_api
from dsray.serving.config import ServeConfig
from dsray.terminal.closing import next_commands
from dsray.testing.encoders import check_encoder
from dsray.testing.inputs import check_input
from dsray.verbs.attack import attack_run
from dsray.verbs.check import outline
from dsray.verbs.compress import compress_run
from dsray.verbs.predict import predict_file

EXPERIMENT = {
    "name": "series",
    "data": {
        "source": {"kind": "parquet", "train": "train.parquet", "test": "test.parquet"},
        "inputs": {
            "signal": {"kind": "foreign_series:SeriesInput", "column": "wave"},
            "echo": {"kind": "foreign_series:SeriesInput", "column": "answer"},
        },
        "label": "class",
    },
    "model": {
        "width": 16,
        "encoders": {
            "signal": {"kind": "foreign_series:SeriesEncoderConfig", "width": 8},
            "echo": {"kind": "foreign_series:SeriesEncoderConfig", "width": 16, "piece": 3},
        },
        "trunk": {"blocks": 3, "hidden": 16, "heads": 2, "experts": {"count": 2, "hidden": 8}},
    },
    "train": {"steps": 60, "batch": 32},
    "adversarial": {
        "stages": [
            {
                "steps": 4,
                "epsilon": 0.2,
                "attack": {"kind": "pgd", "steps": 2},
                "threat": {"kind": "linf", "input": "signal"},
            }
        ],
        "judge": {
            "threat": {"kind": "linf", "input": "signal"},
            "epsilon": 1.0,
            "curve": [],
            "rows": 40,
            "attacks": [{"kind": "pgd", "steps": 5}, {"kind": "random_search", "queries": 3}],
        },
        "baseline": False,
    },
    "compress": {"max_loss_points": 20, "max_adversarial_loss_points": 100},
}
LENGTH = 10


def rows(count: int, seed: int) -> pa.Table:
    """Waves that rise or fall, with numbers missing and of several lengths; the echo tells too, and lacks in some rows."""
    draw = np.random.default_rng(seed)
    falls = np.arange(count) % 2
    waves, echoes = [], []
    for i, sign in enumerate(1 - 2 * falls):
        wave = sign * np.linspace(-2, 2, LENGTH - i % 4) + draw.normal(0, 0.3, LENGTH - i % 4)
        echoes.append((wave[::2] + draw.normal(0, 0.3, len(wave[::2]))).tolist() if i % 6 else None)
        wave[i % len(wave)] = np.nan if i % 3 == 0 else wave[i % len(wave)]
        waves.append(wave.tolist())
    return pa.table(
        {"wave": waves, "answer": pa.array(echoes, pa.list_(pa.float64())), "class": np.where(falls, "falls", "rises")}
    )


@pytest.fixture(scope="module", autouse=True)
def _no_kinds_of_dsray():
    with pytest.MonkeyPatch.context() as patch:
        for union in (INPUTS, SPECS, ENCODERS):
            patch.setattr(union, "members", {})
        yield


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A folder with the rows, the experiment and the record of its run."""
    folder = tmp_path_factory.mktemp("series")
    pq.write_table(rows(160, 0), folder / "train.parquet")
    pq.write_table(rows(48, 1), folder / "test.parquet")
    tree = json.loads(json.dumps(EXPERIMENT))
    tree["data"]["source"] |= {split: str(folder / f"{split}.parquet") for split in ("train", "test")}
    (folder / "x.yaml").write_text(yaml.safe_dump(tree))
    dsray.run(folder / "x.yaml", out=folder / "run", local=True)
    return folder


@pytest.fixture(scope="module")
def predictor(home):
    return Predictor(Artefact.load(home / "run/compressed", trust=True))


@pytest.fixture(scope="module")
def client(home, predictor):
    from fastapi.testclient import TestClient

    async def answer(columns):
        return predictor.answer_rows(columns)

    return TestClient(build_api(predictor, ServeConfig(), answer, home / "run"), raise_server_exceptions=False)


def test_it_keeps_the_promises_of_its_kind():
    train = rows(20, 2).select(["wave"])
    config = SeriesInput(column="wave")
    check_input(config, train)
    check_encoder(SeriesEncoderConfig(), config.fit(train))


def test_it_trains_and_is_hidden(home):
    metrics = json.loads((home / "run/metrics.json").read_text())
    assert metrics["test_accuracy"] > 0.9
    assert metrics["test_accuracy_without_signal"] < metrics["test_accuracy"]
    assert metrics["test_accuracy_without_echo"] > 0.8
    manifest = json.loads((home / "run/manifest.json").read_text())["data"]
    assert manifest["counts"]["test"]["signal"] == {"missing": 0, "incomplete": 16, "cut": 0}
    assert manifest["counts"]["test"]["echo"]["missing"] == 8
    assert "of signal lack some of their numbers" in " ".join(manifest["notes"])


def test_it_is_attacked_on_its_own_range(home):
    attack, metrics = (json.loads((home / "run" / name).read_text()) for name in ("attack.json", "metrics.json"))
    assert (attack["threat"], attack["input"], attack["epsilon"]) == ("linf", "signal", 1.0)
    assert 0 <= metrics["robust_accuracy"] < attack["clean_accuracy"] and metrics["robust_rows_without_signal"] == 0
    assert "int8_adversarial_loss_points" in metrics
    far = ["judge.epsilon=10000"]
    with pytest.raises(RequestError, match=r"adversarial.judge.epsilon: .* 0 to 5.24493; got 10000"):
        attack_run(home / "run", far, trust=True, local=True, console=Console(quiet=True), command=[])


def test_it_is_predicted_from_a_parquet_and_a_csv_file(home, predictor):
    said = io.StringIO()
    found = predict_file(home / "run", home / "test.parquet", None, Console(file=said, width=200), trust=True)
    assert "48 rows, accuracy" in said.getvalue() and "signal incomplete: 16 of 48 rows" in said.getvalue()
    test = pq.read_table(home / "test.parquet").to_pylist()
    right = np.array(found.column("prediction").to_pylist()) == [row["class"] for row in test]
    assert right.mean() > 0.9
    with (home / "rows.csv").open("w") as file:
        writer = csv.writer(file)
        writer.writerow(["wave", "answer", "class"])
        for row in test:
            writer.writerow([" ".join(map(repr, row[name] or [])) for name in ("wave", "answer")] + [row["class"]])
    again = predict_file(home / "run", home / "rows.csv", None, Console(file=said), trust=True)
    assert again.column("prediction") == found.column("prediction")
    assert np.allclose(again.column("confidence"), found.column("confidence"))


def test_it_is_served_and_documented(home, client, predictor):
    example = json.loads((home / "run/example.json").read_text())
    assert len(example["instances"][0]["signal"]) == LENGTH
    reply = client.post("/v1/predict", json=example)
    assert reply.status_code == 200
    assert reply.json()["predictions"] == predictor.predict(example["instances"])
    content = client.get("/openapi.json").json()["paths"]["/v1/predict"]["post"]["requestBody"]["content"]
    about = content["application/json"]
    assert about["example"] == example
    jsonschema.validate(about["example"], about["schema"])
    signal = about["schema"]["properties"]["instances"]["items"]["properties"]["signal"]
    assert signal == predictor.artefact.schema.inputs["signal"].request_schema()
    assert "up to 10 numbers from" in client.get("/docs").text
    assert client.get("/v1/model").json()["inputs"]["signal"]["kind"] == "foreign_series:SeriesSpec"
    refused = client.post("/v1/predict", json={"instances": [{"signal": [1, "2"], "echo": None}]})
    assert refused.status_code == 422 and refused.json()["error"]["field"] == "instances.0.signal"


def test_its_documentation_has_an_example_without_a_record(predictor):
    api = build_api(predictor, ServeConfig(), None).openapi()
    content = api["paths"]["/v1/predict"]["post"]["requestBody"]["content"]["application/json"]
    spec = predictor.artefact.schema.inputs["signal"]
    assert content["example"]["instances"][0]["signal"] == [spec.low, spec.high]
    assert len(predictor.predict(content["example"]["instances"])) == 1


def test_it_is_shown_in_the_report(home):
    report = (home / "run/report.html").read_text()
    examples = json.loads((home / "run/evaluation.json").read_text())["examples"]
    assert examples[0]["inputs"]["signal"]["media"] == "text/plain"
    assert f"<p>{examples[0]['inputs']['signal']['content']}</p>" in report
    fell = json.loads((home / "run/attack.json").read_text())["examples"]
    assert fell and fell[0]["clean"] != fell[0]["adversarial"] and fell[0]["difference"] is None
    assert f"<p>{fell[0]['adversarial']['content']}</p>" in report
    assert "with the signal hidden" in report and "with the echo hidden" in report


def test_verbs_on_its_record_go_on(home):
    before = (home / "run/metrics.json").read_text()
    commands = next_commands(Record.open(home / "run"))[:2]
    assert all(command.endswith(" --trust") for command in commands) and " predict " in commands[1]
    compress_run(home / "run", [], trust=True, local=True, console=Console(quiet=True), command=[])
    assert (home / "run/metrics.json").read_text() == before
    shown = io.StringIO()
    Console(file=shown, width=200).print(outline(Experiment.load(home / "x.yaml", [])))
    assert "10 numbers from" in shown.getvalue()


def test_rows_in_the_cache_are_what_it_encoded(home):
    config = DataConfig.model_validate(yaml.safe_load((home / "x.yaml").read_text())["data"])
    data, again = (prepare(config, home / "cache") for _ in range(2))
    assert isinstance(data.schema.inputs["signal"], SeriesSpec) and data.schema == again.schema
    assert data.columns["signal/values"].shape == (208, LENGTH) and data.columns["signal/missing"].dtype == bool
    for name in data.schema.tensors:
        assert np.array_equal(data.columns[name], again.columns[name])
