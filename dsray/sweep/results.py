"""What a sweep leaves in the record: trials.parquet, best.yaml, summary.json."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from optuna.trial import FrozenTrial, TrialState

from dsray.base.aside import replacing_file
from dsray.record import Record
from dsray.sweep.drawing import objective_of
from dsray.sweep.study import DEFAULT, Study

STATES = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "stopped early", TrialState.FAIL: "failed"}
POINTS = 100
"""Points of the drawn epsilon schedule."""


def write_results(record: Record, study: Study) -> dict[str, Any]:
    """Write the files of `tune/` and return the summary. Needs a complete trial."""
    best = study.best
    if best is None:
        raise ValueError("no complete trial")
    folder = record.path / "tune"
    with replacing_file(folder / "trials.parquet") as aside:
        pq.write_table(trials_table(study.ended), aside)
    experiment = study.experiment_of(best)
    record.write_text("tune/best.yaml", experiment.replace(name=f"{experiment.name}-best").to_yaml())
    summary: dict[str, Any] = {
        "objective": objective_of(study.experiment),
        "direction": "maximize",
        "best_trial": best.number,
        "best_value": best.value,
        "default_value": study.default_value,
        "history": _history(study.ended),
    }
    if experiment.adversarial and experiment.adversarial.stages:
        schedule = experiment.adversarial.stages[-1].epsilon.build(POINTS)
        summary["epsilon_schedule"] = {"steps": list(range(POINTS)), "values": [schedule(i) for i in range(POINTS)]}
    record.write_json("tune/summary.json", summary)
    return summary


def trials_table(trials: list[FrozenTrial]) -> pa.Table:
    """One row per trial.

    Columns: trial (number), state, default, value (null unless complete), seconds (wall clock), overhead_s (of those,
    not spent in the trial's own function), last_accuracy (clean, validation, at the last rung), error, and one
    `param/PATH` for each parameter.
    """
    rows: dict[str, list[Any]] = {
        "trial": [t.number for t in trials],
        "state": [STATES[t.state] for t in trials],
        "default": [t.number == DEFAULT for t in trials],
        "value": [t.value if t.state == TrialState.COMPLETE else None for t in trials],
        "seconds": [t.user_attrs.get("seconds") for t in trials],
        "overhead_s": [t.user_attrs.get("overhead_s") for t in trials],
        "last_accuracy": [t.intermediate_values[t.last_step] if t.last_step is not None else None for t in trials],
        "error": [t.user_attrs.get("error") for t in trials],
    }
    for name in sorted({name for t in trials for name in t.params}):
        rows[f"param/{name}"] = _column([t.params.get(name) for t in trials])
    return pa.table(rows)


def _column(values: list[Any]) -> list[Any]:
    """Values of one type: text as soon as one of them is not a number."""
    known = [v for v in values if v is not None]
    if all(isinstance(v, int | float) and not isinstance(v, bool) for v in known):
        return [None if v is None else float(v) for v in values]
    return [None if v is None else str(v) for v in values]


def _history(trials: list[FrozenTrial]) -> list[dict[str, Any]]:
    """Value of each trial and the best so far, by number; trials without a value have null."""
    best, history = None, []
    for trial in trials:
        value = trial.value if trial.state == TrialState.COMPLETE else None
        best = value if best is None else max(best, value if value is not None else best)
        history.append({"trial": trial.number, "state": STATES[trial.state], "value": value, "best_so_far": best})
    return history
