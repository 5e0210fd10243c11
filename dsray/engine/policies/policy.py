"""What a policy is: it proposes, the loop acts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dsray.base import Plugin
from dsray.base.protocols import Policy
from dsray.data.facts import Facts


@dataclass(frozen=True)
class Decision:
    """What should happen next.

    stop_stage: the reason to end the stage now, which the record keeps. best_by: the figure by which the weights of
    this validation are the best of the stage so far; they are kept, and put back when the stage ends. Not in a stage
    that attacks its rows: what it teaches costs clean accuracy, which is what validations measure. set: control ->
    factor on what the stage's schedule says of it, from the next step to the end of the stage or until it is set again;
    see `dsray.engine.controls`.
    """

    stop_stage: str | None = None
    best_by: str | None = None
    set: Mapping[str, float] = field(default_factory=dict)


CONTINUE = Decision()


class PolicyConfig(Plugin):
    """Base of all policies. `keeps_best` says whether its decisions name best weights: one policy of a stage may."""

    @property
    def keeps_best(self) -> bool:
        """True when the stage ends with the weights that this policy found best."""
        return False

    @property
    def watches(self) -> str | None:
        """The figure of the validations that it decides by; None where that is no single one, or told by the facts."""
        return None

    @property
    def sets(self) -> tuple[str, ...]:
        """The controls that its decisions may set; no other policy of the stage sets them."""
        return ()

    def build(self, facts: Facts) -> Policy:
        """The pure function from the stage's validation lines, oldest first, to a `Decision`. facts: of that stage."""
        raise NotImplementedError
