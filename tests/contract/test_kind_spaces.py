"""A space that breaks a promise is found out."""

from __future__ import annotations

from itertools import count

import pytest
from broken import broken

from dsray.spaces import SpaceConfig
from dsray.testing import check_space

CALLS = count()


class Halves(SpaceConfig):
    """Right: a number whose half stands in the file."""

    kind: str = "halves"

    def draw(self, source, name):
        return source.suggest_float(f"{name}.whole", 0.0, 2.0) / 2

    def probes(self):
        return [0.0, 1.0]

    def parameters_of(self, node, name):
        return {f"{name}.whole": 2 * node} if isinstance(node, float) and 0 <= node <= 1 else None


def test_a_space_of_another_package_keeps_its_promises():
    check_space(Halves())


def twice(self, source, name):
    return source.suggest_float(name, 0.0, 1.0) + source.suggest_float(name, 0.0, 1.0)


def other_choices(self, source, name):
    return source.suggest_categorical(name, [next(CALLS), -1])


@pytest.mark.parametrize(
    ("replaced", "promise"),
    [
        ({"probes": lambda self: []}, "there are no probes"),
        ({"probes": lambda self: [float(next(CALLS))]}, "the probes differ"),
        ({"probes": lambda self: [float("inf")]}, "cannot stand in a file"),
        ({"draw": lambda self, source, name: source.suggest_float("half", 0.0, 1.0)}, "'half' is not named after"),
        ({"draw": twice}, "asked for twice"),
        ({"draw": lambda self, source, name: source.suggest_float(name, 1.0, 0.0)}, "has the bounds 1.0 and 0.0"),
        ({"draw": lambda self, source, name: source.suggest_categorical(name, [{}])}, "must be plain values"),
        (
            {"draw": lambda self, source, name: [source.suggest_int(name, 0, 1), next(CALLS)]},
            "more than its parameters",
        ),
        ({"draw": other_choices}, "the choices of 'section.field' differ"),
        ({"draw": lambda self, source, name: {source.suggest_int(name, 0, 1)}}, "cannot stand in a file"),
        ({"parameters_of": lambda self, node, name: {f"{name}.whole": 0.5}}, "draw 0.25"),
        ({"parameters_of": lambda self, node, name: {name: node}}, "lack 'section.field.whole'"),
    ],
)
def test_a_broken_space_is_found_out(replaced, promise):
    with pytest.raises(AssertionError, match=promise):
        check_space(broken(Halves, **replaced))
