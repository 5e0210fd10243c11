"""Whether the exported graph gives the answers of the torch model."""

from __future__ import annotations

import numpy as np

from dsray.base import RunFailure
from dsray.compress.onnx_model import Outputs

SAME_ROUTE, LOGIT_GAP = 0.995, 1e-4


def parity(torch_answers: Outputs, graph: Outputs) -> dict[str, float]:
    """Rows, share that ran the same blocks, and the largest gap of logits on those; RunFailure beyond the limits.

    Without a share where the model routes nothing.
    """
    if torch_answers.blocks_run is None or graph.blocks_run is None:
        return _of_logits(torch_answers, graph)
    same = torch_answers.blocks_run == graph.blocks_run
    gap = float(np.abs(torch_answers.logits - graph.logits)[same].max()) if same.any() else float("inf")
    share = float(same.mean())
    if share < SAME_ROUTE or gap > LOGIT_GAP:
        raise RunFailure(
            f"export: the graph differs from the model: same route on {share:.2%} of the rows (needs {SAME_ROUTE:.1%}), "
            f"largest gap of logits {gap:.1e} (needs {LOGIT_GAP:.0e})"
        )
    return {"rows": len(same), "same_route": share, "max_abs_logit": gap}


def _of_logits(torch_answers: Outputs, graph: Outputs) -> dict[str, float]:
    gap = float(np.abs(torch_answers.logits - graph.logits).max())
    if gap > LOGIT_GAP:
        raise RunFailure(
            f"export: the graph differs from the model: largest gap of logits {gap:.1e} (needs {LOGIT_GAP:.0e})"
        )
    return {"rows": len(graph.logits), "max_abs_logit": gap}
