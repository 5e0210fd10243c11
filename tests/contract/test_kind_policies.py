"""A policy that breaks a promise is found out."""

from __future__ import annotations

import pytest
from broken import broken

from dsray.engine.policies import CONTINUE, Decision, PolicyConfig
from dsray.testing import check_policy


class Patient(PolicyConfig):
    """Right: stops after ten validations."""

    kind: str = "patient"

    def build(self, facts):
        return lambda history: Decision("ten validations") if len(history) >= 10 else CONTINUE


def test_a_policy_of_another_package_keeps_its_promises():
    check_policy(Patient())


def emptying(history):
    history.clear()
    return CONTINUE


def counting():
    seen = []

    def policy(history):
        seen.append(len(history))
        return Decision("often asked") if len(seen) > 20 else CONTINUE

    return policy


def best_by(figure):
    return lambda history: Decision(best_by=figure) if history else CONTINUE


def setting(**controls):
    return lambda history: Decision(set=controls) if history else CONTINUE


@pytest.mark.parametrize(
    ("replaced", "promise"),
    [
        ({"build": lambda self, facts: emptying}, "wrote into the history"),
        ({"build": lambda self, facts: counting()}, "depends on more than the history"),
        ({"build": lambda self, facts: lambda history: None}, "which is no Decision"),
        ({"build": lambda self, facts: lambda history: Decision(" ")}, "without a reason"),
        ({"build": lambda self, facts: lambda history: Decision("at once")}, "before the first validation"),
        ({"build": lambda self, facts: best_by("accuracy")}, "keeps_best says that it does not"),
        (
            {"build": lambda self, facts: best_by("beauty"), "keeps_best": property(lambda self: True)},
            "'beauty' is no figure",
        ),
        ({"keeps_best": property(lambda self: True)}, "keeps best weights and names none"),
        ({"build": lambda self, facts: setting(rate=0.5)}, "set 'rate', which `sets` does not name"),
        ({"sets": property(lambda self: ("rate",))}, "`sets` names rate, and it never sets it"),
        (
            {"build": lambda self, facts: setting(speed=1), "sets": property(lambda self: ("speed",))},
            "which nothing reads",
        ),
        (
            {"build": lambda self, facts: setting(rate=-1), "sets": property(lambda self: ("rate",))},
            "no factor of 0 or more",
        ),
    ],
)
def test_a_broken_policy_is_found_out(replaced, promise):
    with pytest.raises(AssertionError, match=promise):
        check_policy(broken(Patient, **replaced))
