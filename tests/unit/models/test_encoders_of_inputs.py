"""Encoders stand under the names of the inputs; those of another width get an adapter to the shared projection."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dsray.base import RequestError
from dsray.base.batch import Batch
from dsray.compress.compress import columns
from dsray.compress.export import export_onnx
from dsray.compress.onnx_model import OnnxModel, Outputs
from dsray.compress.parity import parity
from dsray.data.schema import Schema
from dsray.experiment import Experiment
from dsray.models import RoutedConfig, count_parameters, load_model, load_part, save_model

IMAGE = {"kind": "image", "column": "a", "channels": 1, "height": 8, "width": 8}
NOTE = {"kind": "text", "column": "c", "length": 5, "vocabulary": 20, "tokenizer": ""}
SCHEMA = Schema.model_validate(
    {
        "inputs": {"front": IMAGE, "side": {**IMAGE, "column": "b"}, "note": NOTE},
        "label": "y",
        "classes": ["p", "q", "r"],
    }
)
TREE = {
    "width": 16,
    "encoders": {"front": {"kind": "patch", "width": 24}, "side": {"kind": "patch", "patch": 2, "width": 40}},
    "trunk": {"blocks": 2, "heads": 2, "hidden": 16, "experts": {"count": 2, "hidden": 8}},
    "depth": {"kind": "early_exit", "exits": [1], "threshold": 0.51},
}


def data(**inputs) -> dict:
    return {
        "source": {"kind": "parquet", "train": "a", "test": "b"},
        "inputs": {
            "front": {"kind": "image", "column": "a", "size": 8},
            "side": {"kind": "image", "column": "b", "size": 8},
            **inputs,
        },
        "label": "y",
    }


def made(tree=TREE, schema=SCHEMA, seed=0):
    torch.manual_seed(seed)
    return RoutedConfig.model_validate(tree).build(schema).eval()


def batch(rows: int = 12) -> Batch:
    torch.manual_seed(1)
    ids = torch.arange(rows)
    inputs = {
        "front": torch.rand(rows, 1, 8, 8),
        "side": torch.rand(rows, 1, 8, 8),
        "note": torch.randint(0, 20, (rows, 5)),
    }
    present = {"front": ids % 3 > 0, "side": ids % 4 > 0, "note": torch.ones(rows, dtype=torch.bool)}
    return Batch(inputs, ids % 3, ids, torch.zeros_like(ids), present)


def test_two_images_in_a_row_have_encoders_of_their_own():
    model = made()
    assert list(model.encoders) == ["front", "side", "note"]
    assert [encoder.tokens for encoder in model.encoders.values()] == [4, 16, 5]
    clean, hidden = model.classify(batch()), model.classify(batch().without("side"))
    shown = batch().present["side"]
    assert not torch.allclose(clean[shown], hidden[shown])
    assert torch.equal(clean[~shown], hidden[~shown])


def test_encoders_of_other_widths_have_an_adapter_to_the_shared_one():
    model = made()
    assert {name: tuple(layer.weight.shape) for name, layer in model.adapters.items()} == {
        "side": (24, 40),
        "note": (24, 64),
    }
    assert model.project.in_features == 24
    counts = count_parameters(model)
    assert counts["adapters.side"] == 24 * 40 + 24 and counts["total"] == sum(p.numel() for p in model.parameters())
    assert model.piece_of("adapters.side.weight", 2) == 0


def test_equal_widths_draw_what_they_always_drew():
    equal = {**TREE, "encoders": {name: {"kind": kind} for name, kind in {"front": "patch", "note": "tokens"}.items()}}
    assert not [name for name in made(equal).state_dict() if name.startswith("adapters")]


def test_adapters_go_to_disk_and_to_onnx_and_load_alone(tmp_path):
    config, model = RoutedConfig.model_validate(TREE), made()
    save_model(tmp_path / "model", model, config, SCHEMA)
    again = load_model(tmp_path / "model")[0]
    assert torch.equal(again.classify(batch()), model.classify(batch()))
    other = made(seed=5)
    load_part(other, tmp_path / "model", "adapters.side")
    assert torch.equal(other.adapters["side"].weight, model.adapters["side"].weight)
    assert not torch.equal(other.adapters["note"].weight, model.adapters["note"].weight)
    export_onnx(model, batch(4), tmp_path / "m.onnx")
    found = OnnxModel(tmp_path / "m.onnx").run(columns(batch()))
    with torch.no_grad():
        output = model(batch().inputs, batch().present)
    mine = Outputs(output.logits.numpy(), output.blocks_run.numpy())
    assert parity(mine, found)["same_route"] == 1
    assert len(np.unique(found.blocks_run)) == 2


def test_pieces_of_a_model_with_adapters_give_its_answers():
    model = made().train()
    first, last = model.piece(0, 2), model.piece(1, 2)
    carried = first(*first.pack(batch()))
    last.pack(batch())
    exits = last(*carried)
    whole = model(batch().inputs, batch().present).exits
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(exits, whole, strict=True))


def test_an_input_without_an_entry_is_written_out_with_the_first_that_reads_it():
    x = Experiment.parse({"data": data(), "model": {"encoders": {"side": {"kind": "patch", "patch": 2}}}})
    found = x.tree()["model"]["encoders"]
    assert found == {
        "side": {"kind": "patch", "width": 64, "patch": 2},
        "front": {"kind": "patch", "width": 64, "patch": 4},
    }
    short = Experiment.parse({"data": {"source": "digits"}, "model": {}}).tree()["model"]["encoders"]
    assert list(short) == ["image", "text"] and short["image"]["patch"] == 4


def test_the_short_names_may_stand_there_unused():
    encoders = {"text": {"kind": "tokens", "width": 16}}
    x = Experiment.parse({"data": {"source": "digits", "text": None}, "model": {"encoders": encoders}})
    assert x.tree()["model"]["encoders"]["text"] == {"kind": "tokens", "width": 16}
    old = Experiment.parse({"data": {"source": "digits", "text": None}, "model": {}}).tree()["model"]["encoders"]
    assert list(old) == ["image", "text"]


@pytest.mark.parametrize(
    ("encoders", "words"),
    [
        ({"fornt": {"kind": "patch"}}, r"model.encoders.fornt: is no input; did you mean 'front'\?"),
        ({"side": {"kind": "tokens"}}, "model.encoders.side: tokens does not read an input of kind image"),
        ({"side": {"kind": "patches"}}, r"model.encoders.side: unknown kind 'patches'; did you mean 'patch'\?"),
    ],
)
def test_an_entry_that_fits_no_input_is_one_sentence(encoders, words):
    with pytest.raises(RequestError, match=words):
        Experiment.parse({"data": data(), "model": {"encoders": encoders}})


def test_a_name_that_modules_use_themselves_is_refused():
    with pytest.raises(RequestError, match=r"data.inputs: 'values' is a name that models use themselves"):
        Experiment.parse({"data": data(values={"kind": "text", "column": "c", "length": 4}), "model": {}})


def test_a_setting_that_does_not_fit_names_the_input():
    with pytest.raises(RequestError, match=r"model.encoders.side.patch: 3 does not divide an image of 8x8 pixels"):
        made({**TREE, "encoders": {"side": {"kind": "patch", "patch": 3}}})
