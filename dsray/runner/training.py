"""One training: from an experiment, data and a worker to a model on disk. The same call in-process and under Ray."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist

from dsray.base import RequestError
from dsray.base.noise import key_of
from dsray.base.routed import Routed
from dsray.engine import Cadence, TrainConfig, TrainState, Worker, fit
from dsray.engine.calibrate import calibrate
from dsray.engine.checkpoint import load_checkpoint, newest_checkpoint
from dsray.engine.executions import DataParallel, Execution, Pipeline, SingleProcess
from dsray.experiment import Experiment
from dsray.models import save_model
from dsray.runner.files import TrainingFiles

VALIDATIONS = 5
"""How often a training validates at the least, so that a short one is seen to learn and can be stopped."""


def train(
    experiment: Experiment, worker: Worker, *, undefended: bool = False, files: TrainingFiles | None = None
) -> Routed:
    """Train to the end, from the newest checkpoint in `files` if there is one; rank 0 writes the model there."""
    torch.set_num_threads(experiment.train.threads)
    model = new_model(experiment, worker)
    state = TrainState(model)
    if files is None or not _restore(state, files, worker):
        experiment.model.pretrained(model)
    stages = experiment.undefended_stages(worker.data) if undefended else experiment.stages(worker.data)
    if stages is None:
        raise ValueError("the experiment asks for no undefended baseline")
    train_config = experiment.train
    fit(
        state,
        stages,
        worker,
        make_execution(experiment, model, worker),
        seed=experiment.seed,
        clip=train_config.clip,
        cadence=cadence_of(train_config, sum(stage.steps for stage in stages)),
    )
    if worker.leads:
        schema = calibrate(model, worker.data, worker.device)
        if files:
            save_model(files.model, model, experiment.model, schema, about_training(state, worker.device))
    return model.eval()


def _restore(state: TrainState, files: TrainingFiles, worker: Worker) -> bool:
    """Bring the state to the newest sound checkpoint, if there is one, and say what was passed over."""
    newest, damaged = newest_checkpoint(files.checkpoints)
    if newest is not None:
        try:
            state.load_state_dict(*load_checkpoint(newest))
        except (KeyError, TypeError, AttributeError, RuntimeError) as error:
            reason = f"{type(error).__name__}: {str(error).splitlines()[-1].strip()}"
            raise RequestError(
                f"checkpoint: {newest} is not of this version or not of this experiment ({reason}); begin a new run"
            ) from None
    lost = [str(folder) for folder in damaged] + (
        [str(files.model)] if files.model.exists() and not files.trained else []
    )
    if lost:
        goes_on = f"goes on from {newest.name}" if newest else "begins anew: there is no sound checkpoint"
        said = f"damaged, and passed over: {', '.join(lost)}; the training {goes_on}"
        worker.report({"kind": "damaged", "step": state.global_step, "said": said})
    return newest is not None


def cadence_of(config: TrainConfig, steps: int) -> Cadence:
    """How often a training of so many steps speaks: a short one validates more often than it is told to."""
    return Cadence(config.log_every, min(config.validate_every, max(1, steps // VALIDATIONS)), config.checkpoint_every)


def new_model(experiment: Experiment, worker: Worker) -> Routed:
    """The untrained model on the worker's device: a pure function of the experiment's seed, no weights read yet."""
    torch.manual_seed(key_of(experiment.seed, "model") % 2**63)
    return experiment.model.build(worker.data.schema).to(worker.device)


def make_execution(experiment: Experiment, model: Routed, worker: Worker) -> Execution:
    """How steps are carried out: in this process, or with all those of torch.distributed by the `parallel` section."""
    parallel, precision, parts = experiment.parallel, experiment.train.precision, experiment.train.accumulate
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return SingleProcess(model, precision, parts)
    if parallel.pipeline == 1:
        return DataParallel(model, precision, accumulate=parts)
    from torch.distributed.device_mesh import init_device_mesh

    mesh = init_device_mesh(worker.device.type, (parallel.workers, parallel.pipeline), mesh_dim_names=("data", "pipe"))
    across = mesh.get_group("data") if parallel.workers > 1 else None
    along = mesh.get_group("pipe")
    return Pipeline(model, parallel.microbatches, precision, along=along, across=across, accumulate=parts)


def about_training(state: TrainState, device: torch.device) -> dict[str, Any]:
    """What the training says of itself: where it ended (`cpu`, or the GPU's name), stages as executed, steps, ...."""
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "executed": state.executed,
        "steps": state.global_step,
        "mean_epsilon": state.mean_epsilon,
        "task_accuracy": state.task_accuracy,
    }
