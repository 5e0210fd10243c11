"""The rows after the stage's attack."""

from __future__ import annotations

from typing import Literal

from dsray.base.protocols import Output
from dsray.engine.context import Context
from dsray.engine.views.clean import CLEAN
from dsray.engine.views.view import ViewConfig


class AdversarialView(ViewConfig):
    """The model's output on the adversarial rows; the clean one where the attack left the batch as it was."""

    kind: Literal["adversarial"] = "adversarial"

    def run(self, context: Context) -> Output:
        batch = context.adversarial_batch
        return context[CLEAN] if batch is context.batch else context.run(batch)


ADVERSARIAL = AdversarialView()
