"""`dsray check`: what an experiment comes to, before anything starts."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dsray.base.routed import Routed
from dsray.data import Prepared, prepare
from dsray.engine import Stage
from dsray.experiment import Experiment
from dsray.models import active_parameters, count_parameters, skeleton
from dsray.optim import trainable_names
from dsray.runner.checks import check_experiment


def outline(experiment: Experiment) -> RenderableType:
    """Rows and classes, parameters, memory, stages with what they train, workers."""
    experiment.parallel.check_room()
    data = prepare(experiment.data)
    check_experiment(experiment, data)
    model = skeleton(experiment.model, data.schema)
    names = [name for name, _ in model.named_parameters()]
    stages = experiment.stages(data)
    if experiment.tune:
        from dsray.sweep.drawing import check_space  # the search's libraries, which other files do not need

        check_space(experiment, data)
    parts: list[RenderableType] = [Text(experiment.name, style="bold"), _rows(data), Text(""), _counts(data), Text("")]
    if data.notes:
        parts += [*(Text(note) for note in data.notes), Text("")]
    parts += [_parameters(model), Text(""), _stages(stages, names), Text("")]
    parts.append(_facts(experiment, data, model, stages))
    return Group(*parts)


def _rows(data: Prepared) -> Table:
    told = {s: data.schema.target.rows(data.columns["target"][rows]) for s, rows in data.splits.items()}
    table = Table("split", "rows", *told["train"], box=None, pad_edge=False)
    for split, rows in data.splits.items():
        table.add_row(split, f"{len(rows):,}", *told[split].values())
    return table


def _counts(data: Prepared) -> Table:
    """Rows with something missing, cut or unknown, of each input and split; zeros tell that it was counted."""
    table = Table("input", "what", *data.splits, box=None, pad_edge=False)
    for name, whats in data.counts["train"].items():
        for what in whats:
            found = [(data.counts[split][name][what], len(rows)) for split, rows in data.splits.items()]
            table.add_row(name, what, *(f"{n:,} ({100 * n / rows:.1f} %)" if n else "0" for n, rows in found))
    return table


def _parameters(model: Routed) -> Table:
    table = Table("module", "parameters", box=None, pad_edge=False)
    for name, count in count_parameters(model).items():
        table.add_row(name, f"{count:,}")
    if model.routing is not None:
        table.add_row("active for one sample, all blocks", f"{active_parameters(model):,}")
    return table


def _stages(stages: list[Stage], names: list[str]) -> Table:
    table = Table("stage", "steps", "trainable", "losses", "attack", "epsilon", "rate", box=None, pad_edge=False)
    for stage in stages:
        learning = len(trainable_names(stage.trainable, names, stage.name))
        attack, epsilon = "", ""
        if stage.perturb:
            schedule = stage.perturb.epsilon.build(stage.steps)
            attack = f"{stage.perturb.attack.name} on {stage.perturb.share:.0%}"
            epsilon = f"{schedule(0):g} to {schedule(stage.steps - 1):g}"
            epsilon += "" if stage.perturb.threat.kind == "linf" else f" in {stage.perturb.threat.kind}"
        losses = " + ".join(term.kind for term in stage.terms) + (" + replay" if stage.replay else "")
        trainable = "all" if learning == len(names) else f"{learning} of {len(names)} tensors"
        rate = f"{stage.rates.schedule.kind} to {stage.rates.schedule.peak(stage.steps):g}"
        table.add_row(stage.name, f"{stage.steps:,}", trainable, losses, attack, epsilon, rate)
    return table


def _facts(experiment: Experiment, data: Prepared, model: Routed, stages: list[Stage]) -> Table:
    table = Table.grid(padding=(0, 2))
    train, parallel = experiment.train, experiment.parallel
    row = sum(data.columns[name][0].size for name in data.schema.tensors) * 4
    parameters, activations = count_parameters(model)["total"], model.activations()
    for name, spec in data.schema.inputs.items():
        if said := spec.facts():
            table.add_row(name, said)
    if said := data.schema.target.right_where():
        table.add_row("accuracy", f"the share of answers {said}")
    table.add_row("steps", f"{sum(s.steps for s in stages):,} of {train.batch} rows")
    pieces = f" of {parallel.pipeline} pieces, {parallel.microbatches} microbatches," if parallel.pipeline > 1 else ""
    table.add_row("workers", f"{parallel.workers}{pieces} x {train.threads} threads, device {parallel.device}")
    copies = 5 if train.average else 4
    memory = (
        parameters * 4 * copies + (activations or 0) * (train.batch // train.accumulate) * 4 + row * train.batch * 8
    ) / 2**20
    weights = "weights, their average" if train.average else "weights"
    held = f"{weights}, AdamW state, gradients and activations"
    if activations is None:
        held = f"{weights}, AdamW state and gradients; activations, which only the model knows, come on top"
    table.add_row("memory", f"about {memory:,.0f} MiB a worker for {held}")
    if tune := experiment.tune:
        table.add_row("sweep", f"{tune.trials} trials over {', '.join(tune.space)}")
    table.add_row("data in memory", f"{sum(v.nbytes for v in data.columns.values()) / 2**20:,.1f} MiB")
    return table
