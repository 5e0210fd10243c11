"""What a policy is: it proposes, the loop acts."""

from __future__ import annotations

from dataclasses import dataclass

from dsray.base import Plugin
from dsray.base.protocols import Policy


@dataclass(frozen=True)
class Decision:
    """What should happen next.

    stop_stage: the reason to end the stage now, which the record keeps. best_by: the figure by which the weights of
    this validation are the best of the stage so far; they are kept, and put back when the stage ends. Not in a stage
    that attacks its rows: what it teaches costs clean accuracy, which is what validations measure.
    """

    stop_stage: str | None = None
    best_by: str | None = None


CONTINUE = Decision()


class PolicyConfig(Plugin):
    """Base of all policies. `keeps_best` says whether its decisions name best weights: one policy of a stage may."""

    @property
    def keeps_best(self) -> bool:
        """True when the stage ends with the weights that this policy found best."""
        return False

    @property
    def watches(self) -> str | None:
        """The figure of the validations that it decides by; None where that is no single one."""
        return None

    def build(self) -> Policy:
        """The pure function from the stage's validation lines, oldest first, to a `Decision`."""
        raise NotImplementedError
