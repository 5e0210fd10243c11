"""The promises of depth policies."""

from __future__ import annotations

import torch
from pydantic import ValidationError

from dsray.models import RoutedModel
from dsray.models.depth import Depth, DepthConfig
from dsray.testing.exported import check_exported
from dsray.testing.settings import check_round_trip
from dsray.testing.subjects import batch_of, model_config, prepared, routed

DEPTHS = range(1, 7)


def check_depth(config: DepthConfig) -> None:
    """Exits inside the trunk, in order; a row decides alone, by its confidence, and none runs more blocks than the limit.

    `check` refuses every trunk that does not fit, by a ValidationError; the decision is the same in the exported graph.
    """
    check_round_trip(config)
    fitting = [blocks for blocks in DEPTHS if _fits(config, blocks)]
    assert fitting, f"no trunk of {DEPTHS[0]} to {DEPTHS[-1]} blocks fits it"
    for blocks in fitting:
        _check_exits(config.build(blocks), blocks)
    _check_leaves(config.build(fitting[-1]))
    _check_in_a_model(config, fitting[-1])


def _fits(config: DepthConfig, blocks: int) -> bool:
    try:
        config.check(blocks)
    except ValidationError:
        return False
    except Exception as error:  # a plug-in may fail in any way
        raise AssertionError(
            f"check fails for {blocks} blocks ({error}); it refuses by raise self.refuse(...)"
        ) from error
    return True


def _check_exits(depth: Depth, blocks: int) -> None:
    exits, limit = depth.exits, depth.limit
    where = f"in a trunk of {blocks} blocks"
    assert list(exits) == sorted(set(exits)), f"the exits {exits} do not ascend {where}"
    assert all(1 <= number < blocks for number in exits), f"the exits {exits} do not lie in 1 to {blocks - 1} {where}"
    stops = (*exits, blocks)
    assert limit in stops, f"the limit {limit} is neither an exit nor the end {where}: no head answers there"


@torch.no_grad()
def _check_leaves(depth: Depth) -> None:
    confidence = torch.rand(32, generator=torch.Generator().manual_seed(0))
    given = confidence.clone()
    leaves = depth.leaves(confidence)
    assert leaves.shape == (32,) and leaves.dtype == torch.bool, f"leaves gave {leaves.dtype} {tuple(leaves.shape)}"
    assert torch.equal(confidence, given), "leaves wrote into the confidence"
    assert torch.equal(depth.leaves(confidence), leaves), "leaves decides otherwise when asked again"
    alone = torch.cat([depth.leaves(confidence[i : i + 1]) for i in range(32)])
    assert torch.equal(alone, leaves), "whether a row leaves depends on its company"


@torch.no_grad()
def _check_in_a_model(config: DepthConfig, blocks: int) -> None:
    trunk = {"blocks": blocks, "heads": 2, "hidden": 16, "experts": None}
    model, batch = _confident(routed(model_config(depth=config, trunk=trunk))), batch_of(prepared(), 24)
    ran = model.eval()(batch.inputs, batch.present).blocks_run
    depth = model.depth
    assert int(ran.max()) <= depth.limit, f"a row ran {int(ran.max())} blocks, more than the limit of {depth.limit}"
    stops = {*depth.exits, depth.limit}
    assert set(ran.tolist()) <= stops, (
        f"rows ran {sorted(set(ran.tolist()))} blocks, and can stop after {sorted(stops)}"
    )
    check_exported(model, batch, "the depth policy")


def _confident(model: RoutedModel) -> RoutedModel:
    """Heads with large weights, so that some rows are confident early and others are not."""
    for head in (*model.exits.values(), model.head):
        for parameter in head.parameters():
            if parameter.ndim > 1:
                parameter.mul_(6)
    return model
