"""The promises of likelihoods: what the numbers mean that a model answers with."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from dsray.base.likelihood import Likelihood
from dsray.compress.export import silence
from dsray.compress.onnx_model import onnx_session

DRAWS = 20_000


def check_likelihood(likelihood: Likelihood, logits: Tensor, target: Tensor, none: Tensor) -> None:
    """Its functions are of each row alone, fit together, and can be climbed, added up and exported.

    logits: (rows, outputs) of 10 rows at least. target: (rows, *shape), all known. none: (rows, *shape) without a target.
    """
    rows = len(target)
    assert logits.shape == (rows, likelihood.outputs), "outputs is not how many numbers a model answers with"
    assert likelihood.known(target).all(), "the target of a training row is not known"
    assert not likelihood.known(none).any(), "a row without a target has a known one"
    of = {
        name: getattr(likelihood, name)
        for name in ("loss", "log_likelihood", "margin", "ascent", "wrong", "confidence")
    }
    for name, function in of.items():
        taken = (logits,) if name == "confidence" else (logits, target)
        _check_rows(name, function, *taken)
    _check_rows("divergence", likelihood.divergence, logits.flip(0), logits)
    _check_answers(likelihood, logits, target, none)
    _check_gradients(likelihood, logits, target, none)
    _check_sample(likelihood, logits, target)
    _check_tally(likelihood, logits, target)
    _check_exported(likelihood, logits)


def _check_rows(name: str, function: Callable[..., Tensor], *tensors: Tensor) -> None:
    rows = len(tensors[0])
    found, part = function(*tensors), torch.tensor([rows - 1, 2, 5])
    assert found.shape == (rows,), f"{name} gave {tuple(found.shape)}, needs one number per row, {(rows,)}"
    kind = torch.bool if name == "wrong" else tensors[0].dtype
    assert found.dtype == kind, f"{name} is {found.dtype}, needs {kind}"
    assert torch.isfinite(found.double()).all(), f"{name} is not finite"
    alone = function(*(tensor[part] for tensor in tensors))
    assert torch.allclose(alone.double(), found[part].double(), atol=1e-5), f"{name} of a row depends on its company"


def _check_answers(likelihood: Likelihood, logits: Tensor, target: Tensor, none: Tensor) -> None:
    wrong, margin = likelihood.wrong(logits, target), likelihood.margin(logits, target)
    clear = margin.abs() > 1e-6
    assert torch.equal(wrong[clear], margin[clear] > 0), (
        "an answer is wrong where its margin is not positive, or not where it is"
    )
    assert wrong.any() and not wrong.all(), "all of the logits of other rows are right, or all are wrong"
    assert likelihood.wrong(logits, none).all(), "an answer to a row without a target is right"
    assert likelihood.wrong(logits * torch.nan, target).all(), "an answer that is not a number is right"
    sure = likelihood.confidence(logits * 3)
    assert (sure >= 0).all() and (sure <= 1).all(), "a confidence lies outside 0 to 1"
    assert not likelihood.loss(logits, none).any(), "the loss of a row without a target is not 0"


def _check_gradients(likelihood: Likelihood, logits: Tensor, target: Tensor, none: Tensor) -> None:
    def gradient(function: Callable[[Tensor], Tensor]) -> Tensor:
        given = logits.clone().requires_grad_()
        found = function(given).sum()
        assert found.requires_grad, "no gradient reaches the logits"
        return torch.autograd.grad(found, given)[0]

    climbed = gradient(lambda given: likelihood.ascent(given, target))
    assert torch.isfinite(climbed).all() and climbed.any(1).all(), (
        "ascent has no gradient on some row: none can be attacked"
    )
    learnt = gradient(lambda given: likelihood.loss(given, target))
    assert torch.isfinite(learnt).all() and learnt.any(), "the loss has no finite gradient to learn by"
    nothing = gradient(
        lambda given: likelihood.loss(torch.cat([given[:5], given[5:]]), torch.cat([none[:5], target[5:]]))
    )
    assert not nothing[:5].any(), "a row without a target is learnt from, or its gradient is not a number"
    apart = likelihood.divergence(logits, logits.flip(0))
    assert (apart > -1e-5).all() and apart.max() > 1e-3, "a divergence is negative, or always 0"
    assert likelihood.divergence(logits, logits).abs().max() < 1e-5, "an answer diverges from itself"


def _check_sample(likelihood: Likelihood, logits: Tensor, target: Tensor) -> None:
    """What is drawn for one row tells it from another by as much as the divergence says: E[log p - log q] = KL(p || q)."""
    uniform = torch.rand(DRAWS, *likelihood.draws, generator=torch.Generator().manual_seed(0))
    for i in range(3):
        one, other = (logits[row].expand(DRAWS, -1) for row in (i, i + 3))
        drawn = likelihood.sample(one, uniform)
        assert drawn.shape == (DRAWS, *target.shape[1:]) and drawn.dtype == target.dtype, "what it draws is no target"
        assert likelihood.known(drawn).all(), "it draws targets that are not known"
        gained = (likelihood.log_likelihood(one, drawn) - likelihood.log_likelihood(other, drawn)).double()
        told = float(likelihood.divergence(one[:1], other[:1]))
        room = 0.01 + 5 * float(gained.std()) / DRAWS**0.5
        assert abs(float(gained.mean()) - told) < room, (
            "what it draws is not distributed as log_likelihood or divergence says"
        )


def _check_tally(likelihood: Likelihood, logits: Tensor, target: Tensor) -> None:
    half = len(target) // 2
    whole = likelihood.tally(logits, target)
    assert whole.dim() == 1 and whole.dtype == torch.float64, "a tally is not a row of sums in float64"
    parts = likelihood.tally(logits[:half], target[:half]) + likelihood.tally(logits[half:], target[half:])
    assert torch.allclose(parts, whole, rtol=1e-9), "the tallies of two halves do not add up to that of the whole"
    assert not likelihood.tally(logits[:0], target[:0]).any(), "a worker without rows adds something to the tally"
    for name, value in {**likelihood.figures(whole), **likelihood.ranked(logits, target)}.items():
        assert isinstance(value, int | float) and np.isfinite(value), (
            f"the figure {name} is {value!r}, no finite number"
        )


class _Confidence(nn.Module):
    def __init__(self, likelihood: Likelihood):
        super().__init__()
        self.likelihood = likelihood

    def forward(self, logits: Tensor) -> Tensor:
        return self.likelihood.exit_confidence(logits)


def _check_exported(likelihood: Likelihood, logits: Tensor) -> None:
    expected = likelihood.exit_confidence(logits)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "confidence.onnx"
        try:
            _export(likelihood, logits[:3], path)
            (found,) = onnx_session(path).run(None, {"logits": logits.numpy()})
        except Exception as error:  # of whatever it is made from
            raise AssertionError(f"the confidence by which rows leave early cannot be exported ({error})") from error
    assert np.allclose(found, expected.numpy(), atol=1e-4), "the exported confidence is another one"


def _export(likelihood: Likelihood, logits: Tensor, path: Path) -> None:
    with silence():
        torch.onnx.export(
            _Confidence(likelihood).eval(),
            (logits,),
            str(path),
            dynamo=False,
            input_names=["logits"],
            output_names=["confidence"],
            dynamic_axes={"logits": {0: "batch"}, "confidence": {0: "batch"}},
        )
