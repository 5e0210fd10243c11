"""Dotted overrides and files laid over files."""

from __future__ import annotations

import copy

import pytest

from dsray.base import RequestError
from dsray.overrides import apply_overrides, merge, parse_override

TREE = {
    "train": {"epochs": 9, "steps": None, "clip": 1.0},
    "stages": [{"attack": {"kind": "pgd", "steps": 3, "restarts": 2}, "loss": "trades"}, {"attack": {"kind": "fgsm"}}],
    "exits": [1, 2],
    "finetune": None,
}


def changed(*texts: str) -> dict:
    before = copy.deepcopy(TREE)
    after = apply_overrides(TREE, [parse_override(text) for text in texts])
    assert before == TREE, "the given tree stays as it is"
    return after


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("train.epochs=3", "train.epochs", 3),
        ("a.b=[1, {c: d}]", "a.b", [1, {"c": "d"}]),
        ("a=", "a", None),
        ("a=null", "a", None),
        ("a=b=c", "a", "b=c"),
        (" a = 8/255", "a", "8/255"),
    ],
)
def test_values_are_yaml(text, path, value):
    assert parse_override(text) == (path, value)


@pytest.mark.parametrize("text", ["train.epochs", "=3", "  =3", ""])
def test_what_is_not_key_value_is_refused(text):
    with pytest.raises(RequestError, match=r"is not key=value; write for example train\.epochs=3"):
        parse_override(text)


def test_bad_yaml_names_the_path():
    with pytest.raises(RequestError, match=r"^a\.b: '\[1' is not valid YAML"):
        parse_override("a.b=[1")


def test_a_path_goes_through_mappings_and_lists():
    after = changed("stages.0.attack.steps=10", "exits.1=4")
    assert after["stages"][0]["attack"] == {"kind": "pgd", "steps": 10, "restarts": 2}
    assert after["exits"] == [1, 4]


def test_a_new_kind_drops_the_keys_of_the_old_one():
    assert changed("stages.0.attack.kind=fgsm")["stages"][0]["attack"] == {"kind": "fgsm"}
    assert changed("stages.0.attack.kind=pgd")["stages"][0]["attack"] == TREE["stages"][0]["attack"]
    assert changed("stages.0.attack.kind=own.mod:A", "stages.0.attack.x=1")["stages"][0]["attack"] == {
        "kind": "own.mod:A",
        "x": 1,
    }


def test_an_absent_section_opens_up():
    assert changed("finetune.unfreeze=[[head]]")["finetune"] == {"unfreeze": [["head"]]}
    assert changed("tune.space.a.low=1")["tune"] == {"space": {"a": {"low": 1}}}


def test_a_kind_written_as_a_word_opens_up():
    assert changed("stages.0.loss.beta=4")["stages"][0]["loss"] == {"kind": "trades", "beta": 4}


def test_one_length_replaces_the_other():
    assert changed("train.steps=100")["train"] == {"epochs": None, "steps": 100, "clip": 1.0}
    assert changed("train.steps=100", "train.epochs=2")["train"] == {"epochs": 2, "steps": None, "clip": 1.0}
    assert changed("train.steps=null")["train"]["epochs"] == 9
    assert changed("stages.0.attack.steps=5")["stages"][0]["attack"].keys() == {"kind", "steps", "restarts"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stages.2.loss=x", r"^stages\.2: '2' is not a position in a list of 2"),
        ("stages.first.loss=x", r"^stages\.first: 'first' is not a position in a list of 2"),
        ("stages.-1.loss=x", r"^stages\.-1: '-1' is not a position in a list of 2"),
        ("exits.²=1", r"^exits\.²: '²' is not a position in a list of 2"),
        ("exits.7=1", r"^exits\.7: '7' is not a position in a list of 2"),
        ("exits.0.x=1", r"^exits\.0: is the value 1 and holds no fields; set it as a whole"),
        ("train.epochs.x=1", r"^train\.epochs: is the value 9 and holds no fields; set it as a whole"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused(text, said):
    with pytest.raises(RequestError, match=said):
        changed(text)


def test_merge_lays_one_file_over_another():
    over = {"train": {"clip": 2.0}, "exits": [5], "stages": [{}], "name": "other"}
    assert merge(TREE, over) == {
        "train": {"epochs": 9, "steps": None, "clip": 2.0},
        "stages": [{}],
        "exits": [5],
        "finetune": None,
        "name": "other",
    }
    assert merge(TREE, {"finetune": {"unfreeze": []}})["finetune"] == {"unfreeze": []}
    assert merge(TREE, {"train": None})["train"] is None


def test_merge_follows_the_rules_of_overrides():
    assert merge({"attack": {"kind": "pgd", "steps": 3}}, {"attack": {"kind": "fgsm"}}) == {"attack": {"kind": "fgsm"}}
    assert merge({"attack": {"kind": "pgd", "steps": 3}}, {"attack": {"kind": "pgd", "restarts": 2}}) == {
        "attack": {"kind": "pgd", "steps": 3, "restarts": 2}
    }
    assert merge({"loss": "trades"}, {"loss": {"beta": 4}}) == {"loss": {"kind": "trades", "beta": 4}}
    assert merge({"train": {"epochs": 9, "clip": 1}}, {"train": {"steps": 50}}) == {"train": {"steps": 50, "clip": 1}}


def test_merged_trees_share_nothing_with_their_parents():
    base = {"a": {"b": [1]}, "c": {"d": [2]}}
    merged = merge(base, {"a": {}})
    merged["a"]["b"].append(9)
    merged["c"]["d"].append(9)
    assert base == {"a": {"b": [1]}, "c": {"d": [2]}}
