"""A model on disk: `model.safetensors` and `model.json` in a folder that appears whole; parts load on their own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from dsray.base import RequestError
from dsray.base.folders import put_back, replacing_folder
from dsray.base.kinds import Trust, guarded
from dsray.base.routed import Routed
from dsray.base.sums import Damaged, check_sums, parse, write_sums
from dsray.data.schema import Schema
from dsray.models.base import ModelConfig
from dsray.models.config import AnyModel
from dsray.models.heads import FORMER

FORMAT = 2
"""1 had no `sums.json`; it is still read."""
_FILES = ("model.json", "model.safetensors")
_MODEL: TypeAdapter[ModelConfig] = TypeAdapter(AnyModel)


def save_model(
    folder: Path, model: Routed, config: ModelConfig, schema: Schema, training: Mapping[str, Any] | None = None
) -> None:
    """Write weights, router state, config and schema in one step; an older model in `folder` is replaced.

    training: what the training says of itself, for `training.json`.
    """
    about = {"format": FORMAT, "model": config.model_dump(mode="json"), "schema": schema.model_dump(mode="json")}
    with replacing_folder(folder) as aside:
        state = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
        save_file(state, aside / "model.safetensors")
        (aside / "model.json").write_text(json.dumps(about, indent=1))
        if training is not None:
            (aside / "training.json").write_text(json.dumps(training, indent=1))
        write_sums(aside)


def is_sound(folder: Path, needed: tuple[str, ...] = _FILES) -> bool:
    """Whether the folder holds the needed files of a model, each as it was written."""
    put_back(folder)
    try:
        return check_sums(folder, needed) or all((folder / name).is_file() for name in needed)
    except (Damaged, OSError):
        return False


def load_model(
    folder: Path, *, trust: Trust = False, expected: ModelConfig | None = None
) -> tuple[Routed, ModelConfig, Schema]:
    """The model in evaluation mode with its config and schema.

    trust: whose plug-ins, which the file names, may be imported; a file that names others is a RequestError, since the
    folder may have come from elsewhere. expected: what the model is known to be; no part of a model that the file names
    is imported then, and a file that says something else is a RequestError.
    """
    about = _about(folder)
    if expected is not None and not _agrees(_renamed(about["model"]), expected.model_dump(mode="json")):
        raise RequestError(f"model: {folder} is not the model that its experiment names; train or copy it again")
    try:
        with guarded(f"model: {folder}", trust):
            config = expected or _MODEL.validate_python(about["model"])
            schema = Schema.model_validate(about["schema"])
    except ValidationError:
        raise RequestError(f"model: {folder / 'model.json'} is not of this version; train or copy it again") from None
    try:
        model = restored(lambda: config.build(schema), load_file(folder / "model.safetensors"))
    except (OSError, RuntimeError, SafetensorError) as error:
        reason = str(error).splitlines()[-1].strip()
        raise RequestError(
            f"model: the weights in {folder} cannot be read ({reason}); train or copy it again"
        ) from None
    return model.eval(), config, schema


def restored(build: Callable[[], Routed], tensors: Mapping[str, Tensor]) -> Routed:
    """The model that `build` makes, with saved tensors in place of its own, which are not even drawn.

    Buffers that are not saved hold what `build` gives them. Raises RuntimeError for tensors that do not fit.
    """
    with torch.device("meta"):
        model = build()
    model.load_state_dict(tensors, assign=True)
    if any(tensor.is_meta for tensor in (*model.parameters(), *model.buffers())):
        with torch.random.fork_rng(devices=[]):
            model = build()
        model.load_state_dict(tensors)
    return model


def _renamed(model: Any) -> Any:
    """What a file says of a model, with a head that earlier versions called otherwise by its name today."""
    head = model.get("head") if isinstance(model, dict) else None
    if not isinstance(head, dict) or head.get("kind") not in FORMER:
        return model
    return {**model, "head": {**head, "kind": FORMER[head["kind"]]}}


def _agrees(written: Any, known: Any) -> bool:
    """Whether `known` says all that `written` says; what an older version did not write is no difference."""
    if isinstance(written, dict) and isinstance(known, dict):
        return all(key in known and _agrees(value, known[key]) for key, value in written.items())
    return bool(written == known)


def _about(folder: Path) -> dict[str, Any]:
    """What model.json holds, after all files of the folder were compared with their digests."""
    put_back(folder)
    try:
        about = parse((folder / "model.json").read_bytes())
        summed = check_sums(folder, _FILES)
    except FileNotFoundError:
        raise RequestError(f"model: {folder} holds no finished model (model.json is missing)") from None
    except Damaged as error:
        raise RequestError(f"model: {folder} cannot be read ({error}); train or copy it again") from None
    except OSError as error:
        raise RequestError(f"model: cannot read {folder} ({error.strerror}); train or copy it again") from None
    except ValueError:
        about, summed = None, False
    if not isinstance(about, dict) or not {"model", "schema"} <= set(about):
        raise RequestError(f"model: {folder / 'model.json'} was altered; train or copy it again")
    if not summed and about.get("format") != 1:
        raise RequestError(f"model: {folder} lacks the digests of its files (sums.json); train or copy it again")
    return about


def load_part(model: nn.Module, folder: Path, part: str) -> None:
    """Replace the weights of one part (`encoders.image`, `trunk`) by those of the model saved in `folder`."""
    prefix = part + "."
    _about(folder)
    tensors = load_file(folder / "model.safetensors")
    found = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    if not found:
        raise RequestError(f"part: '{part}' is not in {folder}")
    try:
        model.get_submodule(part).load_state_dict(found)
    except (RuntimeError, AttributeError) as error:
        raise RequestError(
            f"part: '{part}' of {folder} does not fit this model ({str(error).splitlines()[-1]})"
        ) from None
