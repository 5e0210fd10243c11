"""Configs, plug-ins by kind, sentences for faults, and the JSON Schema that editors read."""

from __future__ import annotations

from typing import Annotated, Literal

import jsonschema
import pytest
from pydantic import Field, ValidationError

from dsray.base import Config, Plugin, explain, fraction, json_schema, nearest, one_of


class Shape(Plugin):
    """Something with an area."""


class Square(Shape):
    kind: Literal["square"] = "square"
    side: float = Field(1.0, gt=0, description="metres")


class Circle(Shape):
    kind: Literal["circle"] = "circle"
    radius: float = Field(description="metres")


class Group(Shape):
    """Contains its own kind, as joined schedules do."""

    kind: Literal["group"] = "group"
    parts: tuple[AnyShape, ...] = ()


AnyShape = Annotated[Shape, one_of(Square, Circle, Group)]
Group.model_rebuild()


class Room(Config):
    """A room."""

    name: str = "hall"
    floor: AnyShape = Square()
    table: AnyShape | None = None


class Triangle(Shape):
    """A plug-in outside the union, named by this module."""

    kind: Literal["test_base:Triangle"] = "test_base:Triangle"
    base: float = 2.0


def sentence(tree: dict) -> str:
    with pytest.raises(ValidationError) as caught:
        Room.model_validate(tree)
    return explain(caught.value, "room")


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"nmae": "x"}, "nmae: unknown key; did you mean 'name'?"),
        ({"zzz": 1}, "zzz: unknown key; valid: name, floor, table"),
        ({"floor": {"kind": "sqare"}}, "floor: unknown kind 'sqare'; did you mean 'square'?"),
        ({"floor": {"kind": "square", "sdie": 2}}, "floor.sdie: unknown key; did you mean 'side'?"),
        ({"floor": {"kind": "square", "side": -2}}, "floor.side: input should be greater than 0; got -2"),
        ({"floor": {"side": 2}}, "floor: needs a 'kind', one of square, circle, group"),
        ({"floor": {"kind": 3}}, "floor: needs a 'kind', one of square, circle, group"),
        ({"floor": 3}, "floor: needs a 'kind', one of square, circle, group; got 3"),
        ({"floor": "circle"}, "floor.radius: is required"),
        ({"table": {"kind": "circle", "radius": "x"}}, "table.radius: input should be a valid number"),
        (
            {"floor": {"kind": "group", "parts": [{"kind": "square"}, {"kind": "circl"}]}},
            "floor.parts.1: unknown kind 'circl'; did you mean 'circle'?",
        ),
        ({"floor": {"kind": "no_such.module:Thing"}}, "floor: cannot import 'no_such.module:Thing'"),
        ({"floor": {"kind": "json:Thing"}}, "floor: cannot import 'json:Thing'"),
        ({"floor": {"kind": "json:loads"}}, "floor: 'json:loads' is not a subclass of Shape"),
        ({"floor": {"kind": "dsray.base:Config"}}, "floor: 'dsray.base:Config' is not a subclass of Shape"),
        # what is misspelt is named before what is thereby missing
        ({"floor": {"kind": "circle", "radios": 1}}, "floor.radios: unknown key; did you mean 'radius'?"),
    ],
)
def test_a_fault_is_one_sentence_with_path_and_remedy(tree, said):
    assert sentence(tree).startswith(said)
    assert "\n" not in sentence(tree)


def test_a_plug_in_is_given_by_mapping_by_name_or_as_it_is():
    assert Room.model_validate({"floor": {"kind": "square", "side": 2}}).floor == Square(side=2)
    assert Room.model_validate({"floor": "square"}).floor == Square()
    assert Room(floor=Circle(radius=3)).floor == Circle(radius=3)


def test_a_kind_of_the_users_own_module_is_imported_and_survives_json():
    room = Room.model_validate({"floor": {"kind": "test_base:Triangle", "base": 9}})
    assert room.floor == Triangle(base=9)
    assert Room.model_validate_json(room.model_dump_json()) == room
    said = sentence({"floor": {"kind": "test_base:Triangle", "bsae": 9}})
    assert said == "floor.bsae: unknown key; did you mean 'base'?"


def test_configs_are_frozen_and_replace_validates():
    room = Room(floor=Circle(radius=3))
    with pytest.raises(ValidationError):
        room.name = "other"
    assert room.replace(name="attic") == Room(name="attic", floor=Circle(radius=3))
    with pytest.raises(ValidationError, match="unknown key colour"):
        room.replace(colour="red")


def test_defaults_are_validated_too():
    class Wrong(Config):
        share: float = Field(2.0, le=1)

    with pytest.raises(ValidationError, match="less than or equal to 1"):
        Wrong()


@pytest.mark.parametrize("given", ["8/255", " 8 / 255 ", "8.0/255"])
def test_fractions_are_understood(given):
    assert fraction(given) == pytest.approx(0.031373, abs=1e-6)


@pytest.mark.parametrize("given", ["-8/255", "8/", "a/b", "8/255/2", 3, None, True])
def test_what_is_not_a_fraction_stays(given):
    assert fraction(given) is given


def test_nearest_is_silent_about_far_names():
    assert nearest("epoch", ["epochs", "steps"]) == "did you mean 'epochs'?"
    assert nearest("qqqq", ["epochs", "steps"]) == "valid: epochs, steps"


SCHEMA = json_schema(Room)


def faults(tree: dict) -> list[str]:
    return [e.message for e in jsonschema.Draft202012Validator(SCHEMA).iter_errors(tree)]


def test_the_schema_is_valid_and_complete():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert {"Square", "Circle", "Group"} <= set(SCHEMA["$defs"])
    assert SCHEMA["$defs"]["Square"]["properties"]["side"]["description"] == "metres"
    assert SCHEMA["$defs"]["Square"]["required"] == ["kind"]
    assert "x-member" not in str(SCHEMA)


@pytest.mark.parametrize(
    "tree",
    [
        {},
        {"floor": "square"},
        {"floor": {"kind": "circle", "radius": 1}},
        {"floor": {"kind": "group", "parts": [{"kind": "group", "parts": ["square"]}]}},
        {"floor": {"kind": "their_package.shapes:Big", "size": 3}},
        {"table": None},
    ],
)
def test_the_schema_accepts_what_validation_accepts(tree):
    assert faults(tree) == []


@pytest.mark.parametrize(
    "tree",
    [
        {"nmae": "x"},
        {"floor": "circle"},
        {"floor": {"kind": "square", "sdie": 2}},
        {"floor": {"side": 2}},
        {"floor": {"kind": "group", "parts": [{"kind": "circle"}]}},
    ],
)
def test_the_schema_refuses_what_validation_refuses(tree):
    assert faults(tree)
    sentence(tree)
