"""Put rows of a finished task into the replay memory."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from dsray.engine.actions.action import ActionConfig, Border


class RememberConfig(ActionConfig):
    """Keep row ids of this stage, balanced over classes, within a memory of `size` rows."""

    kind: Literal["remember"] = "remember"
    size: int = Field(200, ge=1, description="rows in the whole memory, shared equally by the tasks")

    def act(self, border: Border) -> dict[str, Any]:
        memory = border.state.memory
        memory.size = self.size
        strata = border.data.schema.target.strata(border.data.columns["target"][border.rows])
        memory.add_task(border.rows, strata, border.seed)
        return {"memory_rows": len(memory.rows)}
