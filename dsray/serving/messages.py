"""Requests, answers and errors of the HTTP interface, for its OpenAPI description."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from dsray.data.schema import Schema
from dsray.targets import TargetSpec, WorkingPoint


class Compute(BaseModel):
    """How much of the trunk an instance ran."""

    blocks_run: int = Field(description="trunk blocks that were computed")
    blocks: int = Field(description="trunk blocks of the model")
    share: float = Field(description="blocks_run / blocks")


def answers_of(target: TargetSpec, *, routed: bool) -> type[BaseModel]:
    """The body of an answer, in which each instance has what its kind of target answers, and what else there is to tell."""
    version = (str, Field(description="version of the model: a hash of its content"))
    parts: dict[str, Any] = {"model": version} | ({"compute": (Compute, ...)} if routed else {})
    if target.working_point is not None:
        parts |= _refusable(target)
    about = (
        "The model's answer to one instance." if routed else "The answer of a model without routing to one instance."
    )
    answer = create_model("Answer", __base__=target.answer, __doc__=about, **parts)
    answers = (list[answer], ...)
    return create_model("Answers", __doc__="One answer per instance, in order.", predictions=answers)


def _refusable(target: TargetSpec) -> dict[str, Any]:
    """`refused`, and the fields that are null then."""
    told = "the model is not sure enough to answer: its confidence lies below the threshold that /v1/model tells"
    parts: dict[str, Any] = {"refused": (bool, Field(description=told))}
    for name in target.withheld:
        field = target.answer.model_fields[name]
        given: Any = field.annotation
        parts[name] = (given | None, Field(description=f"{field.description}; null where refused"))
    return parts


class UnroutedModel(BaseModel):
    """What a client needs to know of a model without routing, but for what its kind of target tells."""

    model_config = ConfigDict(extra="allow")

    version: str = Field(description="a hash of the model's content; every answer carries it")
    inputs: dict[str, dict[str, Any]] = Field(description="input -> its kind and size: pixels and channels, tokens")
    metrics: dict[str, float | None] = Field(description="figures of the test split that the model was measured at")
    refusal: WorkingPoint | None = Field(
        None, description="below which confidence an instance gets no answer; absent where every one is answered"
    )


class Model(UnroutedModel):
    """What a client needs to know of the model."""

    threshold: float | None = Field(description="confidence from which an instance leaves the trunk early")
    compute: dict[str, Any] = Field(description="blocks of the trunk, and the budget of one instance in blocks")


class Health(BaseModel):
    """The model is loaded."""

    status: str
    model: str = Field(description="version of the model")


class Fault(BaseModel):
    """What was wrong with a request."""

    type: str = Field(description="json, too_large, content_type, body, instance, not_found, method, http or internal")
    field: str | None = Field(None, description="dotted path of the field, such as instances.0.NAME")
    message: str = Field(description="what was wrong, and what would be right")


class Error(BaseModel):
    """Body of every 4xx and 5xx answer."""

    error: Fault


def request_schema(schema: Schema, max_instances: int) -> dict[str, Any]:
    """JSON Schema of the body of /v1/predict for a model with these inputs."""
    item = {
        "type": "object",
        "properties": {name: spec.request_schema() for name, spec in schema.inputs.items()},
        "required": list(schema.names),
        "additionalProperties": False,
    }
    instances = {"type": "array", "items": item, "minItems": 1, "maxItems": max_instances}
    return {
        "type": "object",
        "properties": {"instances": instances},
        "required": ["instances"],
        "additionalProperties": False,
    }


def example_request(schema: Schema) -> dict[str, Any]:
    """A request that the model of this schema answers."""
    return {"instances": [{name: spec.example() for name, spec in schema.inputs.items()}]}
