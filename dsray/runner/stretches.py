"""The stretches in which a run was made: one, and one more each time it was resumed and had something left to do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from dsray.base import RequestError
from dsray.base.kinds import guarded
from dsray.experiment import Experiment
from dsray.record import Record
from dsray.runner.files import TrainingFiles, reached


def stretch(experiment: Experiment, from_step: int = 0) -> dict[str, Any]:
    """What is noted of a stretch that begins now: `started` (UTC), `from_step` of the training, its `parallel`."""
    started = datetime.now(UTC).isoformat(timespec="seconds")
    return {"started": started, "from_step": from_step, "parallel": experiment.tree()["parallel"]}


def add_stretch(record: Record, experiment: Experiment) -> None:
    """Note in the manifest that the run goes on from here, and how it is shared among processes from now on."""
    manifest = record.manifest
    first = {"started": manifest.get("created"), "from_step": 0, "parallel": record.experiment.get("parallel")}
    before = manifest.get("stretches") or [first]
    now = stretch(experiment, reached(TrainingFiles(record.path)))
    record.write_json("manifest.json", {**manifest, "stretches": [*before, now]})


def refuse_another(record: Record, experiment: Experiment) -> None:
    """A RequestError that names the first field of `experiment` that is not the record's.

    `parallel` may differ: rows, noise and the order of steps are the same on any processes, and figures within the
    rounding of sums that are added in another order.
    """
    new = experiment.tree()
    if _differing(record.experiment, new) is None:
        return
    old = _filled(record)
    if (path := _differing(old, new)) is not None:
        was, now = _flat(old).get(path), _flat(new).get(path)
        raise RequestError(
            f"{path}: changed from {was!r} to {now!r} since {record.path} began; resume with the same experiment"
        )


def _differing(old: dict[str, Any], new: dict[str, Any]) -> str | None:
    before, after = _flat(old), _flat(new)
    different = (path for path in [*before, *after] if before.get(path) != after.get(path))
    return next((path for path in different if not path.startswith("parallel.")), None)


def _filled(record: Record) -> dict[str, Any]:
    """The record's experiment with what fields that are newer than it default to; as it stands where code is foreign."""
    try:
        with guarded(f"record: {record.path}", trust=False):
            return Experiment.parse(record.experiment).tree()
    except RequestError:
        return record.experiment


def _flat(tree: Any, path: str = "") -> dict[str, Any]:
    if isinstance(tree, dict):
        return {k: v for key, value in tree.items() for k, v in _flat(value, f"{path}.{key}".lstrip(".")).items()}
    return {path: tree}
