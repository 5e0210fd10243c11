"""An artefact that was altered, by accident or on purpose, is refused in one sentence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from dsray.base import RequestError
from dsray.base.sums import digest, digest_of, seal
from dsray.compress import Artefact
from dsray.compress.artefact import write_artefact
from dsray.data.schema import Schema
from dsray.inputs import TextSpec

SCHEMA = Schema(
    text=TextSpec(column="text", length=4, vocabulary=8, tokenizer="{}"), label="answer", classes=("no", "yes")
)
ABOUT = {"opset": 17, "threshold": 0.5, "compute": {"blocks": 2, "budget": None}, "metrics": {"size_ratio": 0.25}}


def graph(path: Path, external: str | None = None) -> Path:
    """y = x + w, with w inside the file or in another."""
    weights = np.arange(300, dtype=np.float32)
    tensor = helper.make_tensor("w", TensorProto.FLOAT, [300], weights.tobytes(), raw=True)
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [300]) for name in ("x", "y")]
    made = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", ends[:1], ends[1:], [tensor])
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    if external:
        onnx.external_data_helper.set_external_data(model.graph.initializer[0], location=external)
        model.graph.initializer[0].ClearField("raw_data")
        model.graph.initializer[0].data_location = TensorProto.EXTERNAL
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture
def folder(tmp_path):
    write_artefact(tmp_path / "art", graph(tmp_path / "m.onnx"), SCHEMA, ABOUT, {"speed": []})
    return tmp_path / "art"


def craft(folder, **changes):
    """A manifest with a right seal and a right version, as one who means harm can write."""
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest.pop("sha256")
    manifest = {key: value for key, value in (manifest | changes).items() if value is not ...}
    files = manifest.get("files")
    if isinstance(files, dict) and "version" in manifest and "version" not in changes:
        decides = {k: v for k, v in manifest.items() if k != "version"}
        decides["files"] = {name: value for name, value in files.items() if name != "report.json"}
        manifest["version"] = digest(decides)[:12]
    (folder / "manifest.json").write_bytes(seal(manifest))


def files(folder):
    return {name: digest_of(folder / name) for name in ("model.onnx", "report.json")}


def test_a_manifest_that_was_written_anew_in_the_same_way_is_read(folder):
    version = Artefact.load(folder).version
    craft(folder)
    assert Artefact.load(folder).version == version
    craft(folder, threshold=0.75)
    assert Artefact.load(folder).version != version


@pytest.mark.parametrize("name", ["../m.onnx", "/etc/hostname", "..", "", "sub/model.onnx", "a\ud800", "a" * 300])
def test_a_file_outside_of_the_folder_is_refused(folder, name):
    path = folder / name
    found = digest_of(path) if len(name) < 99 and path.is_file() else "0" * 64
    craft(folder, files=files(folder) | {name: found})
    with pytest.raises(RequestError, match="names no file inside the folder"):
        Artefact.load(folder)


def test_a_list_without_the_model_is_refused(folder):
    craft(folder, files={"report.json": files(folder)["report.json"]})
    with pytest.raises(RequestError, match=r"model\.onnx is not in the list of its files"):
        Artefact.load(folder)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"compute": {}}, r"compute\.blocks: is required"),
        ({"compute": {"blocks": "many", "budget": None}}, r"compute\.blocks: "),
        ({"compute": {"blocks": 0, "budget": None}}, r"compute\.blocks: "),
        ({"schema": []}, "schema: "),
        ({"schema": {"inputs": {}}}, r"schema\.target: is required"),
        ({"metrics": None}, "metrics: "),
        ({"threshold": ...}, "threshold: is required"),
        ({"version": ...}, "version: is required"),
        ({"version": "000000000000"}, "its version names another content"),
        ({"files": ...}, "the list of its files is none"),
        ({"files": ["model.onnx"]}, "the list of its files is none"),
        ({"files": {"model.onnx": 7}}, "the list of its files is none"),
        ({"format": 99}, "is of another format"),
    ],
)
def test_a_manifest_that_lacks_something_is_refused(folder, changes, words):
    craft(folder, **changes)
    with pytest.raises(RequestError, match=words) as caught:
        Artefact.load(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"a": ' * 300 + b"1" + b"}" * 300]
)
def test_a_manifest_that_is_none_is_refused(folder, text):
    (folder / "manifest.json").write_bytes(text)
    with pytest.raises(RequestError, match=r"manifest\.json was altered or is of another format; compress again"):
        Artefact.load(folder)


def test_a_manifest_that_nests_deeply_is_refused(folder):
    deep: dict = {}
    for _ in range(300):
        deep = {"a": deep}
    craft(folder, note=deep)
    with pytest.raises(RequestError, match=r"manifest\.json was altered or is of another format"):
        Artefact.load(folder)


def test_weights_outside_of_the_model_are_not_read(folder, tmp_path, monkeypatch):
    """Neither from the folder, whose list does not name them, nor from where the process happens to be."""
    monkeypatch.chdir(tmp_path)
    for place in (folder, tmp_path):
        (place / "weights.bin").write_bytes(np.arange(300, dtype=np.float32).tobytes())
    graph(folder / "model.onnx", external="weights.bin")
    craft(folder, files=files(folder))
    with pytest.raises(RequestError, match=r"model\.onnx cannot be run \(.*xternal data"):
        Artefact.load(folder).model()


def test_an_artefact_whose_writer_was_killed_between_two_renames_is_found(folder):
    from dsray.base.aside import aside_of

    version = Artefact.load(folder).version
    folder.rename(aside_of(folder, "old"))
    assert Artefact.load(folder).version == version


def test_a_link_in_place_of_a_file_must_hold_the_same_bytes(folder, tmp_path):
    shutil.move(folder / "model.onnx", tmp_path / "elsewhere")
    (folder / "model.onnx").symlink_to(tmp_path / "elsewhere")
    assert Artefact.load(folder)
    (tmp_path / "elsewhere").write_bytes(b"other")
    with pytest.raises(RequestError, match="missing or was altered"):
        Artefact.load(folder)
