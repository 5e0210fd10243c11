"""An attack leaves no trace in the model, and a verdict that would mean nothing is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from dsray.attacks import FgsmConfig, PgdConfig, RandomSearchConfig, judge_batches, perturb, robust_accuracy
from dsray.attacks.threats.given import threat_to
from dsray.base import RequestError
from dsray.base.batch import Batch


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 4)).train()


@pytest.fixture
def batch():
    torch.manual_seed(1)
    rows = torch.arange(24)
    return Batch({"image": torch.rand(24, 1, 8, 8)}, rows % 4, rows, torch.zeros_like(rows))


def statistics(model):
    return [value.clone() for value in model.buffers()]


@pytest.mark.parametrize("config", [FgsmConfig(), PgdConfig(steps=3), RandomSearchConfig(queries=5)])
def test_batch_statistics_of_a_model_in_training_are_kept(model, batch, config):
    before, buffers = statistics(model), list(model.buffers())
    perturb(config.build(), model, batch, 0.1)
    assert all(torch.equal(b, a) for b, a in zip(before, statistics(model), strict=True))
    assert all(b is a for b, a in zip(buffers, model.buffers(), strict=True))
    model(batch.inputs["image"])
    assert int(model[2].num_batches_tracked) == 1


def test_a_clean_pass_that_waits_for_its_backward_pass_survives_the_attack(model, batch):
    parameters = list(model.parameters())
    alone = torch.autograd.grad(model(batch.inputs["image"]).square().sum(), parameters)
    waiting = model(batch.inputs["image"]).square().sum()
    perturb(PgdConfig(steps=3).build(), model, batch, 0.1)
    assert all(torch.equal(a, b) for a, b in zip(alone, torch.autograd.grad(waiting, parameters), strict=True))


def test_batch_statistics_come_back_when_an_attack_fails(model, batch):
    before = statistics(model)

    def failing(classify, batch, threat, epsilon, loss=None, *, seed=0, stop_early=False):
        classify(batch)
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011 - raised three lines above
        perturb(failing, model, batch, 0.1)
    assert all(torch.equal(b, a) for b, a in zip(before, statistics(model), strict=True))


def test_judging_keeps_batch_statistics(model, batch):
    before = statistics(model)
    robust_accuracy(model, batch.inputs["image"], batch.target, epsilon=0.1, attacks=[PgdConfig(steps=2)])
    assert all(torch.equal(b, a) for b, a in zip(before, statistics(model), strict=True))


@pytest.mark.parametrize(
    ("images", "labels", "sentence"),
    [
        (lambda x: x * 255, lambda y: y, r"images: must lie in \[0, 1\]; got .*; divide 8-bit pixels by 255"),
        (lambda x: x - 0.5, lambda y: y, r"images: must lie in \[0, 1\]"),
        (lambda x: x * float("nan"), lambda y: y, r"images: must lie in \[0, 1\]"),
        (
            lambda x: (x * 255).to(torch.uint8),
            lambda y: y,
            r"images: must be floats in \[0, 1\]; got torch.uint8; divide",
        ),
        (lambda x: x[:5], lambda y: y, "labels: one for each image; got 24 for 5 images"),
        (lambda x: x, lambda y: y - 1, "labels: must be known for every image, 0 or more; got -1"),
        (lambda x: x, lambda y: y + 1, "labels: must lie in 0 to 3, since the model gives 4 columns; got 4"),
        (lambda x: x, lambda y: y.float(), "labels: must be whole numbers; got torch.float32"),
        (lambda x: x, lambda y: y[:, None], r"labels: one for each image; got shape \(24, 1\) for 24 images"),
        (lambda x: x[:0], lambda y: y[:0], "batches: hold no rows"),
    ],
    ids=[
        "8-bit pixels",
        "centred",
        "not finite",
        "integers",
        "fewer images",
        "unknown label",
        "label without a column",
        "fractions as labels",
        "column of labels",
        "no rows",
    ],
)
def test_what_cannot_be_judged_is_refused(model, batch, images, labels, sentence):
    with pytest.raises(RequestError, match=sentence):
        robust_accuracy(model, images(batch.inputs["image"]), labels(batch.target), epsilon=0.1)


@pytest.mark.parametrize(
    ("epsilon", "sentence"),
    [
        (8, "epsilon: must be in input-range units, 0 to 1; got 8; write 8/255 = 0.0314"),
        (-0.1, "epsilon: must be in input-range units, 0 to 1; got -0.1"),
        (0.0, "epsilon: must be more than 0, e.g. 8/255 = 0.0314; at 0 it is the clean accuracy"),
    ],
)
def test_a_radius_that_means_nothing_is_refused(model, batch, epsilon, sentence):
    with pytest.raises(RequestError, match=sentence):
        robust_accuracy(model, batch.inputs["image"], batch.target, epsilon=epsilon)


def test_no_attack_is_not_the_default_attacks(model, batch):
    with pytest.raises(RequestError, match="attacks: are empty; give at least one"):
        robust_accuracy(model, batch.inputs["image"], batch.target, epsilon=0.1, attacks=[])
    with pytest.raises(RequestError, match="attacks: are empty; give at least one"):
        judge_batches(model, [batch], [], 0.1)


def test_rows_without_an_image_are_right_or_wrong_as_they_stand(model, batch):
    """Nothing can move them; how many there are is told beside the figure."""
    model.eval()
    there = batch.rows % 3 > 0
    some = replace(batch, present={"image": there})
    found = judge_batches(model, [some, batch.without("image")], [PgdConfig(steps=2)], 0.3, keep_adversarial=True)
    alone = judge_batches(model, [batch.select(there)], [PgdConfig(steps=2)], 0.3)
    assert found.rows.tolist() == batch.rows.tolist() * 2 and len(found.adversarial) == 48
    assert found.unmoved.tolist() == [*(~there).tolist(), *[True] * 24]
    assert found.robust[:24][there.numpy()].tolist() == alone.robust.tolist()
    assert found.robust[found.unmoved].tolist() == found.clean_correct[found.unmoved].tolist()
    assert found.robust[found.unmoved].sum() > 0 and alone.robust.sum() < alone.clean_correct.sum()
    assert not found.climbed[found.unmoved].any()


def test_rows_of_an_unknown_class_are_wrong(model, batch):
    model.eval()
    some = replace(batch, target=torch.where(batch.rows % 4 == 0, -1, batch.target))
    found = judge_batches(model, [some], [PgdConfig(steps=2)], 0.01)
    known = judge_batches(model, [batch.select(batch.rows % 4 > 0)], [PgdConfig(steps=2)], 0.01)
    assert found.unknown.sum() == 6 and not found.robust[found.unknown].any()
    assert found.robust_accuracy_known == known.robust_accuracy > 0
    assert found.robust_accuracy == pytest.approx(0.75 * known.robust_accuracy)


@pytest.mark.parametrize("hidden", [True, False], ids=["hidden", "not there"])
def test_where_no_row_has_an_image_nothing_is_judged(model, batch, hidden):
    none = batch.without("image") if hidden else replace(batch, inputs={"text": batch.rows[:, None]})
    with pytest.raises(RequestError, match="batches: none of the 24 rows has an image; attacks move images"):
        judge_batches(model, [none], [PgdConfig(steps=2)], 0.1, threat=threat_to(batch, None))


def test_an_attack_listed_twice_is_refused(model, batch):
    with pytest.raises(RequestError, match="attacks: 'pgd-20' is listed twice"):
        judge_batches(model, [batch], [PgdConfig(), PgdConfig()], 0.1)
