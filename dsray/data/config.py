"""The `data` section of an experiment file."""

from __future__ import annotations

import re
from typing import Any

from pydantic import (
    Field,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import CoreSchema

from dsray.base import Config
from dsray.base.errors import a, relocated
from dsray.base.kinds import MEMBER, UNNAMED, package, packages_of
from dsray.data.sources import AnySource, DigitsConfig
from dsray.inputs import INPUTS, AnyInput, InputConfig
from dsray.inputs.short import field_of, fold, unfold
from dsray.targets import AnyTarget, TargetConfig, short

RESERVED = {"row", "epoch", "target", "label", "logits", "blocks_run"}
"""What else stands beside inputs in columns, counts and exported graphs."""
_COLUMNS = ", ".join(f"{a(kind)} column" for kind in INPUTS.members) + {1: "", 2: " or both"}.get(
    len(INPUTS.members), " or several"
)


class DataConfig(Config):
    """Where the rows come from, and which of their columns are the inputs and the label.

    An input that is called like its kind may be written in short, `image: {...}`. What the source knows of its own
    columns (`SourceConfig.columns`) is filled in where the file says nothing.
    """

    source: AnySource = Field(DigitsConfig(), description="where the rows come from")
    inputs: dict[str, AnyInput] = Field({}, description="name -> what the model reads under it; null: nothing")
    target: AnyTarget = Field(description="what the model answers; `label: COLUMN` for classes")
    validation: float = Field(
        0.1,
        gt=0,
        lt=1,
        description="share of the training rows, and of each class, held out where the source has no validation split",
    )
    group: str | None = Field(
        None, description="column: rows that share its value are never divided between training and validation"
    )
    show: tuple[str, ...] = Field((), description="further columns kept for reports and row filters")

    @model_validator(mode="before")
    @classmethod
    def _columns_of_the_source(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        try:
            source = TypeAdapter(AnySource).validate_python(data.get("source", "digits"))
        except ValidationError:
            return short.fold(fold(data))  # the field itself reports it, under its own path
        filled = {**data, "source": source}
        for key, known in source.columns().items():
            if key == "label" and isinstance(filled.get("target"), dict) and "column" in filled["target"]:
                continue
            if key not in filled and not (key in INPUTS.members and data.get("inputs")):
                filled[key] = known
            elif isinstance(known, dict) and isinstance(filled.get(key), dict):
                filled[key] = {**known, **filled[key]}
        if "target" not in filled:
            filled.setdefault("label", "")
        return short.fold(fold(filled))

    @model_validator(mode="wrap")
    @classmethod
    def _short_forms_in_errors(cls, data: Any, handler: ModelWrapValidatorHandler[DataConfig]) -> DataConfig:
        """A fault in an input or a target that was written in short is told under the path that was written."""

        def place(where: tuple[int | str, ...]) -> tuple[int | str, ...]:
            if where[:2] == ("target", "column") and isinstance(data, dict) and "target" not in data:
                return ("label",)
            if len(where) < 2 or where[0] != "inputs" or not isinstance(data, dict):
                return where
            return where[1:] if data.get(where[1]) is not None else where

        try:
            return handler(data)
        except ValidationError as error:
            raise relocated(error, place) from None

    @model_serializer(mode="wrap")
    def _short_forms(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return short.unfold(unfold(handler(self)))

    @classmethod
    def keys(cls) -> list[str]:
        return [*super().keys(), *INPUTS.members, "label"]

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        found = handler.resolve_ref_schema(handler(schema))
        inputs = {
            kind: {
                "description": f"the input '{kind}', of kind {kind}; null: none",
                "anyOf": [{MEMBER: member, UNNAMED: True}, {"type": "null"}],
                "default": None,
            }
            for kind, member in INPUTS.members.items()
        }
        label = {"description": "column that holds the class, a target of kind classes", "type": "string"}
        found["properties"] = {**found["properties"], **inputs, "label": label}
        found["required"] = [key for key in found.get("required", []) if key != "target"]
        return found

    @field_validator("inputs")
    @classmethod
    def _names_are_free(cls, inputs: dict[str, Any]) -> dict[str, Any]:
        for name in inputs:
            if name in RESERVED or name.startswith("present"):
                raise ValueError(
                    f"'{name}' cannot name an input, since dsray calls something else so; give another name"
                )
            if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                raise ValueError(f"'{name}' cannot name an input; use small letters, digits and _, as in photo_2")
        return inputs

    @model_validator(mode="after")
    def _inputs_and_label_fit(self) -> DataConfig:
        if not self.inputs:
            raise ValueError(f"needs at least one input: {_COLUMNS}")
        column = self.target.column
        if column in [column for part in self.inputs.values() for column in part.columns]:
            raise ValueError(f"column '{column}' is the label and an input; the model would read its answer")
        for name, part in self.inputs.items():
            if bare := [column for column in part.encoded if column in self.show]:
                raise ValueError(f"show names further columns; '{bare[0]}' is the {name} itself")
        return self

    @property
    def packages(self) -> frozenset[str]:
        """Those of the user's own that its inputs and its target come from: whose code a schema that was learnt for them may name."""
        parts: list[InputConfig | TargetConfig] = [*self.inputs.values(), self.target]
        given = [str(part.gives().model_fields["kind"].default) for part in parts]
        return packages_of(parts) | {package(kind) for kind in given if ":" in kind}

    def field(self, name: str) -> str:
        """What errors call an input: `data.image`, or `data.inputs.photo`."""
        return field_of(name, self.inputs[name])

    @property
    def target_field(self) -> str:
        """What errors call the target: `data.label`, or `data.target`."""
        return short.field_of(self.target)
