"""What a sweep leaves in the record: trials.parquet, best.yaml, summary.json."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dsray.report import Record
from dsray.tuning.study import Study

POINTS = 100


def write_results(record: Record, study: Study) -> dict[str, Any]:
    """Write the files of `tune/` and return the summary. Needs at least one complete trial."""
    best = study.best()
    if best is None or best.value is None:
        raise ValueError("no complete trial")
    finished = study.finished
    names = sorted({name for trial in finished for name in trial.params})
    rows = [
        {
            "trial": t.number,
            "state": t.state.name.lower(),
            "value": t.user_attrs["value"],
            "seconds": t.user_attrs["seconds"],
            "default": bool(t.user_attrs.get("default")),
            **{name: float(t.params[name]) if name in t.params else None for name in names},
        }
        for t in finished
    ]
    folder = record.path / "tune"
    pq.write_table(pa.Table.from_pylist(rows), folder / ".trials.tmp")
    (folder / ".trials.tmp").replace(folder / "trials.parquet")
    experiment = study.experiment_of(best)
    record.write_text("tune/best.yaml", experiment.to_yaml())
    default = next((t for t in finished if t.user_attrs.get("default")), None)
    so_far, history = float("-inf"), []
    for row in rows:
        if row["state"] == "complete":
            so_far = max(so_far, row["value"])
        history.append(
            {"trial": row["trial"], "value": row["value"], "best_so_far": so_far if so_far > float("-inf") else None}
        )
    summary: dict[str, Any] = {
        "objective": study.tune.objective,
        "direction": "maximize",
        "best_trial": best.number,
        "best_value": best.value,
        "default_value": default.user_attrs["value"] if default else None,
        "history": history,
    }
    if experiment.adversarial and experiment.adversarial.stages:
        schedule = experiment.adversarial.stages[-1].epsilon.build(POINTS)
        summary["epsilon_schedule"] = {"steps": list(range(POINTS)), "values": [schedule(i) for i in range(POINTS)]}
    record.write_json("tune/summary.json", summary)
    return summary
