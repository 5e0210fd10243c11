"""Training history as TensorBoard events, written without loading torch."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from dsray.base.aside import naming

_POSITION = {"step", "total", "stage_step", "stage_steps", "rows", "time_s"}


class TensorBoardWriter:
    """Turns history lines into scalars and histograms of one events file in `folder`.

    Step lines give `train/loss`, `term/NAME`, `epsilon`, `rate`, `rate/GROUP`, ...; validation lines give
    `validation/NAME`, and histograms of the experts' load per block and of the blocks that rows ran.
    """

    def __init__(self, folder: Path | str):
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self._shown = shown(folder)
        # several writers of one folder (a resumed run) are read together; the usual name would hold the host's
        self.path = folder / f"events.out.tfevents.{int(time.time())}.dsray.{time.time_ns():x}"
        self._file = self.path.open("wb")
        self._records = RecordWriter(self._file)
        self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))

    def add(self, line: Mapping[str, Any]) -> None:
        """Write one line of `history.jsonl`; lines without a step or a figure are left out."""
        step = line.get("step")
        values = _values(line)
        if isinstance(step, int) and values:
            self._write(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))

    def catch_up(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Bring the events to `lines`, the history so far: an earlier writer may have shown more of it, or less."""
        found = [line for line in lines if isinstance(line.get("step"), int)]
        reached, last = max((line["step"] for line in found), default=0), self._shown
        if last > reached:
            self.purge(reached)
            return
        if last:
            self.purge(last - 1)  # of its last step, not every line may have been shown
        for line in found:
            if line["step"] >= last:
                self.add(line)

    def purge(self, step: int) -> None:
        """Let readers forget events of steps after `step`, which come again: no step is drawn twice."""
        session = SessionLog(status=SessionLog.START)
        self._write(Event(wall_time=time.time(), step=step + 1, session_log=session))

    def close(self) -> None:
        """Close the file; the writer is finished."""
        self._records.close()

    def __enter__(self) -> TensorBoardWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, event: Event) -> None:
        with naming(self.path, self.path):
            self._records.write(event.SerializeToString())
            self._file.flush()


def shown(folder: Path) -> int:
    """The last step of which a folder of events shows anything; 0 where it holds none."""
    step = 0
    for path in sorted(folder.glob("events.out.tfevents.*")):
        for event in EventFileLoader(str(path)).Load():
            start = event.HasField("session_log") and event.session_log.status == SessionLog.START
            step = min(step, event.step - 1) if start else max(step, event.step)
    return step


def _values(line: Mapping[str, Any]) -> list[Summary.Value]:
    kind = line.get("kind")
    values = []
    for name, value in line.items():
        if isinstance(value, int | float) and not isinstance(value, bool) and name not in _POSITION:
            values.append(Summary.Value(tag=_tag(str(kind), name), simple_value=value))
    load = line.get("expert_load")
    for block, shares in enumerate(load if isinstance(load, list) else [], start=1):
        values += _histogram(f"routing/expert_load/block_{block}", shares, first=0)
    values += _histogram("routing/blocks_run", line.get("blocks_run"), first=1)
    return values


def _tag(kind: str, name: str) -> str:
    if kind == "validation":
        return f"validation/{name}"
    return f"train/{name}" if name in ("loss", "grad_norm") else name


def _histogram(tag: str, weights: Sequence[float] | None, first: int) -> list[Summary.Value]:
    """A histogram with one bucket per place: `weights[i]` at `first + i`."""
    if not weights or not all(math.isfinite(w) and w >= 0 for w in weights):
        return []
    places = [first + i for i in range(len(weights))]
    histogram = HistogramProto(
        min=first - 0.5,
        max=places[-1] + 0.5,
        num=sum(weights),
        sum=sum(w * p for w, p in zip(weights, places, strict=True)),
        sum_squares=sum(w * p * p for w, p in zip(weights, places, strict=True)),
        bucket_limit=[p + 0.5 for p in places],
        bucket=weights,
    )
    return [Summary.Value(tag=tag, histo=histogram)]
