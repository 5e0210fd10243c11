"""A space over the dotted paths of an experiment: checked before anything starts, drawn trial by trial."""

from __future__ import annotations

from typing import Any

from dsray.base import RequestError, nearest
from dsray.data import Prepared
from dsray.experiment import Experiment
from dsray.experiment.overrides import apply_overrides
from dsray.runner.checks import check_patterns, parameter_names
from dsray.spaces import Draw
from dsray.spaces.config import TuneConfig

UNREAD = ("format", "name", "parallel", "compress", "serve", "tune")
"""Sections that a trial does not read."""


def sweep_of(experiment: Experiment) -> TuneConfig:
    """The `tune` section, which must be there."""
    if experiment.tune is None:
        raise RequestError("tune: the experiment has no such section; add one with a space")
    return experiment.tune


def objective_of(experiment: Experiment) -> str:
    """The figure that the sweep maximises."""
    given = sweep_of(experiment).objective
    if given is None:
        return "val_balanced_robustness" if experiment.adversarial else "val_accuracy"
    if given != "val_accuracy" and experiment.adversarial is None:
        raise RequestError(f"tune.objective: {given} needs an adversarial section; use val_accuracy")
    return given


def check_space(experiment: Experiment, data: Prepared) -> None:
    """Refuse a path that is not in the experiment, or a value that a trial could draw and a field would not take."""
    objective_of(experiment)
    tree = experiment.replace(tune=None).tree()
    names = parameter_names(experiment, data)
    for path, space in sweep_of(experiment).space.items():
        _find(tree, path)
        for value in space.probes():
            try:
                changed = Experiment.parse(apply_overrides(tree, [(path, value)]))
                if changed.model == experiment.model and changed.data == experiment.data:
                    changed.stages(data)
                    check_patterns(changed, names)
            except RequestError as error:
                raise RequestError(f"tune.space.{path}: {error}") from None


def drawn(experiment: Experiment, source: Draw) -> Experiment:
    """The experiment of one trial, without its `tune` section; outer paths are set before those inside them."""
    space = sorted(sweep_of(experiment).space.items(), key=lambda item: item[0].count("."))
    tree = experiment.replace(tune=None).tree()
    return Experiment.parse(apply_overrides(tree, [(path, s.draw(source, path)) for path, s in space]))


def own_parameters(experiment: Experiment) -> dict[str, dict[str, Any]]:
    """Path -> the parameters that stand for the file's own settings, for the paths where there are such."""
    tree = experiment.tree()
    found = {path: s.parameters_of(_find(tree, path), path) for path, s in sweep_of(experiment).space.items()}
    return {path: parameters for path, parameters in found.items() if parameters is not None}


def _find(tree: dict[str, Any], path: str) -> Any:
    """What stands at a dotted path, which must exist."""
    node: Any = tree
    walked: list[str] = []
    for key in path.split("."):
        children = {str(i): child for i, child in enumerate(node)} if isinstance(node, list) else node
        where = ".".join([*walked, key])
        if not isinstance(children, dict):
            parent = ".".join(walked)
            raise RequestError(f"tune.space.{path}: '{parent}' is {children!r}; write its keys out before tuning one")
        if key not in children:
            hint = nearest(key, list(children)) if children else "write it out before tuning it"
            raise RequestError(f"tune.space.{path}: '{where}' is not in the experiment; {hint}")
        walked.append(key)
        node = children[key]
    if walked[0] in UNREAD:
        raise RequestError(f"tune.space.{path}: '{walked[0]}' does not change what a trial learns; leave it out")
    return node
