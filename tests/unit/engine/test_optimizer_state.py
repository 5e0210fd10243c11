"""Where an optimiser's state is put back."""

from __future__ import annotations

import pytest
import torch

from dsray.optim import load_named_state


@pytest.mark.parametrize(("fused", "steps_on"), [(True, "meta"), (False, "cpu")])
def test_step_counts_lie_where_torch_looks_for_them(fused, steps_on):
    weight = torch.nn.Parameter(torch.zeros(3, device="meta"))
    optimizer = torch.optim.AdamW([{"params": [weight], "names": ["w"]}])
    optimizer.param_groups[0]["fused"] = fused
    load_named_state(optimizer, {"w/step": torch.tensor(7.0), "w/exp_avg": torch.ones(3)})
    state = optimizer.state[weight]
    assert state["step"].device.type == steps_on and state["exp_avg"].device.type == "meta"
