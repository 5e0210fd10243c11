"""The promises of views."""

from __future__ import annotations

import torch

from dsray.base.batch import Batch
from dsray.base.protocols import Output
from dsray.engine.context import Context
from dsray.engine.views import ViewConfig
from dsray.models import RoutedModel
from dsray.testing.settings import check_round_trip
from dsray.testing.subjects import NAME, batch_of, prepared, routed, same, trace

ROWS = 12


def check_view(config: ViewConfig) -> None:
    """Logits of every row and exit, (batch, classes) each, which are finite; it is run once in a step and changes nothing.

    What it says of a row is the row's own: a part of the step sees what the whole sees. It works in training and in
    evaluation mode, and an equal view is the same one. Where the step attacks, it moves some of its rows.
    """
    check_round_trip(config)
    for training in (True, False):
        model: RoutedModel = routed().train(training)
        batch = batch_of(prepared(), ROWS)
        inputs = {name: values.clone() for name, values in batch.inputs.items()}
        before = trace(model)
        context = _step(model, batch)
        output = context[config]
        _check_shapes(output, training)
        assert same(before, trace(model)), "the view changed the model: parameters, buffers, gradients, flags or mode"
        assert all(torch.equal(values, batch.inputs[name]) for name, values in inputs.items()), (
            "it wrote into its batch"
        )
        equal = type(config).model_validate(config.model_dump())
        assert context[equal] is output, "it is run again when an equal view is asked for"
        again = _step(model, batch)[config]
        assert torch.equal(again.logits, output.logits), "it says something else of an equal step"
        rows = torch.tensor([2, 7, 9])
        alone = _step(model, batch).part(rows)[config]
        assert torch.allclose(alone.logits, output.logits[rows], atol=1e-5), (
            "what it says of a row depends on its company"
        )


def _check_shapes(output: Output, training: bool) -> None:
    shape = (ROWS, 3)
    assert output.logits.shape == shape, f"gave logits of shape {tuple(output.logits.shape)}, needs {shape}"
    exits = [tuple(logits.shape) for logits in output.exits]
    assert all(found == shape for found in exits), f"gave exits of shapes {exits}, needs {shape} each"
    assert exits or not training, "gave no exit in training mode, which every term of several exits reads"
    assert all(torch.isfinite(logits).all() for logits in (output.logits, *output.exits)), (
        "gave logits that are not finite"
    )


def _step(model: RoutedModel, batch: Batch) -> Context:
    """A step that inverts every second picture, of a model whose average is another one."""
    average = routed(seed=1).state_dict()
    return Context(model, batch, 3, perturbation=_inverted, moved=torch.arange(0, len(batch), 2), average=average)


def _inverted(context: Context) -> Batch:
    batch, rows = context.batch, context.moved
    pictures = batch.inputs[NAME].clone()
    pictures[rows] = 1 - pictures[rows]
    return batch.with_input(NAME, pictures)
