"""What verbs on a finished run have in common: its experiment, changed in one section, and its rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from dsray.base import RequestError
from dsray.base.kinds import guarded
from dsray.data import Prepared
from dsray.experiment import Experiment
from dsray.experiment.overrides import apply_overrides, parse_override
from dsray.record import Record
from dsray.runner.original import rows_of
from dsray.runner.place import Place
from dsray.verbs.place import placed


def open_finished(run: Path, trust: bool) -> tuple[Record, Experiment]:
    """The record and its experiment; one that names foreign code is refused without trust, and nothing of it is run."""
    record = Record.open(run)
    with guarded(f"record: {run}", trust):
        return record, Experiment.parse(record.experiment)


def changed(original: Experiment, overrides: Iterable[str], allowed: str, prefix: str) -> Experiment:
    """The experiment with overrides of one section, which is opened where there is none."""
    parsed = [parse_override(text) for text in overrides]
    for path, _ in parsed:
        if not path.startswith(prefix):
            raise RequestError(
                f"{path.removeprefix('adversarial.')}: cannot be changed here; overrides start with {allowed}"
            )
    tree = original.tree()
    section = prefix.partition(".")[0]
    tree[section] = tree[section] or {}
    return Experiment.parse(apply_overrides(Experiment.parse(tree).tree(), parsed))


@contextmanager
def at_work(record: Record, experiment: Experiment, local: bool) -> Iterator[tuple[Place, Prepared]]:
    """The place of a verb's work and the rows of the record, which are the ones that it was made from."""
    torch.set_num_threads(experiment.train.threads)
    with placed(experiment, local) as place:
        yield place, rows_of(record, experiment.data, place)
