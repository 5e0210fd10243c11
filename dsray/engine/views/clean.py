"""The rows as they came."""

from __future__ import annotations

from typing import Literal

from dsray.base.protocols import Output
from dsray.engine.context import Context
from dsray.engine.views.view import ViewConfig


class CleanView(ViewConfig):
    """The model's output on the batch as it came."""

    kind: Literal["clean"] = "clean"

    def run(self, context: Context) -> Output:
        return context.run(context.batch)


CLEAN = CleanView()
