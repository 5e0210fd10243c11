"""The record: one folder that holds everything a run has to say about itself."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import yaml

from dsray.base import RequestError, nearest
from dsray.base.aside import aside_of, clear_leftovers
from dsray.base.lines import read_lines
from dsray.base.sealed import read_json, read_text, write_file
from dsray.record import lock

FORMAT = 1
_REQUIRED = ("experiment.yaml", "manifest.json")
_changing = threading.Lock()


class Record:
    """One run folder; its properties read the files as they are now.

    Make one with `create`, `create_at` or `open`. Files are written aside, flushed and renamed, so a reader and a
    killed process never see half a file. One process at a time writes: a record that was made here is held until
    `release`, one that was opened once `hold` is called.
    """

    def __init__(self, path: Path):
        self.path = path
        self._lock: lock.Lock | None = None

    @classmethod
    def create(cls, root: Path, name: str, experiment_yaml: str, manifest: Mapping[str, Any]) -> Self:
        """A new folder `root/name`, or the first free of `name-2`, `name-3`, ...; `root/latest` then points to it."""
        if not re.fullmatch(r"[\w][\w.+-]*", name) or name == "latest":
            raise RequestError(f"name: '{name}' cannot name a folder; use letters, digits, '-', '_' and '.'")
        root = Path(root)
        _make_folder(root, "runs folder")
        newest = root / "latest"
        if newest.exists() and not newest.is_symlink():
            raise RequestError(f"runs folder: {newest} is no link to the newest run; move it away")
        record = cls(_claim(root, name))
        record.hold()
        path = record._begin(experiment_yaml, manifest).path
        clear_leftovers(root)
        aside = aside_of(newest)
        aside.symlink_to(path.name)
        os.replace(aside, newest)
        return record

    @classmethod
    def create_at(cls, path: Path, experiment_yaml: str, manifest: Mapping[str, Any]) -> Self:
        """A new record at exactly `path`, which must be absent or empty; of several at once, one gets it."""
        record = cls(Path(path))
        _make_folder(record.path, "out")
        _refuse_used(record.path)
        record.hold()
        try:
            _refuse_used(record.path)  # by one that was quicker
        except RequestError:
            record.release()
            raise
        return record._begin(experiment_yaml, manifest)

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """The record at `path` (`runs/quickstart`, `runs/latest`); refused when it is not one."""
        path = Path(path)
        if not path.exists():
            raise RequestError(f"record: {path} does not exist; {_records_beside(path)}")
        if path.is_symlink():
            path = path.parent / path.readlink()
        missing = [name for name in _REQUIRED if not (path / name).is_file()]
        if missing:
            raise RequestError(f"record: {path} is not a run folder ({' and '.join(missing)} missing); give runs/NAME")
        record = cls(path)
        found = record.manifest.get("format")
        if found != FORMAT:
            raise RequestError(f"record: {path} has format {found!r}; this version of dsray reads format {FORMAT}")
        return record

    @property
    def name(self) -> str:
        """The folder's name, `quickstart-2`."""
        return self.path.name or self.path.resolve().name

    @property
    def metrics(self) -> dict[str, float]:
        """Reproducible figures by flat name; accuracies are fractions in [0, 1]; not finite ones left out."""
        return self._figures("metrics.json")

    @property
    def timings(self) -> dict[str, float]:
        """Seconds and rates by flat name: what differs from run to run."""
        return self._figures("timings.json")

    @property
    def manifest(self) -> dict[str, Any]:
        """Versions, seed, host, command, data fingerprint."""
        return self._mapping("manifest.json")

    @property
    def status(self) -> dict[str, Any]:
        """`state` (running, done, failed, interrupted), the `steps` so far, and the `error` of a failed run.

        A record that says that it is running, and whose lock nobody holds, was interrupted.
        """
        status = self._written_status()
        if status["state"] == "running" and lock.is_held(self.path) is False:
            return {**status, "state": "interrupted"}
        return status

    @property
    def experiment_text(self) -> str:
        """The fully resolved experiment as YAML."""
        return read_text(self.path, "experiment.yaml")

    @property
    def experiment(self) -> dict[str, Any]:
        """The sections of the experiment as plain values."""
        path = self.path / "experiment.yaml"
        try:
            content = yaml.safe_load(self.experiment_text)
        except (yaml.YAMLError, ValueError) as error:
            raise RequestError(f"record: {path} is not valid YAML ({' '.join(str(error).split())})") from None
        except RecursionError:
            raise RequestError(f"record: {path} is not valid YAML (it nests too deeply)") from None
        if not isinstance(content, dict):
            raise RequestError(f"record: {path} holds no mapping of sections; restore it")
        return content

    def read_json(self, name: str) -> Any:
        """The content of a JSON file of the record, or None when it does not exist.

        A RequestError where it is not, byte for byte, what was written.
        """
        return read_json(self.path, name)

    def write_json(self, name: str, content: Any, *, ordered: bool = False) -> Path:
        """Write `content` as JSON: shortest exact floats, and null for numbers that are not finite.

        ordered: the order of its keys means something; sorted otherwise.
        """
        text = json.dumps(_plain(content), sort_keys=not ordered, indent=1, ensure_ascii=False, allow_nan=False)
        return self.write_text(name, text + "\n")

    def write_text(self, name: str, text: str) -> Path:
        """Write a file of the record in one step: aside, flush, rename; its digest is kept in `sums.json`."""
        return write_file(self.path, name, text.encode())

    def update_metrics(self, figures: Mapping[str, float]) -> None:
        """Add figures to `metrics.json`; only what is the same when the run is repeated belongs here."""
        self._update("metrics.json", figures)

    def update_timings(self, figures: Mapping[str, float]) -> None:
        """Add seconds and rates to `timings.json`."""
        self._update("timings.json", figures)

    def set_step(self, step: str, state: str) -> None:
        """Note that a step of the run is now `running`, `done` or `failed`; a resumed run skips those that are done."""
        with _changing:
            status = self._written_status()
            self.write_json("status.json", {**status, "steps": {**status["steps"], step: state}})

    def finish(self) -> None:
        """Mark the run as done."""
        self._set_state("done", None)

    def fail(self, error: BaseException | str) -> None:
        """Mark the run as failed, with the reason as one line."""
        self._set_state("failed", " ".join(str(error).split()) or type(error).__name__)

    def interrupt(self) -> None:
        """Mark the run as ended by a signal; it can be resumed."""
        self._set_state("interrupted", None)

    @property
    def certain(self) -> bool:
        """False while the record is held on a file system without locks, where a second writer goes unnoticed."""
        return self._lock is None or self._lock.certain

    def hold(self) -> None:
        """Become the one writer of the record; a RequestError that names the one there is already."""
        if self._lock is None:
            self._lock = lock.Lock(self.path)

    def release(self) -> None:
        """Let others write the record."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def discard(self) -> None:
        """Remove the record of a request that turned out to be wrong before anything was done."""
        latest = self.path.parent / "latest"
        if latest.is_symlink() and latest.readlink() == Path(self.path.name):
            latest.unlink()
            others = [p.parent for p in self.path.parent.glob("*/manifest.json") if p.parent != self.path]
            if others:
                latest.symlink_to(max(others, key=lambda p: (p / "manifest.json").stat().st_mtime).name)
        shutil.rmtree(self.path)

    def set_back(self, status: Mapping[str, Any]) -> None:
        """Give the run the state and the error that `status` had before."""
        self._set_state(status["state"], status["error"])

    def resume(self) -> None:
        """Mark the run as running again; finished steps stay finished."""
        self._set_state("running", None)

    def history(self, name: str = "history.jsonl") -> list[dict[str, Any]]:
        """The lines of a training history in order of step.

        A line that is damaged or was torn by a kill is left out, and what a resumed run did again replaces what it had
        logged before.
        """
        return _latest(self._history(name)[0])

    def damaged_lines(self, name: str = "history.jsonl") -> int:
        """How many lines `history` leaves out because they are not as they had been written, as far as that shows.

        The history of a finished training ends with its last checkpoint; one that does not has lost a line at least.
        """
        lines, damaged = self._history(name)
        trained = self.read_json(f"{name.removesuffix('.jsonl').replace('history', 'model')}/training.json")
        steps = trained.get("steps") if isinstance(trained, dict) else None
        last: dict[str, Any] = next((line for line in reversed(lines) if line.get("kind") != "damaged"), {})
        cut = steps is not None and (last.get("kind"), last.get("step")) != ("checkpoint", steps)
        return damaged or int(cut)

    def _history(self, name: str) -> tuple[list[dict[str, Any]], int]:
        try:
            return read_lines((self.path / name).read_bytes())
        except FileNotFoundError:
            return [], 0
        except OSError as error:
            raise RequestError(f"record: cannot read {self.path / name} ({error.strerror})") from None

    def _begin(self, experiment_yaml: str, manifest: Mapping[str, Any]) -> Self:
        try:
            self.write_json("status.json", {"state": "running", "steps": {}, "error": None})
            self.write_text("experiment.yaml", experiment_yaml)
            self.write_json("manifest.json", {**manifest, "format": FORMAT})
        except BaseException:
            shutil.rmtree(self.path, ignore_errors=True)  # half a record is none
            self.release()
            raise
        return self

    def _figures(self, name: str) -> dict[str, float]:
        figures = {key: value for key, value in self._mapping(name).items() if value is not None}
        for key, value in figures.items():
            if not isinstance(value, int | float):
                raise RequestError(f"record: {self.path / name} holds no number under '{key}'; restore or delete it")
        return {key: value for key, value in figures.items() if math.isfinite(value)}

    def _update(self, name: str, figures: Mapping[str, float]) -> None:
        with _changing:
            self.write_json(name, {**self._mapping(name), **figures})

    def _written_status(self) -> dict[str, Any]:
        status = {"state": "running", "steps": {}, "error": None, **self._mapping("status.json")}
        if not isinstance(status["state"], str) or not isinstance(status["steps"], dict):
            raise RequestError(f"record: {self.path / 'status.json'} holds no state and steps; restore or delete it")
        return status

    def _mapping(self, name: str) -> dict[str, Any]:
        """The content of a JSON file that holds a mapping; empty where there is none."""
        content = self.read_json(name)
        if content is not None and not isinstance(content, dict):
            raise RequestError(f"record: {self.path / name} holds no mapping; restore or delete it")
        return content or {}

    def _set_state(self, state: str, error: str | None) -> None:
        with _changing:
            self.write_json("status.json", {**self._written_status(), "state": state, "error": error})


def _make_folder(path: Path, field: str) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"{field}: cannot make the folder {path} ({error.strerror}); give another path") from None


def _refuse_used(path: Path) -> None:
    if any(found.name != lock.NAME for found in path.iterdir()):
        raise RequestError(f"out: {path} is not empty; give a new folder or --resume")


def _claim(root: Path, name: str) -> Path:
    """The first free name; mkdir decides, so two runs that start together get two folders."""
    number = 1
    while True:
        path = root / (name if number == 1 else f"{name}-{number}")
        try:
            path.mkdir()
            return path
        except FileExistsError:
            number += 1
        except OSError as error:
            raise RequestError(f"runs folder: cannot write in {root} ({error.strerror}); give another path") from None


def _records_beside(path: Path) -> str:
    try:
        names = sorted(p.name for p in path.parent.iterdir() if (p / "manifest.json").is_file())
    except OSError:
        names = []
    return nearest(path.name, names) if names else "make one with dsray run"


def _plain(value: Any) -> Any:
    """`value` in JSON's own types: numpy and torch numbers unwrapped, paths as text, NaN and infinities as null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, str | int | None):
        return value
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def _latest(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kept: dict[tuple[Any, ...], dict[str, Any]] = {}
    reached = -1
    for number, line in enumerate(lines):
        step = line.get("step")
        if not isinstance(step, int):
            kept[("line", number)] = line
            continue
        if step < reached:
            kept = {
                key: old for key, old in kept.items() if not isinstance(old.get("step"), int) or old["step"] <= step
            }
        reached = step
        kept[(step, *(line.get(name) for name in ("kind", "stage", "event", "action")))] = line
    return list(kept.values())
