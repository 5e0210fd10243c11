"""A module that knows nothing of dsray trains, is attacked, compressed and served, without figures of routing."""

from __future__ import annotations

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from PIL import Image
from starlette.testclient import TestClient

from dsray.base import RequestError
from dsray.base.kinds import guarded
from dsray.cli import main
from dsray.compress import Artefact
from dsray.data import prepare, to_batch
from dsray.engine import evaluate
from dsray.experiment import Experiment
from dsray.models import count_parameters, load_model, save_model
from dsray.record import Record
from dsray.runner.checks import check_experiment
from dsray.serving import Predictor
from dsray.serving.api import build_api
from dsray.serving.config import ServeConfig

NET = {"kind": "foreign_nets:Net", "settings": {"hidden": 24}}
TREE = {
    "data": {"source": "digits"},
    "model": NET,
    "train": {"steps": 150, "batch": 32, "rates": {"schedule": {"kind": "constant", "value": 5e-3}}},
    "adversarial": {
        "stages": [{"steps": 3, "epsilon": 0.05, "attack": {"kind": "fgsm"}}],
        "judge": {"epsilon": 0.05, "attacks": ["fgsm"], "rows": 40, "curve": [0.1], "curve_rows": 20},
    },
    "continual": None,
    "compress": {"max_loss_points": 100, "max_adversarial_loss_points": 100, "calibration_rows": 64},
}
ROUTING = ("skip", "block", "expert", "exit", "route", "active_parameters", "accuracy_full")


def parsed(model, **sections) -> Experiment:
    return Experiment.parse({"data": {"source": "digits"}, "model": model, **sections})


@pytest.fixture(scope="module")
def record(tmp_path_factory) -> Record:
    folder = tmp_path_factory.mktemp("plain")
    (folder / "x.yaml").write_text(yaml.safe_dump(TREE))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("torch.cuda.is_available", lambda: False)
        patch.setattr("os._exit", lambda code: (_ for _ in ()).throw(SystemExit(code)))
        with pytest.raises(SystemExit) as ended:
            main(["run", str(folder / "x.yaml"), "--local", "--out", str(folder / "run")])
    assert not ended.value.code
    return Record.open(folder / "run")


def test_it_learns_and_is_judged(record):
    assert record.metrics["test_accuracy"] > 0.5
    assert 0 <= record.metrics["robust_accuracy"] <= record.metrics["test_accuracy"] + 0.2
    assert record.metrics["test_accuracy_without_text"] <= record.metrics["test_accuracy"] + 0.05
    assert abs(record.metrics["int8_loss_points"]) < 5
    assert record.metrics["parity_max_abs_logit"] < 1e-4


def test_no_figure_of_routing_is_anywhere(record):
    def keys(node) -> set[str]:
        if isinstance(node, dict):
            return set(node).union(*map(keys, node.values()))
        return set().union(*map(keys, node)) if isinstance(node, list) else set()

    written = ["metrics.json", "compressed/report.json", "answer.json", "example.json"]
    for name in written:
        found = [key for key in keys(json.loads((record.path / name).read_text())) if any(w in key for w in ROUTING)]
        assert found == [], name
    for line in record.history():
        assert not {"skip_rate", "expert_load", "blocks_run"} & set(line)
    assert record.read_json("evaluation.json")["routing"] is None
    page = (record.path / "report.html").read_text()
    assert 'id="routing"' not in page and "blocks" not in page.lower().split("<script")[0].partition("<body")[2]
    assert "1 convolution stays fp32" in page


@pytest.mark.parametrize("policy", [{"kind": "plateau"}, {"kind": "reach", "value": 0.5}])
def test_a_policy_does_not_wait_for_a_figure_of_routing(policy):
    data = prepare(parsed(NET).data)
    check_experiment(parsed(NET, train={"policies": [policy]}), data)
    by_routing = parsed(NET, train={"policies": [{**policy, "metric": "skip_rate"}]})
    with pytest.raises(RequestError, match=r"^train\.policies\.0\.metric: skip_rate is a figure of routing"):
        check_experiment(by_routing, data)
    check_experiment(by_routing.replace(model="routed"), data)


def test_it_is_served_without_compute(record):
    predictor = Predictor(Artefact.load(record.path / "compressed"))
    assert predictor.artefact.blocks is None
    request = record.read_json("example.json")

    async def answer(rows):
        return predictor.answer_rows(rows)

    client = TestClient(build_api(predictor, ServeConfig(), answer))
    (found,) = client.post("/v1/predict", json=request).json()["predictions"]
    assert set(found) == {"label", "confidence", "probabilities", "model"}
    assert found["label"] == record.read_json("answer.json")["answer"]["label"]
    about, openapi = client.get("/v1/model").json(), client.get("/openapi.json").json()
    assert not {"compute", "threshold"} & set(about)
    assert "blocks_run" not in json.dumps(openapi)


def test_a_record_of_such_a_model_asks_for_trust(record, monkeypatch, capsys):
    monkeypatch.setattr("os._exit", lambda code: (_ for _ in ()).throw(SystemExit(code)))
    with pytest.raises(SystemExit) as ended:
        main(["compress", str(record.path), "--local"])
    assert ended.value.code == 2
    assert "runs code of its own (foreign_nets:Net); add --trust to allow it" in capsys.readouterr().err
    with pytest.raises(RequestError, match=r"runs code of its own \(foreign_nets:Net\)"):
        load_model(record.path / "model")
    with pytest.raises(RequestError, match="add --trust"), guarded("record: x", trust=False):
        parsed(NET)
    model, config, _ = load_model(record.path / "model", trust=True)
    assert config.kind == "foreign_nets:Net" and config.settings == {"hidden": 24}
    assert count_parameters(model)["module.answer"] == 24 * 12 + 12


@pytest.fixture(scope="module")
def batch(digits):
    return to_batch(digits.take(digits.splits["test"][:20]), digits.schema)


def test_rows_without_an_input_are_zeros_and_told(digits, batch):
    model = parsed(NET).model.build(digits.schema).eval()
    hidden = batch.without("image")
    broken = hidden.with_input("image", torch.full_like(batch.inputs["image"], float("nan")))
    assert torch.equal(model.classify(broken), model.classify(hidden))
    module = model.module
    zeros, none = torch.zeros_like(batch.inputs["image"]), torch.zeros(20, dtype=torch.bool)
    text = batch.inputs["text"].masked_fill(~batch.present["text"][:, None], 0)
    asked = module(image=zeros, text=text, present={"image": none, "text": batch.present["text"]})
    assert torch.equal(model.classify(hidden), asked)
    told = module(image=zeros, text=text, present={"image": ~none, "text": batch.present["text"]})
    assert not torch.equal(asked, told)
    alone = model({"text": batch.inputs["text"]}, {"text": batch.present["text"]}).logits
    assert torch.equal(alone, asked)


def test_it_has_one_exit_and_no_routes(digits, batch):
    model = parsed(NET).model.build(digits.schema)
    output = model(batch.inputs, batch.present)
    assert len(output.exits) == 1 and output.blocks_run is None and output.expert_load is None
    assert model.routing is None and evaluate(model, [batch]).routes is None
    assert len(model.classify_at_exits(batch)) == 1


def test_weights_that_it_brings_are_loaded_where_a_training_begins(digits):
    config = parsed({"kind": "foreign_nets:Brought"}).model
    model = config.build(digits.schema)
    assert not (model.module.answer.bias == 0.25).any()
    config.pretrained(model)
    assert (model.module.answer.bias == 0.25).all()


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ({**NET, "settings": {"hiden": 3}}, r"model.settings.hiden: is no setting of Net; did you mean 'hidden'\?"),
        ({**NET, "settings": {"classes": 3}}, "model.settings.classes: is the number of classes in the data"),
        ({**NET, "hidden": 3}, "model.hidden: unknown key"),
        ({"kind": "foreign_nets:F"}, "model: 'foreign_nets:F' is neither a ModelConfig nor a torch.nn.Module"),
        ({"kind": "foreign_nets:None_"}, "model: cannot import 'foreign_nets:None_'"),
    ],
)
def test_settings_that_the_module_does_not_take_are_one_sentence(model, words):
    with pytest.raises(RequestError, match=words):
        parsed(model)


def test_it_is_not_cut_into_pieces():
    with pytest.raises(
        RequestError, match=r"parallel.pipeline: model foreign_nets:Net is not cut into pieces; use workers"
    ):
        parsed(NET, parallel={"pipeline": 2})


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Deaf", "model: forward of Deaf takes no 'text'; it must take every input as a keyword: image, text"),
        ("Greedy", "model: forward of Greedy needs 'mask', which is no input; the inputs are image, text"),
        ("Narrow", "Narrow gave (4, 3) for 4 rows; logits are (4, 12)"),
        ("Pair", "model: Pair gave a tuple; its forward must give a tensor of logits"),
        ("Unsized", "model: 'answer.weight' of Unsized gets its size from the first rows only; build it with one"),
    ],
)
def test_a_forward_that_does_not_fit_is_refused_before_the_training(tmp_path, monkeypatch, capsys, name, words):
    monkeypatch.setattr("os._exit", lambda code: (_ for _ in ()).throw(SystemExit(code)))
    (tmp_path / "x.yaml").write_text(yaml.safe_dump({**TREE, "model": {"kind": f"foreign_nets:{name}"}}))
    with pytest.raises(SystemExit) as ended:
        main(["run", str(tmp_path / "x.yaml"), "--local", "--out", str(tmp_path / "run")])
    assert ended.value.code == 2
    assert words in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "run").exists()


def test_check_tells_what_it_knows(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("os._exit", lambda code: (_ for _ in ()).throw(SystemExit(code)))
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(TREE))
    with pytest.raises(SystemExit) as ended:
        main(["check", str(tmp_path / "x.yaml")])
    assert not ended.value.code
    shown = " ".join(capsys.readouterr().out.split())
    assert "module.convolve 80" in shown and "active for one sample" not in shown
    assert "activations, which only the model knows, come on top" in shown


def test_a_model_of_the_version_before_names_no_kind(digits, tmp_path):
    config = parsed({}).model
    save_model(tmp_path / "model", config.build(digits.schema), config, digits.schema)
    path = tmp_path / "model" / "model.json"
    about = json.loads(path.read_text())
    assert about["model"].pop("kind") == "routed"
    (tmp_path / "model" / "sums.json").unlink()
    path.write_text(json.dumps({**about, "format": 1}))
    for expected in (None, config):
        assert load_model(tmp_path / "model", expected=expected)[1] == config


def test_predict_has_no_column_of_blocks(record, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("os._exit", lambda code: (_ for _ in ()).throw(SystemExit(code)))
    picture = io.BytesIO()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(picture, "PNG")
    rows = pa.table({"image": [picture.getvalue()], "question": ["is it even"]})
    pq.write_table(rows, tmp_path / "rows.parquet")
    with pytest.raises(SystemExit) as ended:
        main(["predict", str(record.path), str(tmp_path / "rows.parquet"), "--out", str(tmp_path / "out.csv")])
    assert not ended.value.code, capsys.readouterr().err
    assert (tmp_path / "out.csv").read_text().splitlines()[0].replace('"', "") == "prediction,confidence"
