"""The rows as the average of the weights sees them."""

from __future__ import annotations

from typing import Literal

import torch
from torch.func import functional_call

from dsray.base.protocols import Output
from dsray.engine.context import Context
from dsray.engine.views.view import ViewConfig


class AveragedView(ViewConfig):
    """The output on the batch as it came, without gradients, of the model with the average of its weights.

    Until there is an average, the weights are their own. Its choices of experts train nothing and are not counted.
    """

    kind: Literal["averaged"] = "averaged"

    @torch.no_grad()
    def run(self, context: Context) -> Output:
        batch = context.batch
        output: Output = functional_call(context.model, dict(context.average), (batch.inputs, batch.present))
        return output


AVERAGED = AveragedView()
