"""Robust accuracy: a row counts only if every attack of an ensemble fails on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from dsray.attacks.ball import IMAGE
from dsray.attacks.config import AttackConfig, check_attacks
from dsray.attacks.epsilon import check_epsilon
from dsray.attacks.losses import fallen
from dsray.attacks.pgd import PgdConfig
from dsray.attacks.random_search import RandomSearchConfig
from dsray.attacks.robustness import Robustness
from dsray.attacks.runner import perturb
from dsray.attacks.untouched import buffers_kept
from dsray.base import RequestError
from dsray.batch import Batch
from dsray.protocols import Classifier, as_classifier

DEFAULT_ATTACKS: tuple[AttackConfig, ...] = (PgdConfig(steps=20), RandomSearchConfig())


def evaluate_attacks(
    model: nn.Module | Classifier,
    batches: Iterable[Batch],
    attacks: Sequence[AttackConfig],
    epsilon: float,
    seed: int = 0,
    *,
    keep_adversarial: bool = False,
) -> Robustness:
    """Judge the rows of `batches` at one radius; each attack runs on the rows that the ones before it left standing.

    batches: images in [0, 1], known targets. Rows without an image cannot be attacked and are left out; `rows` of the
    answer says which were judged. Raises RequestError for other images or targets, no rows, no row with an image, an
    epsilon outside [0, 1], no attack, or one that is listed twice.
    """
    check_epsilon(epsilon)
    try:
        check_attacks(attacks)
    except ValueError as error:
        raise RequestError(str(error)) from None
    classify, rows, parts = as_classifier(model), 0, []
    with buffers_kept(model):
        for batch in batches:
            rows += len(batch)
            if len(batch := _with_image(batch)):
                parts.append(_judge(classify, _judgeable(batch), attacks, epsilon, seed, keep_adversarial))
    if not rows:
        raise RequestError("batches: hold no rows; give at least one row to judge")
    if not parts:
        raise RequestError(f"batches: none of the {rows} rows has an image; attacks move images")
    return Robustness.merge(parts)


def evaluate_curve(
    model: nn.Module | Classifier,
    batches: Sequence[Batch],
    attacks: Sequence[AttackConfig],
    epsilons: Iterable[float],
    seed: int = 0,
) -> list[dict[str, float]]:
    """Robust accuracy at each radius, each once: `[{"epsilon": 0.1, "robust_accuracy": 0.7, "rows": 75}, ...]`."""
    judged = [evaluate_attacks(model, batches, attacks, epsilon, seed) for epsilon in dict.fromkeys(epsilons)]
    return [{"epsilon": j.epsilon, "robust_accuracy": j.robust_accuracy, "rows": len(j.rows)} for j in judged]


def robust_accuracy(
    model: nn.Module | Classifier,
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float,
    attacks: Sequence[AttackConfig] | None = None,
    batch_size: int = 256,
    seed: int = 0,
) -> float:
    """Share of images whose answer no attack can turn, for any module from images to logits.

    images: (n, channel, height, width) in [0, 1]. labels: (n,) int64. epsilon: L-inf radius in input-range units.
    attacks: PGD-20 and random search unless given. The model is judged in the mode it is in; call `.eval()` first.
    Raises RequestError as `evaluate_attacks` does, and for an epsilon of 0, which leaves nothing to attack.
    """
    if check_epsilon(epsilon) == 0:
        raise RequestError("epsilon: must be more than 0, e.g. 8/255 = 0.0314; at 0 it is the clean accuracy")
    if len(images) != len(labels):
        raise RequestError(f"labels: one for each image; got {len(labels)} for {len(images)} images")
    rows = torch.arange(len(labels), device=labels.device)
    whole = Batch({IMAGE: images}, labels, rows, torch.zeros_like(rows))
    parts = [whole.select(rows[i : i + batch_size]) for i in range(0, len(labels), batch_size)]
    return evaluate_attacks(
        model, parts, DEFAULT_ATTACKS if attacks is None else attacks, epsilon, seed
    ).robust_accuracy


def _with_image(batch: Batch) -> Batch:
    """The rows that have an image."""
    present = batch.present.get(IMAGE, torch.full_like(batch.target, IMAGE in batch.inputs, dtype=torch.bool))
    return batch if len(batch) and present.all() else batch.select(present)


def _judgeable(batch: Batch) -> Batch:
    """The batch itself, when a verdict on it would mean something."""
    image = batch.inputs[IMAGE]
    if not image.is_floating_point():
        raise RequestError(f"images: must be floats in [0, 1]; got {image.dtype}; divide 8-bit pixels by 255")
    low, high = image.aminmax()
    if not (low >= 0 and high <= 1):
        raise RequestError(f"images: must lie in [0, 1]; got {low:g} to {high:g}; divide 8-bit pixels by 255")
    if batch.target.min() < 0:
        raise RequestError("target: must be known for every judged row; got -1; leave such rows out")
    return batch


@torch.no_grad()
def _judge(
    classify: Classifier, batch: Batch, attacks: Sequence[AttackConfig], epsilon: float, seed: int, keep: bool
) -> Robustness:
    clean_correct = ~fallen(classify(batch), batch.target)
    standing, worst, survived = clean_correct.clone(), batch.inputs[IMAGE].clone(), {}
    for config in attacks:
        rows = standing.nonzero()[:, 0]
        if len(rows):
            part = batch.select(rows)
            moved = perturb(config.build(), classify, part, epsilon, seed=seed, stop_early=True)
            fell = fallen(classify(moved), part.target)
            worst[rows[fell]] = moved.inputs[IMAGE][fell]
            standing[rows[fell]] = False
        survived[config.name] = standing.cpu().numpy().copy()
    return Robustness(
        epsilon=epsilon,
        rows=batch.rows.cpu().numpy(),
        clean_correct=clean_correct.cpu().numpy(),
        survived=survived,
        adversarial=batch.with_input(IMAGE, worst) if keep else None,
    )
