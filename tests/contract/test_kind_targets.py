"""A target that breaks a promise, in its config, in what it learns or in its likelihood, is found out."""

from __future__ import annotations

import pyarrow as pa
import pytest
import torch
from foreign_ordinal import Grades, GradesSpec, GradesTarget

from dsray.base.figures import Figure
from dsray.targets.target import Constant
from dsray.testing import check_target

ROWS = pa.table({"grade": ["low", "high", "middle", "low", "middle", "high", "low"]})
ORDER = ("low", "middle", "high")


def checked(spec=GradesSpec, likelihood=None, **config):
    """The check of a target whose spec is of this class, and whose likelihood is of that."""
    if likelihood is not None:
        spec = type("Broken", (spec,), {"__module__": __name__, "likelihood": lambda self: likelihood(3)})
    fit = lambda self, train: spec(column="grade", order=ORDER)  # noqa: E731
    gives = classmethod(lambda cls: spec)
    broken = type("Broken", (GradesTarget,), {"__module__": __name__, "fit": fit, "gives": gives, **config})
    check_target(broken(column="grade", order=ORDER), ROWS)


def test_a_target_of_another_package_keeps_its_promises():
    check_target(GradesTarget(column="grade", order=ORDER), ROWS)
    checked()


@pytest.mark.parametrize(
    ("replaced", "promise"),
    [
        ({"fault": lambda self, kind: "words"}, "calls the column unreadable"),
        ({"fault": lambda self, kind: None}, "says nothing against a column of maps"),
        ({"gives": classmethod(lambda cls: Grades)}, "and says Grades"),
        ({"learnt": lambda self, spec: False}, "does not know again what it learnt"),
        ({"codes": lambda self, column: torch.ones(len(column)).numpy()}, "codes are numbers from 0"),
    ],
)
def test_a_broken_config_is_found_out(replaced, promise):
    with pytest.raises(AssertionError, match=promise):
        checked(**replaced)


def answers(change):
    return lambda self, logits: [change(dict(answer)) for answer in GradesSpec.answers(self, logits)]


@pytest.mark.parametrize(
    ("replaced", "promise"),
    [
        ({"encode": lambda self, column: GradesSpec.encode(self, column).clip(0)}, "null is a target"),
        ({"encode": lambda self, column: GradesSpec.encode(self, column).astype("int32")}, "encoded otherwise"),
        ({"strata": lambda self, target: target - 1}, "strata are numbers from 0"),
        ({"strata_names": property(lambda self: ("low",))}, "a stratum has no name"),
        ({"where": lambda self, target, names, field: target == 0}, "where knows a name that is not there"),
        ({"where": lambda self, target, names, field: names.index("low")}, "where raises ValueError"),
        ({"weights": lambda self, given, counts, field: counts}, "weights knows a name that is not there"),
        ({"outputs": property(lambda self: 3)}, "outputs is not how many numbers"),
        ({"figures": ("quadratic_kappa",)}, "`figures` does not name mean_distance"),
        (
            {"figures": (*GradesSpec.figures, "more"), "own_figures": GradesSpec.own_figures[:1]},
            "mean_distance has no line",
        ),
        (
            {
                "own_figures": (*GradesSpec.own_figures, Figure("loss", "mine", "number")),
                "figures": (*GradesSpec.figures, "loss"),
            },
            "dsray has a line for loss",
        ),
        (
            {
                "own_figures": (*GradesSpec.own_figures, Figure("never", "never", "number", "lower", watched=True)),
                "figures": (*GradesSpec.figures, "never"),
            },
            "never is watched, and no validation holds it",
        ),
        ({"own_figure": lambda self, counts: "kappa"}, "its own figure, kappa, is not watched"),
        ({"answers": answers(lambda a: a | {"confidence": a["confidence"] / 2})}, "tells another confidence"),
        ({"answers": answers(lambda a: a | {"more": 1})}, "other fields than `answer` says"),
        ({"answers": answers(lambda a: a | {"distance": float("inf")})}, "an answer is not JSON"),
        ({"right": lambda self, answers, target: target >= 0}, "right here and wrong there"),
        ({"predictions": lambda self, answers: {"prediction": pa.nulls(len(answers))}}, "lack the columns"),
        ({"show": lambda self, target: ORDER[int(target)]}, "it shows a target where there is none"),
        ({"about": lambda self: {"grades": set(ORDER)}}, "what clients are told is not JSON"),
        ({"constant": lambda self, target, logits: Constant(0.5, None)}, "one answer to every row goes unnoticed"),
        ({"detail": lambda self, logits, target: {"off": target}}, "the detail for reports is not JSON"),
    ],
)
def test_a_broken_spec_is_found_out(replaced, promise):
    with pytest.raises(AssertionError, match=promise):
        checked(type("Broken", (GradesSpec,), {"__module__": __name__, **replaced}))


@pytest.mark.parametrize(
    ("replaced", "promise"),
    [
        ({"known": lambda self, target: target > 0}, "the target of a training row is not known"),
        ({"known": lambda self, target: target > -5}, "a row without a target has a known one"),
        ({"loss": lambda self, logits, target, **_: Grades.loss(self, logits, target).mean()}, "loss gave"),
        (
            {"log_likelihood": lambda self, logits, target: Grades.log_likelihood(self, logits, target) / 0},
            "is not finite",
        ),
        (
            {"margin": lambda self, logits, target: Grades.margin(self, logits, target) - logits[0, 0]},
            "margin of a row depends",
        ),
        (
            {"margin": lambda self, logits, target: -Grades.margin(self, logits, target)},
            "wrong where its margin is not positive",
        ),
        ({"wrong": lambda self, logits, target: self.answer(logits) != target}, "that is not a number is right"),
        ({"confidence": lambda self, logits: logits[:, 0]}, "a confidence lies outside 0 to 1"),
        (
            {"ascent": lambda self, logits, target: Grades.margin(self, logits, target).clamp(max=0)},
            "ascent has no gradient",
        ),
        ({"loss": lambda self, logits, target, **_: -self.log_chances(logits)[:, 0]}, "without a target is not 0"),
        ({"divergence": lambda self, clean, logits: logits[:, 0] * 0}, "is negative, or always 0"),
        ({"sample": lambda self, logits, uniform: self.answer(logits)}, "is not distributed as log_likelihood"),
        ({"sample": lambda self, logits, uniform: (uniform[:, None] > 0.5).long()}, "what it draws is no target"),
        ({"tally": lambda self, logits, target: Grades.tally(self, logits, target) / len(target)}, "do not add up"),
        ({"figures": lambda self, tally: {"quadratic_kappa": float("nan")}}, "no finite number"),
        (
            {"confidence": lambda self, logits: torch.special.ndtr(logits).amax(1)},
            "cannot be exported",
        ),
    ],
)
def test_a_broken_likelihood_is_found_out(replaced, promise):
    with pytest.raises(AssertionError, match=promise):
        checked(likelihood=type("Broken", (Grades,), replaced))
