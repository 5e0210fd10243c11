"""What a damaged file may change: each kind of thing on the disk, read the way its verb reads it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dsray.base import DsrayError
from dsray.compress import Artefact
from dsray.data import Prepared, prepare, to_batch
from dsray.engine.checkpoint import checkpoints, load_checkpoint
from dsray.experiment import Experiment
from dsray.models import load_model
from dsray.record import Record
from dsray.report.compare import compare
from dsray.report.html import write_report
from dsray.runner.place import ThisProcess
from dsray.serving import Predictor
from dsray.verbs.run import run

EXPERIMENT = {
    "name": "damage",
    "data": {"source": "digits"},
    "model": {"width": 16, "trunk": {"blocks": 2, "hidden": 16, "heads": 2, "experts": None}, "depth": "full"},
    "train": {"steps": 6, "batch": 16, "log_every": 1, "validate_every": 3, "checkpoint_every": 2},
    "adversarial": {"judge": {"epsilon": 0.1, "attacks": ["fgsm"], "rows": 16, "curve": []}},
    "compress": {"calibration_rows": 16, "max_loss_points": 100, "max_adversarial_loss_points": 100},
}
RECORD = (
    "answer.json",
    "attack.json",
    "evaluation.json",
    "example.json",
    "judgements.json",
    "manifest.json",
    "metrics.json",
    "schema.json",
    "status.json",
    "timings.json",
)


@dataclass(frozen=True)
class Reading:
    """What came of reading. parts: by name; said: what the user is told of damage that was worked around."""

    parts: dict[str, Any]
    said: str = ""

    @property
    def kept(self) -> dict[str, Any]:
        """What must be the same where damage was worked around."""
        return {name: value for name, value in self.parts.items() if name in ("figures", "answers")}


@dataclass(frozen=True)
class Kind:
    """files: its files in a folder that `make_whole` made; read: all of it, as its verb does."""

    files: Callable[[Path], list[str]]
    read: Callable[[Path], Reading]


@dataclass(frozen=True)
class Whole:
    """An undamaged run with its cache, and what each kind reads there."""

    root: Path
    read: dict[str, Reading] = field(default_factory=dict)


def make_whole(folder: Path) -> Whole:
    """A small run of every step, in this process, and a copy of it with another seed to compare it with."""
    whole = Whole(folder / "whole")
    record = run(Experiment.parse(EXPERIMENT), out=whole.root / "run", local=True)
    shutil.copytree(record.path, whole.root / "other")
    other = Record.open(whole.root / "other")
    other.write_text("experiment.yaml", other.experiment_text.replace("seed: 0", "seed: 1"))
    for kind, reading in READINGS.items():
        shutil.copytree(whole.root, folder / "copy")
        whole.read[kind] = reading.read(folder / "copy")
        shutil.rmtree(folder / "copy")
    return whole


class _Heard:
    """What a training says of damage while it goes on."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def begin(self, training: str, step: int) -> None:
        """A training begins."""

    def end(self, training: str) -> None:
        """A training is over."""

    def line(self, training: str, line: dict[str, Any]) -> None:
        """A line was added to its history."""
        if line["kind"] == "damaged":
            self.said.append(line["said"])


def _checkpoint(root: Path) -> Reading:
    """Each of them, and what a resumed run makes of the newest."""
    path, states, said = root / "run", [], []
    for folder in checkpoints(path / "checkpoints"):
        try:
            tensors, plain = load_checkpoint(folder)
            states.append([_digest(tensors), plain])
        except DsrayError as error:
            said.append(str(error))
    shutil.rmtree(path / "model")
    experiment = Experiment.load(path / "experiment.yaml")
    data, heard = prepare(experiment.data, root / ".cache"), _Heard()
    ThisProcess().train(experiment, data, path, heard)
    said += heard.said
    trained = load_model(path / "model")[0].state_dict()
    return Reading({"answers": _digest(trained), "content": states if not said else None}, "; ".join(said))


def _model(root: Path) -> Reading:
    model, config, schema = load_model(root / "run" / "model")
    data = Prepared.load(_cache(root))
    with torch.no_grad():
        logits = model.classify(to_batch(data.take(data.splits["test"][:16]), schema))
    training = Record.open(root / "run").read_json("model/training.json")
    return Reading({"answers": logits.tolist(), "content": [training, config.model_dump(mode="json")]})


def _cached(root: Path) -> Reading:
    said = "" if Prepared.find(_cache(root)) is not None else "prepared again"
    data = prepare(Experiment.load(root / "run" / "experiment.yaml").data, root / ".cache")
    rows = {name: torch.from_numpy(values) for name, values in data.take(np.arange(len(data))).items()}
    about = [
        data.schema.model_dump(mode="json"),
        data.counts,
        data.notes,
        {k: v.tolist() for k, v in data.splits.items()},
    ]
    return Reading({"figures": _digest(rows), "content": [about, data.shown.to_pydict()]}, said)


def _artefact(root: Path) -> Reading:
    record = Record.open(root / "run")
    artefact = Artefact.load(root / "run" / "compressed")
    answers = Predictor(artefact).predict(record.read_json("example.json")["instances"])
    about = {key: value for key, value in artefact.manifest.items()}
    return Reading({"answers": answers, "content": [about, record.read_json("compressed/report.json")]})


def _record(root: Path) -> Reading:
    record, other = Record.open(root / "run"), Record.open(root / "other")
    found = compare([record, other])
    figures = [record.metrics, record.timings, repr(found.metrics), repr(found.timings)]
    content = [record.experiment, record.status, record.history(), *map(record.read_json, RECORD)]
    damaged = record.damaged_lines()
    page = write_report(record).read_text()
    said = f"{damaged} damaged lines" if damaged and "of the history" in page else ""
    return Reading({"figures": figures, "content": [content, page]}, said)


def _cache(root: Path) -> Path:
    return next((root / ".cache").iterdir())


def _digest(tensors: dict[str, torch.Tensor]) -> str:
    content = hashlib.sha256()
    for name, values in sorted(tensors.items()):
        content.update(json.dumps([name, str(values.dtype), list(values.shape)]).encode())
        content.update(values.contiguous().numpy().tobytes())
    return content.hexdigest()


def _files(*patterns: str) -> Callable[[Path], list[str]]:
    def found(root: Path) -> list[str]:
        paths: Iterable[Path] = (path for pattern in patterns for path in root.glob(pattern))
        return sorted(str(path.relative_to(root)) for path in paths if path.is_file())

    return found


READINGS = {
    "checkpoint": Kind(_files("run/checkpoints/step-*/*"), _checkpoint),
    "model": Kind(_files("run/model/*"), _model),
    "cache": Kind(_files(".cache/*/*"), _cached),
    "artefact": Kind(_files("run/compressed/*"), _artefact),
    "record": Kind(_files("run/*.json", "run/*.yaml", "run/*.jsonl"), _record),
}
