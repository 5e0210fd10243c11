"""What only the data and the model can tell of an experiment, refused before anything starts."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from dsray.attacks import check_call
from dsray.base import RequestError
from dsray.base.figures import figure
from dsray.base.routed import Routed
from dsray.data import Facts, Prepared
from dsray.data.movable import movable
from dsray.engine import AdversarialConfig
from dsray.engine.calibrate import check_calibration
from dsray.engine.policies import PolicyConfig
from dsray.engine.terms import TermConfig
from dsray.experiment import Experiment
from dsray.models import skeleton
from dsray.optim import Pattern, Rates, first_match
from dsray.runner.figures import VALIDATION_ROWS
from dsray.runner.judge import judged_rows, threat_of
from dsray.runner.rehearsal import rehearse


def check_experiment(experiment: Experiment, data: Prepared) -> None:
    """A RequestError that names the field where the experiment does not fit its data or its own model."""
    experiment.stages(data)
    check_calibration(data)
    rehearse(experiment, data)
    check_operations(experiment)
    check_builds(experiment, data)
    model = skeleton(experiment.model, data.schema)
    check_patterns(experiment, [name for name, _ in model.named_parameters()])
    check_policies(experiment, model)
    if experiment.adversarial:
        check_calls(experiment.adversarial)
        check_stages(experiment.adversarial, data)
        judge = experiment.adversarial.judge
        threat = threat_of(judge, data)
        for split, count in (
            ("validation", min(judge.rows, VALIDATION_ROWS)),
            ("test", judge.rows),
            ("test", judge.curve_rows),
        ):
            judged_rows(data, split, count, threat)


def check_operations(experiment: Experiment) -> None:
    """A RequestError for an operation that is not made from the tensors that it changes, as those of version 0.1 are not."""
    for i, operation in enumerate(experiment.augment.operations):
        taken = inspect.signature(operation.make)
        try:
            taken.bind({})
        except TypeError:
            raise RequestError(
                f"augment.operations.{i}: make of {type(operation).__name__} takes {taken}; it is called with (tensors), "
                "those that it changes by their names in columns"
            ) from None


def check_builds(experiment: Experiment, data: Prepared) -> None:
    """A RequestError for a term, policy or sampler that is not built from facts, or that refuses those of a stage."""
    attacked = experiment.adversarial.stages if experiment.adversarial else ()
    losses = {stage.name: f"adversarial.stages.{i}.loss" for i, stage in enumerate(attacked)}
    stages = experiment.stages(data)
    rows_of = {chosen: chosen.select(data, "train") for chosen in {stage.rows for stage in stages}}
    for stage in stages:
        rows = rows_of[stage.rows]
        facts = Facts.of(data, rows, stage.steps)
        loss = losses.get(stage.name.rpartition("/")[2], "train.task")  # what the path of a stage ends with: its regime
        built: dict[str, TermConfig | PolicyConfig] = {loss: stage.terms[0]}
        built |= {f"train.policies.{i}": policy for i, policy in enumerate(stage.policies)}
        for field, config in built.items():
            _check_build(field, config.build, {"facts": facts})
        strata = data.schema.target.strata(data.columns["target"][rows])
        _check_build("train.sampler", stage.sampler.build, {"facts": facts, "rows": rows, "strata": strata})


def _check_build(field: str, build: Callable[..., Any], given: dict[str, Any]) -> None:
    taken = inspect.signature(build)
    try:
        taken.bind(*given.values())
    except TypeError:
        of = type(getattr(build, "__self__", build)).__name__
        raise RequestError(
            f"{field}: build of {of} takes {taken}; it is called with ({', '.join(given)}); facts are what the stage "
            "knows of its rows: schema, counts, steps"
        ) from None
    try:
        build(*given.values())
    except RequestError as error:
        raise RequestError(f"{field}.{error}") from None


def check_calls(adversarial: AdversarialConfig) -> None:
    """A RequestError for an attack that cannot be called as attacks are, before anything is trained for it."""
    for i, stage in enumerate(adversarial.stages):
        check_call(stage.attack.build(), f"adversarial.stages.{i}.attack")
    for i, attack in enumerate(adversarial.judge.attacks):
        check_call(attack.build(), f"adversarial.judge.attacks.{i}")


def check_stages(adversarial: AdversarialConfig, data: Prepared) -> None:
    """A RequestError for a stage whose radii go beyond what its input can be moved by."""
    for i, stage in enumerate(adversarial.stages):
        lowest, peak = stage.epsilon.span()
        largest = stage.threat.on(movable(data.schema)).largest
        if fault := stage.threat.fault_of_span(lowest, peak, largest):
            raise RequestError(f"adversarial.stages.{i}.epsilon: {fault}")


def check_policies(experiment: Experiment, model: Routed) -> None:
    """A RequestError for a policy that decides by a figure of routing where the model routes nothing."""
    for i, policy in enumerate(experiment.train.policies):
        if model.routing is None and policy.watches and figure(policy.watches).routed:
            raise RequestError(
                f"train.policies.{i}.metric: {policy.watches} is a figure of routing, and model {experiment.model.kind} has "
                "none; use another, e.g. accuracy"
            )


def parameter_names(experiment: Experiment, data: Prepared) -> list[str]:
    """The names of the model's parameters."""
    return [name for name, _ in skeleton(experiment.model, data.schema).named_parameters()]


def check_patterns(experiment: Experiment, names: Sequence[str]) -> None:
    """A RequestError for a pattern that matches none of the parameters `names`."""
    for field, pattern in _patterns(experiment):
        first_match([pattern], names, field)


def _patterns(experiment: Experiment) -> Iterator[tuple[str, Pattern]]:
    """Every pattern over parameters in the file, under its dotted path."""
    yield from _of_rates("train.rates", experiment.train.rates)
    for i, stage in enumerate(experiment.adversarial.stages if experiment.adversarial else ()):
        yield from _of_rates(f"adversarial.stages.{i}.rates", stage.rates or Rates())
    for i, group in enumerate(experiment.finetune.unfreeze if experiment.finetune else ()):
        for j, pattern in enumerate(group):
            yield f"finetune.unfreeze.{i}.{j}", pattern


def _of_rates(field: str, rates: Rates) -> Iterator[tuple[str, Pattern]]:
    for i, layer in enumerate(rates.layers):
        yield f"{field}.layers.{i}.pattern", layer.pattern
