"""Dotted overrides on a resolved tree."""

from __future__ import annotations

import pytest
import yaml

from dsray.base import RequestError
from dsray.experiment import Experiment
from dsray.experiment.overrides import apply_overrides, merge, parse_override

TREE = {
    "train": {"epochs": 3, "steps": None, "batch": 64},
    "stages": [{"attack": {"kind": "pgd", "steps": 10}, "loss": "madry"}, {"attack": {"kind": "fgsm"}}],
    "compress": None,
}


def changed(*texts):
    return apply_overrides(TREE, [parse_override(text) for text in texts])


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("a.b=3", "a.b", 3),
        ("a=1.5", "a", 1.5),
        ("a=8/255", "a", "8/255"),
        ("a=null", "a", None),
        ("a=[1, {b: c}]", "a", [1, {"b": "c"}]),
        ("a=x=y", "a", "x=y"),
    ],
)
def test_values_are_yaml(text, path, value):
    assert parse_override(text) == (path, value)


@pytest.mark.parametrize(
    "text", ["train.epochs", "=3", "a=[1", ".train=3", "train..epochs=3", "train.=3", "a=2020-13-45"]
)
def test_what_is_no_assignment_is_refused(text):
    with pytest.raises(RequestError, match=r"key=value|not valid YAML"):
        parse_override(text)


def test_paths_reach_into_mappings_and_lists_and_leave_the_original_alone():
    tree = changed("train.batch=8", "stages.0.attack.steps=2")
    assert tree["train"]["batch"] == 8 and tree["stages"][0]["attack"] == {"kind": "pgd", "steps": 2}
    assert TREE["train"]["batch"] == 64 and TREE["stages"][0]["attack"]["steps"] == 10


def test_a_new_kind_drops_the_keys_of_the_old_one_and_the_same_kind_does_not():
    assert changed("stages.0.attack.kind=fgsm")["stages"][0]["attack"] == {"kind": "fgsm"}
    assert changed("stages.0.attack.kind=pgd")["stages"][0]["attack"] == {"kind": "pgd", "steps": 10}


def test_one_length_replaces_the_other():
    assert changed("train.steps=7")["train"] == {"epochs": None, "steps": 7, "batch": 64}
    assert changed("train.steps=null")["train"] == {"epochs": 3, "steps": None, "batch": 64}


def test_absent_sections_and_shorthands_open_up():
    assert changed("compress.seed=1")["compress"] == {"seed": 1}
    assert changed("stages.0.loss.weight=2")["stages"][0]["loss"] == {"kind": "madry", "weight": 2}


@pytest.mark.parametrize("path", ["stages.2.loss", "stages.-1.loss", "stages.x.loss", "stages.²", "stages.2"])
def test_positions_that_do_not_exist_are_refused(path):
    with pytest.raises(RequestError, match="is not a position in a list of 2"):
        changed(f"{path}=1")


def test_merge_lays_mappings_over_each_other_and_replaces_lists_and_kinds():
    assert merge({"a": {"b": 1, "c": 2}, "d": [1]}, {"a": {"c": 3}, "d": [2]}) == {"a": {"b": 1, "c": 3}, "d": [2]}
    assert merge({"kind": "pgd", "steps": 3}, {"kind": "fgsm"}) == {"kind": "fgsm"}
    assert merge({"kind": "pgd", "steps": 3}, {"steps": 4}) == {"kind": "pgd", "steps": 4}


def two(tmp_path, encoders):
    inputs = {name: {"kind": "image", "column": name, "size": 8} for name in ("front", "back")}
    source = {"kind": "parquet", "train": "a", "test": "b"}
    tree = {"data": {"source": source, "inputs": inputs, "label": "y"}, "model": {"encoders": encoders}}
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(tree))
    return tmp_path / "x.yaml"


def test_an_input_that_an_override_takes_away_takes_the_encoder_that_nobody_named_along(tmp_path):
    model = Experiment.load(two(tmp_path, {}), ["data.inputs.front=null"]).model
    assert list(model.encoders) == ["back"]


def test_an_input_that_an_override_makes_another_gets_an_encoder_that_reads_it(tmp_path):
    changed = ["data.inputs.front.kind=text", "data.inputs.front.column=note", "model.encoders.back.patch=2"]
    model = Experiment.load(two(tmp_path, {}), changed).model
    assert model.encoders["front"].kind == "tokens"
    assert model.encoders["back"].patch == 2


def test_an_encoder_that_the_file_names_is_held_to_its_input(tmp_path):
    path = two(tmp_path, {"front": {"kind": "patch", "patch": 2}})
    assert Experiment.load(path, ["data.inputs.front.size=16"]).model.encoders["front"].patch == 2
    with pytest.raises(RequestError, match=r"^model\.encoders\.front: is no input; valid: back$"):
        Experiment.load(path, ["data.inputs.front=null"])
