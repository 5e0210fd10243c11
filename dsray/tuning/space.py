"""A space over the dotted paths of an experiment: checked before anything starts, drawn trial by trial."""

from __future__ import annotations

from typing import Any

from dsray.base import RequestError, nearest
from dsray.experiment import Experiment
from dsray.overrides import apply_overrides
from dsray.sections.tune import TuneConfig


def check_space(experiment: Experiment) -> TuneConfig:
    """The sweep of an experiment; a path that is not in it, or a value outside a field's bounds, is a RequestError."""
    tune = experiment.tune
    if tune is None:
        raise RequestError("tune: the experiment has no such section; it needs one with a space")
    if tune.objective != "val_accuracy" and experiment.adversarial is None:
        raise RequestError(f"tune.objective: {tune.objective} needs an adversarial section; use val_accuracy")
    tree = experiment.tree()
    for path, space in tune.space.items():
        _find(tree, path)
        for value in space.extremes():
            try:
                Experiment.parse(apply_overrides(tree, [(path, value)]))
            except RequestError as error:
                raise RequestError(f"tune.space.{path}: {error}") from None
    return tune


def apply_draw(experiment: Experiment, trial: Any) -> Experiment:
    """The experiment of one trial. trial: an Optuna trial, or anything that suggests."""
    if experiment.tune is None:
        raise ValueError("the experiment has no tune section")
    drawn = [(path, space.draw(trial, path)) for path, space in experiment.tune.space.items()]
    return Experiment.parse(apply_overrides(experiment.tree(), drawn))


def _find(tree: Any, path: str) -> None:
    """Walk a dotted path that must exist."""
    node = tree
    walked: list[str] = []
    for key in path.split("."):
        valid = (
            [str(i) for i in range(len(node))]
            if isinstance(node, list)
            else list(node)
            if isinstance(node, dict)
            else []
        )
        if key not in valid:
            where = ".".join([*walked, key])
            raise RequestError(f"tune.space.{path}: '{where}' is not in the experiment; {nearest(key, valid)}")
        walked.append(key)
        node = node[int(key)] if isinstance(node, list) else node[key]
