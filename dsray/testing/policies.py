"""The promises of policies."""

from __future__ import annotations

import copy
import math

import numpy as np

from dsray.data import Facts
from dsray.engine.controls import CONTROLS
from dsray.engine.policies import CONTINUE, Decision, PolicyConfig
from dsray.testing.settings import check_round_trip
from dsray.testing.subjects import facts

History = list[dict[str, float]]


def check_policy(config: PolicyConfig) -> None:
    """A pure function of the validations so far: the same decision whenever it is asked, nothing written into them.

    Before the first validation it lets the stage go on; it names best weights by a figure of the validations, and only
    where `keeps_best` says so; it sets controls that something reads, to factors of 0 or more, and only those in `sets`.
    """
    check_round_trip(config)
    for facts_of_stage in (facts(), facts(uneven=True)):
        _check(config, facts_of_stage)


def _check(config: PolicyConfig, facts_of_stage: Facts) -> None:
    policy = config.build(facts_of_stage)
    histories = _histories(facts_of_stage.schema.target.watched())
    decisions = []
    for history in histories:
        given = copy.deepcopy(history)
        decisions.append(_checked(policy(given), config, history))
        assert repr(given) == repr(history), "the policy wrote into the history"  # repr: nan is not equal to itself
    backwards = [policy(copy.deepcopy(history)) for history in reversed(histories)][::-1]
    afresh = [config.build(facts_of_stage)(copy.deepcopy(history)) for history in histories]
    assert decisions == backwards == afresh, "a decision depends on more than the history, as what was asked before"
    assert policy([]) == CONTINUE, "it decides something before the first validation"
    if config.keeps_best:
        named = any(decision.best_by for decision in decisions)
        assert named, "it says that it keeps best weights and names none"
    for name in config.sets:
        assert name in CONTROLS, f"it sets '{name}', which nothing reads"
        assert any(name in decision.set for decision in decisions), f"`sets` names {name}, and it never sets it"


def _checked(decision: Decision, config: PolicyConfig, history: History) -> Decision:
    assert isinstance(decision, Decision), f"it gave {decision!r}, which is no Decision"
    assert decision.stop_stage is None or decision.stop_stage.strip(), "it stops the stage without a reason"
    if decision.best_by is not None:
        assert config.keeps_best, "it names best weights, and keeps_best says that it does not"
        assert history and decision.best_by in history[-1], f"'{decision.best_by}' is no figure of the validation"
    for name, factor in decision.set.items():
        assert name in config.sets, f"it set '{name}', which `sets` does not name"
        assert math.isfinite(factor) and factor >= 0, f"it set {name} to {factor}, which is no factor of 0 or more"
    return decision


def _histories(watched: tuple[str, ...]) -> list[History]:
    """Every beginning of validations that rise, fall, stay, wander, or are not numbers in the end."""
    rng = np.random.default_rng(0)
    steps = np.arange(30)
    courses = [steps / 30, 1 - steps / 30, np.full(30, 0.5), rng.random(30), np.where(steps < 10, steps / 30, math.nan)]
    whole = [[dict.fromkeys(watched, float(value)) for value in course] for course in courses]
    return [history[:length] for history in whole for length in range(len(history) + 1)]
