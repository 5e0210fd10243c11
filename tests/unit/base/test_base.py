"""Configs refuse what they do not know and name what would be right; unions hold one plug-in."""

from __future__ import annotations

from typing import Annotated, Literal

import jsonschema
import pytest
from pydantic import Field, TypeAdapter, ValidationError

from dsray.base import Config, Plugin, RequestError, RunFailure, explain, nearest, one_of
from dsray.base.fraction import fraction
from dsray.base.kinds import json_schema


class Shape(Plugin):
    """Base."""


class Circle(Shape):
    kind: Literal["circle"] = "circle"
    radius: float = Field(1.0, gt=0, description="metres")


class Stack(Shape):
    kind: Literal["stack"] = "stack"
    parts: tuple[AnyShape, ...] = ()


AnyShape = Annotated[Shape, one_of(Circle, Stack)]
Stack.model_rebuild()


class Drawing(Config):
    title: str
    shape: AnyShape = Circle()
    size: int = Field(3, ge=1)


def sentence(tree):
    with pytest.raises(ValidationError) as caught:
        Drawing.model_validate(tree)
    return explain(caught.value, "drawing")


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"title": "a", "sise": 3}, "sise: unknown key; did you mean 'size'?"),
        ({"title": "a", "zzzzz": 3}, "zzzzz: unknown key; valid: title, shape, size"),
        ({}, "title: is required"),
        ({"title": "a", "size": 0}, "size: input should be greater than or equal to 1; got 0"),
        ({"title": "a", "shape": "circel"}, "shape: unknown kind 'circel'; did you mean 'circle'?"),
        ({"title": "a", "shape": {"radius": 2}}, "shape: needs a 'kind', one of circle, stack"),
        ({"title": "a", "shape": {"kind": "circle", "radios": 2}}, "shape.radios: unknown key; did you mean 'radius'?"),
        (
            {"title": "a", "shape": {"kind": "stack", "parts": ["circle", {"kind": "circle", "radius": -1}]}},
            "shape.parts.1.radius: input should be greater than 0; got -1",
        ),
    ],
)
def test_a_fault_is_one_sentence_with_its_path(tree, said):
    assert sentence(tree).startswith(said)


def test_a_value_where_keys_are_needed_speaks_of_no_python_class():
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(dict[str, Drawing]).validate_python({"abstain": 0.95})
    assert explain(caught.value, "file") == "abstain: needs keys with values, as in {key: value}; got 0.95"


def test_an_unknown_key_is_named_before_what_it_caused():
    assert sentence({"titel": "a"}) == "titel: unknown key; did you mean 'title'?"


def test_a_bare_name_is_the_kind_with_its_defaults():
    assert Drawing(title="a", shape="stack").shape == Stack()


def test_unions_keep_the_members_fields_through_json():
    drawing = Drawing(title="a", shape=Stack(parts=(Circle(radius=2), Stack())))
    again = Drawing.model_validate_json(drawing.model_dump_json())
    assert again == drawing
    assert again.shape.parts[0].radius == 2


def test_configs_are_frozen_and_copies_are_validated():
    drawing = Drawing(title="a")
    with pytest.raises(ValidationError, match="frozen"):
        drawing.size = 4
    assert drawing.replace(size=4).size == 4
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        drawing.replace(size=0)


def test_the_schema_names_each_member_once_even_where_they_contain_each_other():
    schema = json_schema(Drawing)
    assert sorted(schema["$defs"]) == ["Circle", "Stack"]
    assert schema["$defs"]["Circle"]["properties"]["radius"]["description"] == "metres"
    jsonschema.validate({"title": "a", "shape": {"kind": "stack", "parts": [{"kind": "circle", "radius": 2}]}}, schema)
    jsonschema.validate({"title": "a", "shape": {"kind": "mine:Star", "points": 5}}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"title": "a", "shape": {"kind": "stack", "parts": [{"kind": "circle", "r": 2}]}}, schema)


def test_a_users_plugin_is_found_on_the_path_and_must_be_of_the_base(tmp_path, monkeypatch):
    (tmp_path / "own_shapes.py").write_text(
        f"from {__name__} import Shape\nfrom typing import Literal\n"
        "class Star(Shape):\n    kind: Literal['own_shapes:Star'] = 'own_shapes:Star'\n    points: int = 5\n"
        "class Other:\n    pass\n"
    )
    (tmp_path / "own_broken.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    star = Drawing.model_validate({"title": "a", "shape": {"kind": "own_shapes:Star", "points": 7}})
    assert star.shape.points == 7
    assert Drawing.model_validate(star.model_dump(mode="json")) == star
    assert "'own_shapes:Other' is not a subclass of Shape" in sentence({"title": "a", "shape": "own_shapes:Other"})
    for kind, why in {
        "own_shapes:Missing": "AttributeError",
        "own_nowhere:Star": "ModuleNotFoundError",
        "own_broken:Star": "ZeroDivisionError",
        ":Star": "ValueError",
        ".own:Star": "TypeError",
    }.items():
        said = sentence({"title": "a", "shape": kind})
        assert said.startswith(f"shape: cannot import '{kind}' ({why}")
        assert "package.module:Class" in said


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("8/255", 8 / 255),
        (" 1 / 4 ", 0.25),
        ("0.5/2", 0.25),
        ("1/0", float("inf")),
        ("1e-3", "1e-3"),
        ("a/b", "a/b"),
        (3, 3),
    ],
)
def test_fractions(written, value):
    assert fraction(written) == value


def test_the_nearest_name_is_offered_only_where_it_is_near():
    assert nearest("epoch", ["epochs", "steps"]) == "did you mean 'epochs'?"
    assert nearest("xyz", ["epochs", "steps"]) == "valid: epochs, steps"


def test_the_two_kinds_of_error_carry_their_exit_status():
    assert (RequestError.exit_code, RunFailure.exit_code) == (2, 1)
