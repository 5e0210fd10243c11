"""Robust accuracy: a row counts only if every attack of an ensemble fails on it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from dsray.attacks.checks import check_judged, check_labels, check_values, nothing_to_move
from dsray.attacks.config import AttackConfig, check_attacks
from dsray.attacks.judgement import Judgement
from dsray.attacks.pgd import PgdConfig
from dsray.attacks.random_search import RandomSearchConfig
from dsray.attacks.runner import perturb
from dsray.attacks.threats import Threat, ThreatConfig
from dsray.attacks.threats.given import Given, Numbers, config_of, threat_to
from dsray.attacks.untouched import buffers_kept
from dsray.attacks.watched import Watched
from dsray.base import RequestError
from dsray.base.batch import Batch
from dsray.base.protocols import Classifier, as_classifier, first_input
from dsray.likelihoods import likelihood_of

DEFAULT_ATTACKS: tuple[AttackConfig, ...] = (PgdConfig(steps=20), RandomSearchConfig())


def judge_batches(
    model: nn.Module | Classifier,
    batches: Iterable[Batch],
    attacks: Sequence[AttackConfig],
    epsilon: float,
    seed: int = 0,
    *,
    threat: Given = None,
    keep_adversarial: bool = False,
) -> Judgement:
    """Judge the rows of `batches` at one radius; each attack runs on the rows that the ones before it left standing.

    threat: what may move and how far; L-inf unless given, on the only input of floats, which lie in [0, 1]. A target of
    -1, a class that the model does not know, is wrong. A row without the input is right or wrong as it stands. Raises
    RequestError for values outside the range of the input or other targets, a model that gives no finite logits of two
    classes or more (one column, probabilities), no rows, no row with the input, rows of which no attack had a gradient,
    an epsilon that the threat refuses, no attack, or one that is listed twice.
    """
    parts = [
        judge_batch(model, b, attacks, epsilon, seed, threat=threat, keep_adversarial=keep_adversarial)
        for b in batches
        if len(b)
    ]
    if not parts:
        raise RequestError("batches: hold no rows; give at least one row to judge")
    return check_judged(Judgement.merge(parts))


def judge_curve(
    model: nn.Module | Classifier,
    batches: Sequence[Batch],
    attacks: Sequence[AttackConfig],
    epsilons: Iterable[float],
    seed: int = 0,
    *,
    threat: Given = None,
) -> list[dict[str, float]]:
    """Robust accuracy at each radius, each once: `[{"epsilon": 0.1, "robust_accuracy": 0.7, "rows": 75}, ...]`."""
    judged = [
        judge_batches(model, batches, attacks, epsilon, seed, threat=threat) for epsilon in dict.fromkeys(epsilons)
    ]
    return [{"epsilon": j.epsilon, "robust_accuracy": j.robust_accuracy, "rows": len(j.rows)} for j in judged]


def robust_accuracy(
    model: nn.Module | Classifier,
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float,
    attacks: Sequence[AttackConfig] | None = None,
    threat: ThreatConfig | str | None = None,
    batch_size: int = 256,
    seed: int = 0,
) -> float:
    """Share of images whose answer no attack can turn, for any module from images to logits.

    images: (n, ...) in [0, 1]. labels: (n,) int64. epsilon: radius in the units of the threat, for L-inf those of the
    input's range. attacks: PGD-20 and random search unless given. threat: L-inf unless given; its kind ("l2") or its
    config. The model is judged in the mode it is in; call `.eval()` first.
    Raises RequestError as `judge_batches` does, and for an epsilon of 0, which leaves nothing to attack. Warns of rows
    without a gradient, which `judge_batches` counts.
    """
    config = config_of(threat)
    name = config.input or first_input(model)
    meant = config.on({name: {"": Numbers(tuple(images.shape[1:]))}})
    if meant.check_radius(epsilon) == 0:
        raise RequestError("epsilon: must be more than 0, e.g. 8/255 = 0.0314; at 0 it is the clean accuracy")
    check_labels(labels, images, "image")
    rows = torch.arange(len(labels), device=labels.device)
    whole = Batch({name: images}, labels.long(), rows, torch.zeros_like(rows))
    parts = [whole.select(rows[i : i + batch_size]) for i in range(0, len(labels), batch_size)]
    check_values(whole, meant, "images")
    ensemble = DEFAULT_ATTACKS if attacks is None else attacks
    found = judge_batches(model, parts, ensemble, epsilon, seed, threat=meant)
    if blind := int(found.blind.sum()):
        warnings.warn(
            f"{blind} of {int(found.climbed.sum())} rows that attacks climbed had no gradient (zero in every {found.element}): the "
            "robust accuracy is too high unless attacks that need none would have found what there is",
            stacklevel=2,
        )
    return found.robust_accuracy


def judge_batch(
    model: nn.Module | Classifier,
    batch: Batch,
    attacks: Sequence[AttackConfig],
    epsilon: float,
    seed: int = 0,
    *,
    threat: Given = None,
    keep_adversarial: bool = False,
) -> Judgement:
    """`judge_batches` of one batch that is a part of more, merged by the caller and then held to `check_judged`."""
    threat = threat_to(batch, threat)
    threat.check_radius(epsilon)
    try:
        check_attacks(attacks)
    except ValueError as error:
        raise RequestError(str(error)) from None
    if not threat.reads(batch):
        raise nothing_to_move(len(batch), threat.input)
    if (there := threat.there(batch)).any():
        check_values(batch.select(there), threat)
    with buffers_kept(model):
        classify = as_classifier(model, threat.tensors)
        return _judge(classify, batch, attacks, threat, epsilon, seed, keep_adversarial)


@torch.no_grad()
def _judge(
    classify: Classifier,
    batch: Batch,
    attacks: Sequence[AttackConfig],
    threat: Threat,
    epsilon: float,
    seed: int,
    keep: bool,
) -> Judgement:
    likelihood, clean = likelihood_of(classify), classify(batch)
    likelihood.check(clean, batch.target)
    clean_correct, movable = ~likelihood.wrong(clean, batch.target), threat.there(batch)
    standing, worst, survived = clean_correct.clone(), batch, {}
    climbed, gave, searched = (torch.zeros_like(movable) for _ in range(3))
    for config in attacks:
        rows = (standing & movable).nonzero()[:, 0]
        if len(rows):
            part, watched = batch.select(rows), Watched(classify, threat)
            moved = perturb(config.build(), watched, part, epsilon, threat=threat, seed=seed, stop_early=True)
            fell = likelihood.wrong(classify(moved), part.target)
            worst = threat.put(worst, rows[fell], moved.select(fell))
            standing[rows[fell]] = False
            asked = watched.asked(part.rows)
            climbed[rows] |= asked
            gave[rows] |= watched.gave(part.rows)
            searched[rows] |= ~asked
        survived[config.name] = standing.cpu().numpy().copy()
    return Judgement(
        input=threat.input,
        element=threat.element,
        epsilon=epsilon,
        rows=batch.rows.cpu().numpy(),
        clean_correct=clean_correct.cpu().numpy(),
        survived=survived,
        unknown=(~likelihood.known(batch.target)).cpu().numpy(),
        unmoved=(~movable).cpu().numpy(),
        climbed=climbed.cpu().numpy(),
        blind=(climbed & ~gave).cpu().numpy(),
        searched=searched.cpu().numpy(),
        adversarial=worst if keep else None,
    )
