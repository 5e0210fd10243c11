"""Controls: factors that policies set on what a stage's schedules say; 1 where nothing is set."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from dsray.base import RunFailure, nearest
from dsray.engine.policies import Decision, PolicyConfig

CONTROLS = {"rate": False, "epsilon": True, "share": True}
"""Each control, and whether only a stage that attacks its rows reads it: the learning rate, the radius of the attack,
the share of the rows that are perturbed."""


def check_controls(policies: Sequence[PolicyConfig], attacks: bool) -> None:
    """A ValueError for a policy that sets what nothing reads, or what another one sets. attacks: whether a stage does."""
    setters: dict[str, int] = {}
    for i, policy in enumerate(policies):
        for name in policy.sets:
            if name not in CONTROLS:
                raise ValueError(
                    f"train.policies.{i}: sets '{name}', which nothing reads; {nearest(name, list(CONTROLS))}"
                )
            if CONTROLS[name] and not attacks:
                raise ValueError(
                    f"train.policies.{i}: sets {name}, which only a stage that attacks its rows reads; add "
                    "adversarial.stages, or leave the policy out"
                )
            if name in setters:
                raise ValueError(f"train.policies.{i}: policy {setters[name]} sets {name} already; keep one of them")
            setters[name] = i


def changes(controls: Mapping[str, float], decided: Iterable[tuple[PolicyConfig, Decision]]) -> dict[str, float]:
    """What the decisions set otherwise than it stands in `controls`.

    A RunFailure for a control that the policy does not name in `sets`, and for a factor below 0 or not finite.
    """
    found = {}
    for policy, decision in decided:
        for name, factor in decision.set.items():
            if name not in policy.sets:
                raise RunFailure(f"policy {policy.kind} set '{name}', which its `sets` does not name; name it there")
            if not (math.isfinite(factor) and factor >= 0):
                raise RunFailure(f"policy {policy.kind} set {name} to {factor}; a control is a factor of 0 or more")
            if factor != controls.get(name, 1.0):
                found[name] = float(factor)
    return found
