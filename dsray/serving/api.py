"""The HTTP application of one artefact."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException

from dsray.base import RequestError
from dsray.sections import ServeConfig
from dsray.serving.docs import docs_page
from dsray.serving.messages import Answers, Error, request_schema
from dsray.serving.predictor import Predictor

Answering = Callable[[list[dict[str, Any]]], Awaitable[list[dict[str, Any]]]]


class Refusal(Exception):
    """A request that is answered with a 4xx status and one sentence."""

    def __init__(self, status: int, kind: str, field: str | None, message: str):
        super().__init__(message)
        self.status, self.kind, self.field, self.message = status, kind, field, message


def build_api(predictor: Predictor, config: ServeConfig, answer: Answering, record: Path | None = None) -> FastAPI:
    """The application. answer: how instances that have passed the check are answered (batched, remote, ...).

    record: run folder whose report is shown at `/`.
    """
    api = FastAPI(title="dsray", version=predictor.artefact.version, docs_url=None, redoc_url=None)
    schema = predictor.artefact.schema
    body = {"required": True, "content": {"application/json": {"schema": request_schema(schema, config.max_instances)}}}
    refusals: dict[int | str, dict[str, Any]] = {code: {"model": Error} for code in (400, 413, 415, 422)}

    @api.post("/v1/predict", response_model=Answers, responses=refusals, openapi_extra={"requestBody": body})
    async def predict(request: Request) -> Any:
        """Answer one or many instances; each answer depends on its instance alone."""
        instances = _instances(await _body(request, config.body_limit_kb * 1024), config.max_instances)
        _refuse_faults(lambda: predictor.check(instances))
        return {"predictions": await answer(instances)}

    @api.get("/v1/model")
    def model() -> dict[str, Any]:
        """Version, inputs, classes, compute budget and figures of the model."""
        manifest = predictor.artefact.manifest
        return {
            "version": predictor.artefact.version,
            "classes": list(schema.classes),
            "inputs": {name: _input(name, schema) for name in schema.modalities},
            "threshold": manifest["threshold"],
            "compute": manifest["compute"],
            "metrics": manifest["metrics"],
        }

    @api.get("/healthz")
    def healthz() -> dict[str, str]:
        """Says ok when the model is loaded."""
        return {"status": "ok", "model": predictor.artefact.version}

    @api.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(docs_page(api.openapi(), _example(record)))

    @api.get("/", include_in_schema=False)
    def home() -> Response:
        report = record / "report.html" if record else None
        return FileResponse(report) if report and report.is_file() else docs()

    _add_errors(api)
    return api


def _input(name: str, schema: Any) -> dict[str, Any]:
    spec = getattr(schema, name).model_dump(exclude={"tokenizer", "column"})
    return dict(spec)


def _example(record: Path | None) -> str:
    path = record / "example.json" if record else None
    return path.read_text() if path and path.is_file() else '{"instances": []}'


async def _body(request: Request, limit: int) -> bytes:
    """The body, refused as soon as it is larger than `limit` bytes whatever its header says."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refusal(415, "content_type", None, f"content-type is '{kind or 'missing'}'; send application/json")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise Refusal(413, "too_large", None, f"body is larger than {limit} bytes; send fewer instances at a time")
    return bytes(body)


def _instances(body: bytes, most: int) -> list[dict[str, Any]]:
    try:
        content = json.loads(body)
    except ValueError:
        raise Refusal(400, "json", None, "body is not valid JSON") from None
    if not isinstance(content, dict) or set(content) != {"instances"}:
        raise Refusal(422, "body", "instances", 'body must be {"instances": [...]} and nothing else')
    instances = content["instances"]
    if not isinstance(instances, list) or not 1 <= len(instances) <= most:
        raise Refusal(422, "instances", "instances", f"instances must be a list of 1 to {most} objects")
    return instances


def _refuse_faults(check: Callable[[], object]) -> None:
    try:
        check()
    except RequestError as error:
        field, _, message = str(error).partition(": ")
        raise Refusal(422, "instance", field, f"{field}: {message}") from None


def _add_errors(api: FastAPI) -> None:
    @api.exception_handler(Refusal)
    async def refused(request: Request, error: Refusal) -> JSONResponse:
        return _fault(error.status, error.kind, error.field, error.message)

    @api.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        hint = {404: "no such path; see /docs", 405: f"{request.method} is not allowed here; see /docs"}
        return _fault(error.status_code, "http", None, hint.get(error.status_code, str(error.detail)))

    @api.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> JSONResponse:
        return _fault(500, "internal", None, "the model failed on this request")


def _fault(status: int, kind: str, field: str | None, message: str) -> JSONResponse:
    return JSONResponse({"error": {"type": kind, "field": field, "message": message}}, status)
