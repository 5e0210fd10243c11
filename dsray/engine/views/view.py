"""What a view is: one pass of a step, which terms read and validations judge."""

from __future__ import annotations

from dsray.base import Plugin
from dsray.base.protocols import Output
from dsray.engine.context import Context


class ViewConfig(Plugin):
    """Base of all views. A step runs each at most once, when `context[view]` first asks for it; equal ones are one."""

    def run(self, context: Context) -> Output:
        """What the model says of the rows of the step, seen this way; other views are asked of the context."""
        raise NotImplementedError
