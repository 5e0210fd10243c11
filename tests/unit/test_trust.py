"""A record runs no foreign code without --trust, wherever in it and however the kind is written."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml

from dsray.base import RequestError
from dsray.base.kinds import guarded
from dsray.base.sums import seal, unseal
from dsray.cli import main
from dsray.compress.artefact import write_artefact
from dsray.data import DataConfig, Prepared
from dsray.data.schema import Schema
from dsray.experiment import Experiment
from dsray.models import RoutedConfig, load_model, save_model
from dsray.record import Record
from dsray.runner.original import schema_of
from dsray.runner.place import ThisProcess
from dsray.serving.config import ServeConfig
from dsray.verbs.serve import serve_config

EVERY_SECTION = Experiment.parse(
    {
        "data": {"source": "digits"},
        "augment": {"operations": ["gaussian_noise"]},
        "model": {},
        "train": {"steps": 1, "policies": ["plateau"]},
        "adversarial": {"stages": [{"steps": 1, "epsilon": 0.1, "rates": {}}]},
        "continual": {"tasks": [{"name": "a", "classes": ["1"]}, {"name": "b", "classes": ["2"]}]},
        "compress": {},
        "tune": {"space": {"train.batch": {"kind": "int", "low": 8, "high": 9}}},
    }
).tree()


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where the resolved experiment holds a plug-in."""
    if isinstance(node, dict):
        if "kind" in node:
            yield path
        for key, value in node.items():
            yield from places(value, (*path, key))
    elif isinstance(node, list):
        for i, value in enumerate(node):
            yield from places(value, (*path, i))


PLACES = [path for path in places(EVERY_SECTION) if path != ("train", "task")]  # the one loss that may not be chosen
SPELLINGS = {
    "a word": "trap:Config",
    "a mapping": {"kind": "trap:Config"},
    "with fields": {"kind": "trap:Config", "x": 1},
}


@pytest.fixture
def trap(tmp_path, monkeypatch) -> Path:
    """A module that leaves a file behind when it is imported."""
    folder = tmp_path / "path"
    folder.mkdir()
    sprung = tmp_path / "sprung"
    (folder / "trap.py").write_text(f"open({str(sprung)!r}, 'w').close()")
    monkeypatch.syspath_prepend(str(folder))
    yield sprung
    sys.modules.pop("trap", None)


@pytest.fixture(autouse=True)
def _no_exit(monkeypatch):
    monkeypatch.setattr("os._exit", lambda code: (_ for _ in ()).throw(SystemExit(code)))


def verb(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    return int(ended.value.code or 0)


def written(path: tuple[Any, ...], spelling: Any) -> dict[str, Any]:
    tree = copy.deepcopy(EVERY_SECTION)
    node: Any = tree
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = spelling
    return tree


def test_every_section_with_plug_ins_is_tried():
    assert {path[0] for path in PLACES} == {"data", "augment", "model", "train", "adversarial", "tune"}
    assert len(PLACES) >= 18


@pytest.mark.parametrize("path", PLACES, ids=lambda path: ".".join(map(str, path)))
def test_no_place_of_an_experiment_is_read_on_trust(path, trap):
    for spelling in SPELLINGS.values():
        refused = pytest.raises(RequestError, match=r"record: x runs code of its own \(trap:Config\); add --trust")
        with refused, guarded("record: x", trust=False):
            Experiment.parse(written(path, spelling))
        assert not trap.exists()


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize("name", ["attack", "compress"])
def test_every_verb_on_a_record_asks_for_trust(tmp_path, capsys, trap, name, spelling):
    tree = written(("model", "depth"), spelling)
    record = Record.create_at(tmp_path / "run", yaml.safe_dump(tree), {})
    assert verb(name, str(record.path), "--local") == 2
    assert "runs code of its own (trap:Config); add --trust to allow it" in capsys.readouterr().err
    assert not trap.exists()
    assert verb(name, str(record.path), "--local", "--trust") == 2
    assert "cannot import 'trap:Config'" in capsys.readouterr().err
    assert trap.exists()


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_a_model_file_is_no_way_in(tmp_path, digits, trap, spelling):
    config, folder = RoutedConfig(), tmp_path / "model"
    crafted = SimpleNamespace(model_dump=lambda mode: {**config.model_dump(mode=mode), "depth": spelling})
    save_model(folder, config.build(digits.schema), cast(Any, crafted), digits.schema)
    assert json.loads((folder / "model.json").read_text())["model"]["depth"] == spelling
    with pytest.raises(RequestError, match=r"runs code of its own \(trap:Config\)"):
        load_model(folder)
    with pytest.raises(RequestError, match="is not the model that its experiment names"):
        load_model(folder, expected=config)
    assert not trap.exists()


def trapped(schema: dict[str, Any]) -> dict[str, Any]:
    """A written schema of which an input is of a kind that is nobody's but the trap's."""
    (name, spec), *others = schema["inputs"].items()
    return {**schema, "inputs": {name: {**spec, "kind": "trap:Spec"}, **dict(others)}}


def foreign(data: Prepared) -> Any:
    """What writes such a schema."""
    return SimpleNamespace(model_dump=lambda mode: trapped(data.schema.model_dump(mode=mode)))


@pytest.fixture
def crafted(tmp_path, digits) -> Path:
    """The folder of a run with an artefact whose schema names the trap."""
    record = Record.create_at(tmp_path / "run", yaml.safe_dump(EVERY_SECTION), {})
    (tmp_path / "model.onnx").touch()
    about = {"compute": None, "threshold": None, "metrics": {}}
    write_artefact(record.path / "compressed", tmp_path / "model.onnx", foreign(digits), about, {})
    return record.path


def test_an_artefact_of_a_foreign_kind_of_input_asks_for_trust(tmp_path, capsys, trap, crafted):
    (tmp_path / "rows.csv").write_text("image,question\n,which digit?\n")
    words = ("predict", str(crafted), str(tmp_path / "rows.csv"))
    assert verb(*words) == 2
    said = f"artefact: {crafted / 'compressed'} runs code of its own (trap:Spec); add --trust to allow it"
    assert said in capsys.readouterr().err
    with pytest.raises(RequestError, match=r"trap:Spec\); add --trust"):
        ThisProcess().answer(crafted, {}, ServeConfig(), False)
    assert not trap.exists()
    assert verb(*words, "--trust") == 2
    assert "cannot import 'trap:Spec'" in capsys.readouterr().err
    assert trap.exists()


def test_no_schema_on_disk_is_a_way_in(tmp_path, digits, trap):
    """What an experiment has made is read back with the packages that it names itself, and no others."""
    config, model = RoutedConfig(), tmp_path / "model"
    save_model(model, config.build(digits.schema), config, foreign(digits))
    with pytest.raises(RequestError, match=r"model: .* runs code of its own \(trap:Spec\); add --trust"):
        load_model(model)
    said = r" runs code that its experiment does not name \(trap:Spec\); restore it"
    with pytest.raises(RequestError, match=f"model: .*{said}"):
        load_model(model, expected=config, trust=frozenset())
    record = Record.create_at(tmp_path / "run", yaml.safe_dump(EVERY_SECTION), {})
    record.write_json("schema.json", trapped(digits.schema.model_dump(mode="json")))
    with pytest.raises(RequestError, match=f"record: .*schema.json{said}"):
        schema_of(record, DataConfig.model_validate({"source": "digits"}))
    digits.save(tmp_path / "rows")
    about = unseal(tmp_path / "rows/prepared.json")
    about = {**{key: value for key, value in about.items() if key != "sha256"}, "schema": trapped(about["schema"])}
    (tmp_path / "rows/prepared.json").write_bytes(seal(about))
    with pytest.raises(RequestError, match=f"data: .*{said}"):
        Prepared.find(tmp_path / "rows")
    assert not trap.exists()


def test_a_package_is_trusted_by_its_own_name():
    series = {"kind": "foreign_series:SeriesInput", "column": "x"}
    data = DataConfig.model_validate({"source": "digits", "inputs": {"s": series}})
    assert data.packages == {"foreign_series"} and not DataConfig.model_validate({}).packages
    spec = {"kind": "foreign_series:SeriesSpec", "column": "x", "length": 2, "low": 0, "high": 1}
    written = {"inputs": {"s": spec}, "label": "y", "classes": ["a", "b"]}
    with guarded("record: x", data.packages):
        assert Schema.model_validate(written).inputs["s"].kind == spec["kind"]
    with pytest.raises(RequestError, match="does not name"), guarded("record: x", frozenset({"foreign"})):
        Schema.model_validate(written)


def test_trust_is_what_the_caller_types_too(tmp_path, capsys, trap):
    """A kind in an override is the caller's own; the record's kinds are read before it, without it."""
    record = Record.create_at(tmp_path / "run", yaml.safe_dump(EVERY_SECTION), {})
    assert verb("attack", str(record.path), "--local", "judge.attacks=[trap:Config]") == 2
    assert "cannot import 'trap:Config'" in capsys.readouterr().err


def test_a_record_opens_no_address(tmp_path):
    tree = {"serve": {"host": "0.0.0.0", "port": 8123}}
    record = Record.create_at(tmp_path / "run", yaml.safe_dump(tree), {})
    assert (serve_config(record, None, None).host, serve_config(record, None, None).port) == ("127.0.0.1", 8123)
    assert (serve_config(record, "0.0.0.0", 9000).host, serve_config(record, "0.0.0.0", 9000).port) == ("0.0.0.0", 9000)


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("127.0.0.1", "this machine only, --host opens another address"),
        ("localhost", "this machine only"),
        ("::1", "this machine only"),
        ("0.0.0.0", "every address of this machine"),
        ("::", "every address of this machine"),
        ("192.168.1.5", "reachable on 192.168.1.5"),
    ],
)
def test_the_start_line_says_who_can_reach_it(host, words):
    from dsray.serving.address import reach

    assert words in reach(host)
