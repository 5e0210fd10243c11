"""A kind of target that dsray does not know goes the whole way, from its column to an answer over HTTP.

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
from foreign_ordinal import GradesTarget
from PIL import Image
from rich.console import Console
from sklearn.metrics import cohen_kappa_score

import dsray
from dsray.base import RequestError
from dsray.compress import Artefact
from dsray.experiment import Experiment
from dsray.record import Record
from dsray.report.compare import compare, comparison_table, write_comparison
from dsray.serving import Predictor
from dsray.serving.api import build_api
from dsray.serving.config import ServeConfig
from dsray.targets import TARGET_SPECS, TARGETS
from dsray.terminal.closing import closing_table, next_commands, step_note
from dsray.testing import check_target
from dsray.verbs.check import outline
from dsray.verbs.compress import compress_run
from dsray.verbs.predict import predict_file

ORDER = ["low", "middle", "high"]
SMALL = {
    "width": 16,
    "encoders": {"photo": {"kind": "patch", "width": 16}},
    "trunk": {"blocks": 3, "hidden": 16, "heads": 2, "experts": {"count": 2, "hidden": 8}},
    "depth": {"kind": "early_exit", "exits": [1], "threshold": 0.6},
}
EXPERIMENT = {
    "name": "grades",
    "data": {
        "source": {"kind": "parquet", "train": "train.parquet", "test": "test.parquet"},
        "inputs": {"photo": {"kind": "image", "column": "photo", "size": 8}},
        "target": {"kind": "foreign_ordinal:GradesTarget", "column": "grade", "order": ORDER},
    },
    "model": SMALL,
    "train": {
        "steps": 120,
        "batch": 32,
        "validate_every": 20,
        "optimizer": {"kind": "adamw"},
        "rates": {"schedule": {"kind": "constant", "value": 0.005}},
        "policies": [{"kind": "plateau", "patience": 2}],
    },
    "adversarial": {
        "stages": [{"steps": 4, "epsilon": 0.02, "attack": {"kind": "pgd", "steps": 2}}],
        "judge": {
            "epsilon": 0.1,
            "curve": [],
            "rows": 40,
            "attacks": [{"kind": "pgd", "steps": 5}, {"kind": "random_search", "queries": 3}],
        },
        "baseline": False,
    },
    "compress": {"max_loss_points": 20, "max_adversarial_loss_points": 100},
}
TASKS = {
    "tasks": [{"name": "ends", "classes": ["low", "high"]}, {"name": "middle", "classes": ["middle"]}],
    "memory": {"rows": 30},
    "ewc": {"strength": 10, "rows": 20},
}


def rows(count: int, seed: int) -> pa.Table:
    """Grey pictures, the brighter the higher their grade; a few of them are wrongly graded by one."""
    draw = np.random.default_rng(seed)
    grade = np.arange(count) % 3
    pixels = 50 + 75 * grade[:, None, None] + draw.normal(0, 12, (count, 8, 8))
    photos = []
    for values in pixels.clip(0, 255).astype(np.uint8):
        file = io.BytesIO()
        Image.fromarray(values).save(file, "PNG")
        photos.append(file.getvalue())
    given = np.where(np.arange(count) % 29 == 0, (grade + 1).clip(max=2), grade)
    return pa.table({"photo": photos, "grade": [ORDER[i] for i in given]})


def written(home: Path, name: str, **sections: object) -> Path:
    tree = json.loads(json.dumps(EXPERIMENT | sections))
    tree["data"]["source"] |= {split: str(home / f"{split}.parquet") for split in ("train", "test")}
    (home / name).write_text(yaml.safe_dump(tree))
    return home / name


@pytest.fixture(scope="module", autouse=True)
def _no_kinds_of_dsray():
    with pytest.MonkeyPatch.context() as patch:
        for union in (TARGETS, TARGET_SPECS):
            patch.setattr(union, "members", {})
        yield


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A folder with the rows, two experiments and the records of their runs."""
    folder = tmp_path_factory.mktemp("grades")
    pq.write_table(rows(240, 0), folder / "train.parquet")
    test = rows(60, 1)
    strange = [*test.column("grade").to_pylist()[:-2], "top", None]
    pq.write_table(test.set_column(1, "grade", pa.array(strange)), folder / "test.parquet")
    dsray.run(written(folder, "x.yaml"), out=folder / "run", local=True)
    train = {**EXPERIMENT["train"], "steps": 60, "policies": []}
    path = written(folder, "tasks.yaml", continual=TASKS, adversarial=None, compress=None, train=train)
    dsray.run(path, out=folder / "tasks", local=True)
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


def printed(*things: object) -> str:
    said = io.StringIO()
    Console(file=said, width=200).print(*things)
    return said.getvalue()


def metrics_of(home: Path, run: str = "run") -> dict[str, float]:
    return json.loads((home / run / "metrics.json").read_text())


def test_it_keeps_the_promises_of_its_kind():
    train = rows(20, 2).select(["grade"])
    check_target(GradesTarget(column="grade", order=tuple(ORDER)), train)


def test_it_trains_and_has_figures_of_its_own(home):
    metrics = metrics_of(home)
    assert metrics["test_accuracy_known"] > 0.85 and metrics["test_quadratic_kappa"] > 0.85
    assert metrics["test_mean_distance"] < 0.2
    assert (metrics["test_rows_unknown"], metrics["test_rows_unlabelled"]) == (1, 1)
    assert metrics["test_accuracy"] == pytest.approx(metrics["test_accuracy_known"] * 58 / 59)
    assert "test_balanced_accuracy" not in metrics and "test_classes_answered" not in metrics


def test_rows_leave_early_by_its_confidence(home):
    evaluation = json.loads((home / "run/evaluation.json").read_text())
    assert metrics_of(home)["skip_rate"] > 0.2
    assert evaluation["routing"]["blocks_run"]["1"] > 20


def test_it_is_stopped_by_its_own_figure(home):
    lines = Record.open(home / "run").history()
    best = next(line["best"] for line in lines if line.get("event") == "end" and line["stage"] == "clean")
    seen = [line["quadratic_kappa"] for line in lines if line["kind"] == "validation" and line["stage"] == "clean"]
    assert best["figure"] == "quadratic_kappa" and best["value"] == max(seen)
    report = (home / "run/report.html").read_text()
    assert "quadratic_kappa flat for 2 validations" in report
    assert f"(weighted kappa {100 * best['value']:.1f} %)" in report


def test_a_policy_watches_its_figures_and_no_others(home):
    def parsed(metric):
        train = {**EXPERIMENT["train"], "policies": [{"kind": "plateau", "metric": metric}]}
        return Experiment.load(written(home, "watch.yaml", train=train))

    for metric in ("quadratic_kappa", "mean_distance", "accuracy", "loss", "skip_rate"):
        assert parsed(metric).train.policies[0].watches == metric
    for metric, nearest in {"mean_distanc": "did you mean 'mean_distance'", "balanced_accuracy": ""}.items():
        with pytest.raises(RequestError) as error:
            parsed(metric)
        said = f"train.policies.0.metric: must be a figure of the validations; got '{metric}'"
        assert str(error.value).startswith(said) and nearest in str(error.value)


def test_it_is_attacked(home):
    attack = json.loads((home / "run/attack.json").read_text())
    metrics = metrics_of(home)
    assert 0 <= metrics["robust_accuracy"] < attack["clean_accuracy"]
    assert metrics.get("robust_rows_without_gradient", 0) == 0
    fell = attack["examples"]
    assert fell and "int8_adversarial_loss_points" in metrics


def test_tasks_of_grades_are_held_and_replayed(home):
    metrics = metrics_of(home, "tasks")
    assert metrics["retention"] > 0.4
    lines = Record.open(home / "tasks").history()
    assert any("term/ewc" in line for line in lines if line["kind"] == "step")


def test_it_is_predicted_from_a_parquet_and_a_csv_file(home, predictor):
    said = io.StringIO()
    found = predict_file(home / "run", home / "test.parquet", None, Console(file=said, width=200), trust=True)
    assert "on the 58 with a known label; 1 with a label that the model does not know" in said.getvalue()
    assert {"prediction", "confidence", "expected_distance", "target"} <= set(found.column_names)
    assert set(found.column("prediction").to_pylist()) == set(ORDER)
    true, given = (found.slice(0, 58).column(name).to_pylist() for name in ("target", "prediction"))
    kappa = cohen_kappa_score(true, given, labels=ORDER, weights="quadratic")
    assert kappa == pytest.approx(metrics_of(home)["test_quadratic_kappa"], abs=0.05)
    photos = home / "photos"
    photos.mkdir()
    with (home / "rows.csv").open("w") as file:
        writer = csv.writer(file)
        writer.writerow(["photo", "grade"])
        for i, row in enumerate(pq.read_table(home / "test.parquet").to_pylist()):
            (photos / f"{i}.png").write_bytes(row["photo"])
            writer.writerow([f"photos/{i}.png", row["grade"]])
    again = predict_file(home / "run", home / "rows.csv", None, Console(file=said), trust=True)
    assert again.column("prediction") == found.column("prediction")


def test_it_is_served_and_documented(home, client, predictor):
    example = json.loads((home / "run/example.json").read_text())
    reply = client.post("/v1/predict", json=example)
    assert reply.status_code == 200
    (answer,) = reply.json()["predictions"]
    assert {"grade", "confidence", "expected", "distance"} <= set(answer)
    assert 0 <= answer["distance"] <= 2 and 0 <= answer["confidence"] <= 1
    api = client.get("/openapi.json").json()
    schema = api["components"]["schemas"]["Answer"]
    assert schema["properties"]["distance"]["description"] == "how many grades the answer is expected to be off"
    jsonschema.validate(answer, schema | {"components": api["components"]})
    assert client.get("/v1/model").json()["grades"] == ORDER


def test_its_figures_are_shown_where_figures_are(home):
    record = Record.open(home / "run")
    metrics = metrics_of(home)
    kappa, distance = f"{100 * metrics['test_quadratic_kappa']:.1f} %", f"{metrics['test_mean_distance']:.4g}"
    assert step_note(record, "evaluate").endswith(f"weighted kappa {kappa}")
    said = printed(closing_table(record))
    assert f"weighted kappa {kappa}" in " ".join(said.split())
    assert f"mean distance in grades {distance}" in " ".join(said.split())
    report = (home / "run/report.html").read_text()
    assert f"mean distance in grades {distance}" in report and "Grades off the truth" in report
    shown = printed(outline(Experiment.load(home / "x.yaml", [])))
    assert "low 69, middle 72, high 75" in " ".join(shown.split())


def test_two_runs_are_compared_by_its_figures(home, monkeypatch):
    """Without its code, which only the manifest speaks for."""
    records = [Record.open(home / run) for run in ("run", "tasks")]
    monkeypatch.setattr("dsray.base.kinds.imported", lambda kind: pytest.fail(f"imported {kind}"))
    said = " ".join(printed(comparison_table(compare(records))).split())
    first, second = (metrics_of(home, run) for run in ("run", "tasks"))
    for name, label in {
        "quadratic_kappa": "weighted kappa (higher is better)",
        "mean_distance": "mean distance in grades (lower is better)",
    }.items():
        assert f"{label} {first[f'test_{name}']:.4g} {second[f'test_{name}']:.4g}" in said
    page = write_comparison(records, home / "compare.html").read_text()
    assert "mean distance in grades (lower is better)" in page


def test_verbs_ask_whether_it_is_trusted(home):
    record, quiet = Record.open(home / "run"), Console(quiet=True)
    commands = next_commands(record)[:2]
    assert all(command.endswith(" --trust") for command in commands) and " predict " in commands[1]
    with pytest.raises(
        RequestError, match=r"artefact: .* runs code of its own \(foreign_ordinal:GradesSpec\); add --trust"
    ):
        predict_file(home / "run", home / "test.parquet", None, quiet)
    with pytest.raises(RequestError, match=r"record: .* runs code of its own \(foreign_ordinal:GradesTarget\)"):
        compress_run(home / "run", [], trust=False, local=True, console=quiet, command=[])
    before = (home / "run/metrics.json").read_text()
    compress_run(home / "run", [], trust=True, local=True, console=quiet, command=[])
    assert (home / "run/metrics.json").read_text() == before


def test_bad_grades_are_one_sentence(home):
    def refused(said, **sections):
        with pytest.raises(RequestError, match=said):
            outline(Experiment.load(written(home, "bad.yaml", **sections), []))

    target = EXPERIMENT["data"]["target"] | {"order": ["low", "middle"]}
    refused("lacks the grade 'high' of a training row", data=EXPERIMENT["data"] | {"target": target})
    tasks = [{"name": "a", "classes": ["low"]}, {"name": "b", "classes": ["top"]}]
    refused("continual.tasks.b.classes: unknown grade 'top'; valid: low", continual={"tasks": tasks})
