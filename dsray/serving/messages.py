"""Requests, answers and errors of the HTTP interface, for its OpenAPI description."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from dsray.schema import Schema


class Compute(BaseModel):
    """How much of the trunk an instance ran."""

    blocks_run: int = Field(description="trunk blocks that were computed")
    blocks: int = Field(description="trunk blocks of the model")
    share: float = Field(description="blocks_run / blocks")


class Answer(BaseModel):
    """The model's answer to one instance."""

    label: str = Field(description="the likeliest class")
    confidence: float = Field(description="its probability, in [0, 1]")
    probabilities: dict[str, float] = Field(description="the five likeliest classes, in order")
    compute: Compute
    model: str = Field(description="version of the model: a hash of its content")


class Answers(BaseModel):
    """One answer per instance, in order."""

    predictions: list[Answer]


class Fault(BaseModel):
    """What was wrong with a request."""

    type: str
    field: str | None = Field(None, description="dotted path of the field")
    message: str = Field(description="what was wrong, and what would be right")


class Error(BaseModel):
    """Body of every 4xx and 5xx answer."""

    error: Fault


def request_schema(schema: Schema, max_instances: int) -> dict[str, Any]:
    """JSON Schema of the body of /v1/predict for a model with these modalities."""
    properties: dict[str, Any] = {}
    if schema.image:
        size = f"{schema.image.height}x{schema.image.width} pixels, {schema.image.channels} channel(s)"
        properties["image"] = {
            "description": f"{size}: base64 of a PNG or JPEG, or nested arrays of numbers in [0, 1] or whole 0..255",
            "anyOf": [{"type": "string"}, {"type": "array"}, {"type": "null"}],
        }
    if schema.text:
        properties["text"] = {"description": "text; null hides it", "anyOf": [{"type": "string"}, {"type": "null"}]}
    item = {
        "type": "object",
        "properties": properties,
        "required": list(schema.modalities),
        "additionalProperties": False,
    }
    instances = {"type": "array", "items": item, "minItems": 1, "maxItems": max_instances}
    return {"type": "object", "properties": {"instances": instances}, "required": ["instances"]}
