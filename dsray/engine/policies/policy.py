"""What a policy is: it proposes, the loop acts."""

from __future__ import annotations

from dataclasses import dataclass

from dsray.base import Plugin
from dsray.protocols import Policy


@dataclass(frozen=True)
class Decision:
    """What should happen next. `stop_stage` carries the reason, which the record keeps."""

    stop_stage: str | None = None


CONTINUE = Decision()


class PolicyConfig(Plugin):
    """Base of all policies."""

    def build(self) -> Policy:
        """The pure function from the stage's validation lines, oldest first, to a `Decision`."""
        raise NotImplementedError
