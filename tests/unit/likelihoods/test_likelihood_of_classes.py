"""The figures of classes beside torchmetrics and scikit-learn, on the same answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_curve
from torch.nn import functional as F
from torchmetrics.functional.classification import (
    multiclass_calibration_error,
    multiclass_f1_score,
    multiclass_recall,
)

from dsray.engine.evaluate import Evaluation
from dsray.likelihoods import Classes

NAMES = ("a", "b", "c", "d", "e")


def answers(rows: int = 400, classes: int = 4, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Answers that are mostly right, of which the last class has no row and gets no answer."""
    draw = torch.Generator().manual_seed(seed)
    target = torch.randint(classes, (rows,), generator=draw)
    logits = 2 * F.one_hot(target, classes + 1).float() + torch.randn(rows, classes + 1, generator=draw)
    logits[:, -1] = -50
    return logits, target


def figures(logits: torch.Tensor, target: torch.Tensor) -> dict[str, float]:
    likelihood = Classes(NAMES)
    return likelihood.figures(likelihood.tally(logits, target))


def test_the_figures_are_those_of_torchmetrics_to_the_bit():
    logits, target = answers()
    found, n = figures(logits, target), logits.shape[1]
    recall = multiclass_recall(logits, target, n, average="none")[: n - 1]
    assert found["balanced_accuracy"] == float(recall.double().mean())
    assert found["macro_f1"] == float(multiclass_f1_score(logits, target, n, average="macro"))
    assert found["classes_answered"] == 4
    metrics = Evaluation(logits, target, torch.arange(len(target)), Classes(NAMES)).metrics()
    error = multiclass_calibration_error(logits.softmax(-1), target, n, n_bins=15)
    assert metrics["calibration_error"] == float(error)
    assert metrics["loss"] == float(F.cross_entropy(logits, target))


def test_rows_of_unknown_class_count_only_where_answers_are_counted():
    logits, target = answers()
    more = torch.cat([logits, torch.eye(5)[[4]]]), torch.cat([target, torch.tensor([-1])])
    found = figures(*more)
    assert found == figures(logits, target) | {"classes_answered": 5}


def test_tallies_of_parts_add_up():
    logits, target = answers()
    likelihood = Classes(NAMES)
    parts = sum(likelihood.tally(logits[i::3], target[i::3]) for i in range(3))
    assert torch.equal(parts, likelihood.tally(logits, target))


@pytest.mark.parametrize("classes", [2, 4])
def test_alarms_are_ranked_as_scikit_learn_ranks_them(classes):
    logits, target = answers(classes=classes)
    logits = 40 * logits  # probabilities are 0 or 1 in single precision, and odds are not
    found = Classes(NAMES, normal=1).ranked(logits, target)
    score = (logits.double().index_fill(1, torch.tensor([1]), -np.inf).logsumexp(1) - logits[:, 1].double()).numpy()
    truth = target.numpy() != 1
    assert found["average_precision"] == pytest.approx(average_precision_score(truth, score))
    false, right, _ = roc_curve(truth, score, drop_intermediate=False)
    assert found["recall_at_1pct"] == right[false <= 0.01].max()
    assert 0.2 < found["recall_at_1pct"] < 1


def test_nothing_is_ranked_without_alarms():
    logits, target = answers()
    assert Classes(NAMES).ranked(logits, target) == {}
    assert Classes(NAMES, normal=1).ranked(logits[target == 1], target[target == 1]) == {}


def test_focal_loss_and_weights():
    logits, target = answers(rows=20)
    loss, likelihood = F.cross_entropy(logits, target, reduction="none"), Classes(NAMES)
    p = torch.exp(-loss)
    assert torch.allclose(likelihood.loss(logits, target, focal=2.0), (1 - p) ** 2 * loss)
    weights = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    assert torch.allclose(likelihood.loss(logits, target, weights=weights), weights[target] * loss)
    whole = F.cross_entropy(logits, target, weight=weights)
    mine = likelihood.loss(logits, target, weights=weights).sum() / weights[target].sum()
    assert torch.allclose(mine, whole)


def test_ten_thousand_classes_are_counted_without_a_table_of_pairs():
    import tracemalloc

    draw = torch.Generator().manual_seed(0)
    logits, target = torch.randn(500, 10_000, generator=draw), torch.randint(10_000, (500,), generator=draw)
    likelihood = Classes([str(i) for i in range(10_000)])
    tracemalloc.start()
    tally = likelihood.tally(logits, target)
    likelihood.figures(tally)
    assert tracemalloc.get_traced_memory()[1] < 20e6 and tally.numel() == 40_000
    tracemalloc.stop()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("focal", [0.25, 0.5, 1.0, 2.0])
def test_a_row_that_is_answered_for_sure_has_a_focal_loss_and_a_slope_of_none(focal, smoothing):
    """In single precision its probability is 1, so that nothing is missed."""
    logits, target = torch.tensor([[40.0, 0, 0, 0, 0], [1.0, 0, 0, 0, 0]], requires_grad=True), torch.tensor([0, 0])
    loss = Classes(NAMES).loss(logits, target, focal=focal, smoothing=smoothing)
    loss.sum().backward()
    assert torch.isfinite(logits.grad).all() and float(logits.grad[1, 0]) < -0.05
    assert logits.grad[0].abs().max() < 1e-6 and loss.detach()[0] < 1e-6
