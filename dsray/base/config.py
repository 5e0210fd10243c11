"""Config: a frozen section of an experiment file that refuses what it does not know."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from dsray.base.errors import nearest


class Config(BaseModel):
    """A frozen section of an experiment file; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, ser_json_inf_nan="constants")

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        for key in data if isinstance(data, dict) else ():
            if key not in cls.model_fields:
                hint = nearest(str(key), cls.keys())
                raise PydanticCustomError("unknown_key", "unknown key {key}; {hint}", {"key": str(key), "hint": hint})
        return data

    @classmethod
    def keys(cls) -> list[str]:
        """What may be written here."""
        return list(cls.model_fields)

    def replace(self, **changes: Any) -> Self:
        """A validated copy with `changes` applied."""
        return type(self).model_validate({**self.model_dump(), **changes})
