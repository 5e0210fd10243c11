"""Measure all tasks seen so far: one row of the accuracy matrix behind retention and forgetting."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from dsray.data import labelled
from dsray.engine.actions.action import ActionConfig, Border
from dsray.engine.evaluate import evaluate
from dsray.engine.rows import RowFilter


class MeasureTasksConfig(ActionConfig):
    """Accuracy on the validation rows of each task so far."""

    kind: Literal["measure_tasks"] = "measure_tasks"
    tasks: tuple[RowFilter, ...] = Field(min_length=1, description="the tasks seen so far, in order")

    def act(self, border: Border) -> dict[str, Any]:
        row = []
        for task in self.tasks:
            rows = labelled(border.data, task.select(border.data, "validation"))
            row.append(evaluate(border.state.model, border.batches(rows)).accuracy)
        border.state.task_accuracy.append(row)
        return {"task_accuracy": row}
