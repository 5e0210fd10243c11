"""The attacks against those of foolbox, on a net trained on scikit-learn's digits."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dsray.attacks import FgsmConfig, PgdConfig, RandomSearchConfig, cross_entropy, perturb, robust_accuracy
from dsray.attacks.threats.given import threat_to
from dsray.base import RequestError, RunFailure
from dsray.base.batch import Batch
from dsray.data import DataConfig, prepare


@pytest.fixture(scope="module")
def digits():
    data = prepare(DataConfig.model_validate({"source": {"kind": "digits", "questions": False}}))
    rows = data.take(np.concatenate([data.splits["train"], data.splits["test"]]))
    images, labels = torch.from_numpy(rows["image"]), torch.from_numpy(rows["target"])
    split = len(data.splits["train"])
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(150):
        optimizer.zero_grad()
        F.cross_entropy(model(images[:split]), labels[:split]).backward()
        optimizer.step()
    optimizer.zero_grad()
    return model.eval(), images[split:], labels[split:]


def batch_of(images, labels):
    rows = torch.arange(len(labels))
    return Batch({"image": images}, labels, rows, torch.zeros_like(rows))


def foolbox_attack(name, model, images, labels, epsilon, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import foolbox

        attack = getattr(foolbox.attacks, name)(**options)
        return attack(foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu"), images, labels, epsilons=epsilon)


def test_fgsm_equals_foolbox(digits):
    model, images, labels = digits
    ours = perturb(FgsmConfig().build(), model, batch_of(images, labels), 0.1, loss=cross_entropy).inputs["image"]
    theirs = foolbox_attack("LinfFastGradientAttack", model, images, labels, 0.1)[1]
    assert float((ours - theirs).abs().max()) <= 1e-6


def test_pgd_without_random_start_equals_foolbox(digits):
    model, images, labels = digits
    config = PgdConfig(steps=10, step_size=0.25, random_start=False)
    ours = perturb(config.build(), model, batch_of(images, labels), 0.1, loss=cross_entropy).inputs["image"]
    options = {"steps": 10, "rel_stepsize": 0.25, "random_start": False}
    theirs = foolbox_attack("LinfPGD", model, images, labels, 0.1, **options)[1]
    assert float((ours - theirs).abs().max()) <= 1e-5


@pytest.mark.parametrize("restarts", [1, 2])
def test_pgd_is_as_strong_as_foolbox_at_equal_steps(digits, restarts):
    """Foolbox's own step (a thirtieth of epsilon) does not cross the ball in 20 steps: it would find half as much."""
    model, images, labels = digits
    config = PgdConfig(steps=20, restarts=restarts)
    ours = robust_accuracy(model, images, labels, epsilon=0.1, attacks=[config])
    options = {"steps": 20, "rel_stepsize": config.relative_step}
    torch.manual_seed(0)
    found = [foolbox_attack("LinfPGD", model, images, labels, 0.1, **options)[2] for _ in range(restarts)]
    theirs = 1 - float(torch.stack(found).any(0).float().mean())
    assert abs(ours - theirs) <= 0.02
    clean = float((model(images).argmax(1) == labels).float().mean())
    assert ours < clean - 0.5


def test_fgm_under_l2_equals_foolbox(digits):
    model, images, labels = digits
    config, batch = FgsmConfig(), batch_of(images, labels)
    ours = perturb(config.build(), model, batch, 0.5, threat="l2", loss=cross_entropy).inputs["image"]
    theirs = foolbox_attack("L2FastGradientAttack", model, images, labels, 0.5)[1]
    assert float((ours - theirs).abs().max()) <= 1e-6


@pytest.mark.parametrize("epsilon", [0.3, 0.5])
def test_pgd_under_l2_is_as_strong_as_foolbox_at_equal_steps(digits, epsilon):
    """Not weaker by more than a point and not stronger by more than two, of the whole test split."""
    model, images, labels = digits
    config = PgdConfig(steps=20)
    ours = robust_accuracy(model, images, labels, epsilon=epsilon, attacks=[config], threat="l2")
    torch.manual_seed(0)
    options = {"steps": 20, "rel_stepsize": config.relative_step}
    theirs = 1 - float(foolbox_attack("L2PGD", model, images, labels, epsilon, **options)[2].float().mean())
    assert -0.02 <= ours - theirs <= 0.01
    clean = float((model(images).argmax(1) == labels).float().mean())
    assert ours < clean - 0.2


def test_the_search_without_gradients_finds_a_part_of_what_pgd_finds_under_l2(digits):
    model, images, labels = digits
    clean = float((model(images).argmax(1) == labels).float().mean())
    pgd, search = (
        robust_accuracy(model, images, labels, epsilon=0.5, attacks=[attack], threat="l2")
        for attack in (PgdConfig(steps=20), RandomSearchConfig(queries=100))
    )
    assert pgd <= search <= clean - 0.5 * (clean - pgd)


def test_pgd_finds_the_worst_case_of_a_linear_model():
    torch.manual_seed(1)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    images = 0.3 + 0.4 * torch.rand(32, 1, 4, 4)
    labels = model(images).argmax(1)
    moved = perturb(PgdConfig(steps=20).build(), model, batch_of(images, labels), 0.05).inputs["image"]
    weight = (model[1].weight[1] - model[1].weight[0]).detach()
    sign = torch.where(labels == 0, 1.0, -1.0)[:, None] * weight.sign()
    assert float((moved.flatten(1) - (images.flatten(1) + 0.05 * sign)).abs().max()) <= 1e-6


def test_more_restarts_never_help_the_defence(digits):
    model, images, labels = digits
    one = robust_accuracy(model, images, labels, epsilon=0.08, attacks=[PgdConfig(steps=5)])
    many = robust_accuracy(model, images, labels, epsilon=0.08, attacks=[PgdConfig(steps=5, restarts=4)])
    assert many <= one


def test_absent_images_stay(digits):
    model, images, labels = digits
    batch = batch_of(images[:8], labels[:8])
    flags = torch.tensor([True, False] * 4)
    batch = Batch(batch.inputs, batch.target, batch.rows, batch.epochs, {"image": flags})
    moved = perturb(PgdConfig(steps=3).build(), model, batch, 0.1).inputs["image"]
    changed = (moved - images[:8]).abs().amax((1, 2, 3)) > 0
    assert changed.tolist() == flags.tolist()


def test_epsilon_in_pixels_is_refused(digits):
    model, images, labels = digits
    with pytest.raises(RequestError, match=r"write 8/255 = 0.0314"):
        perturb(PgdConfig().build(), model, batch_of(images, labels), 8)


def proposing(change):
    """An attack that gives `change(image)`."""
    return lambda model, batch, threat, epsilon, loss=None, *, seed=0, stop_early=False: batch.with_input(
        "image", change(batch.inputs["image"])
    )


@pytest.mark.parametrize(
    "change",
    [lambda x: x * float("nan"), lambda x: x / 0, lambda x: x[:3], lambda x: x.repeat(1, 3, 1, 1)],
    ids=["nan", "infinite", "fewer rows", "more channels"],
)
def test_a_proposal_that_is_no_image_is_refused(digits, change):
    model, images, labels = digits
    with pytest.raises(RunFailure, match="of another shape or that are not finite"):
        perturb(proposing(change), model, batch_of(images, labels), 0.1)


def test_a_proposal_outside_is_brought_back_into_the_ball_and_the_range(digits):
    model, images, labels = digits
    moved = perturb(proposing(lambda x: x + 5), model, batch_of(images, labels), 0.1).inputs["image"]
    assert torch.allclose(moved, (images + 0.1).clamp(max=1))


def test_a_batch_without_images_is_refused(digits):
    model, images, labels = digits
    rows, threat = torch.arange(len(labels)), threat_to(batch_of(images, labels), None)
    batch = Batch({"text": rows[:, None]}, labels, rows, rows * 0)
    with pytest.raises(RequestError, match="attack: needs images; the batch has text"):
        perturb(PgdConfig().build(), model, batch, 0.1, threat=threat)
    with pytest.raises(RequestError, match="attack: needs floats to move; the batch has text"):
        perturb(PgdConfig().build(), model, batch, 0.1)


@pytest.mark.parametrize("epsilon", [-0.1, float("nan"), float("inf"), 1.5, 300])
def test_no_radius_outside_the_range(digits, epsilon):
    model, images, labels = digits
    with pytest.raises(RequestError, match="epsilon: must be in input-range units, 0 to 1"):
        perturb(FgsmConfig().build(), model, batch_of(images, labels), epsilon)


def test_radius_zero_and_no_rows_change_nothing(digits):
    model, images, labels = digits
    batch = batch_of(images, labels)
    assert perturb(PgdConfig().build(), model, batch, 0.0) is batch
    assert len(perturb(PgdConfig().build(), model, batch.select(torch.arange(0)), 0.1)) == 0


def test_leaving_early_gives_the_same_verdict(digits):
    model, images, labels = digits
    batch = batch_of(images, labels)
    for config in (PgdConfig(steps=7), PgdConfig(steps=4, restarts=2), RandomSearchConfig(queries=40)):
        wrong = [
            model(perturb(config.build(), model, batch, 0.08, seed=1, stop_early=early).inputs["image"]).argmax(1)
            != labels
            for early in (False, True)
        ]
        assert not bool((wrong[0] & ~wrong[1]).any()), f"{config.name}: a row that falls late did not fall early"
        assert 0.02 < float(wrong[1].float().mean()) < 0.98
