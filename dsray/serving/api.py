"""The HTTP application of one artefact."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException

from dsray.base import RequestError
from dsray.base.sealed import read_json
from dsray.serving.body import Refusal, read_body, read_instances
from dsray.serving.config import ServeConfig
from dsray.serving.docs import docs_page
from dsray.serving.messages import (
    Error,
    Health,
    Model,
    UnroutedModel,
    answers_of,
    example_request,
    request_schema,
)
from dsray.serving.predictor import Predictor, split

if TYPE_CHECKING:
    from dsray.base.protocols import Columns

Answering = Callable[[Sequence["Columns"]], Awaitable[list[dict[str, Any]]]]
"""Columns of one row each -> one answer each, in order: `Predictor.answer_rows`, batched or remote."""

_SAID = {404: "no such path; /docs lists them", 405: "{method} is not allowed here; /docs lists what is"}


def build_api(predictor: Predictor, config: ServeConfig, answer: Answering, record: Path | None = None) -> FastAPI:
    """The application.

    A request is checked whole before any of it is given to `answer`, so a bad request never meets a good one.
    record: run folder whose report.html is shown at `/` (/docs where there is none), and whose example.json is the
    example of the documentation (one that each input's kind gives where there is none).
    """
    artefact = predictor.artefact
    about = f"Model {artefact.version}: {' and '.join(artefact.schema.names)} in, {artefact.schema.target.asked()} out."
    api = FastAPI(title="dsray", version=artefact.version, description=about, docs_url=None, redoc_url=None)
    _add_predict(api, predictor, config, answer, _example(record, predictor))
    _add_pages(api, predictor, record / "report.html" if record else None)
    _add_errors(api)
    return api


def _example(record: Path | None, predictor: Predictor) -> dict[str, Any]:
    try:
        found = read_json(record, "example.json") if record else None
    except RequestError:  # the documentation shows another one then, and answers are not made from it
        found = None
    return found if isinstance(found, dict) else example_request(predictor.artefact.schema)


def _add_predict(
    api: FastAPI, predictor: Predictor, config: ServeConfig, answer: Answering, example: dict[str, Any]
) -> None:
    schema, limit = predictor.artefact.schema, config.body_limit_kb * 1024
    content = {"schema": request_schema(schema, config.max_instances), "example": example}
    refusals: dict[int | str, dict[str, Any]] = {
        400: {"model": Error, "description": "the body is not a JSON object"},
        413: {"model": Error, "description": f"the body is larger than {limit} bytes"},
        415: {"model": Error, "description": "the content type is not application/json"},
        422: {"model": Error, "description": "an instance is not what the model takes; nothing was answered"},
    }

    @api.post(
        "/v1/predict",
        summary="Answer one or many instances",
        response_model=answers_of(schema.target, routed=predictor.artefact.blocks is not None),
        response_description="one answer for each instance, in order",
        responses=refusals,
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": content}}},
    )
    async def predict(request: Request) -> JSONResponse:
        """Answer one or many instances; each answer depends on its own instance alone."""
        instances = read_instances(await read_body(request, limit), config.max_instances)
        try:
            columns = predictor.check(instances)
        except RequestError as error:
            raise Refusal(422, "instance", str(error).partition(": ")[0], str(error)) from None
        return JSONResponse({"predictions": await answer(split(columns))})


def _add_pages(api: FastAPI, predictor: Predictor, report: Path | None) -> None:
    artefact = predictor.artefact
    routed = artefact.blocks is not None

    @api.get("/v1/model", summary="What the model is", response_model=Model if routed else UnroutedModel)
    async def model() -> JSONResponse:
        """Version, what is asked for, inputs, compute budget and figures of the model."""
        schema, manifest = artefact.schema, artefact.manifest
        refusal = schema.target.working_point
        inputs = {name: spec.about() for name, spec in schema.inputs.items()}
        return JSONResponse(
            {
                "version": artefact.version,
                **schema.target.about(),
                "inputs": inputs,
                **({name: manifest[name] for name in ("threshold", "compute")} if routed else {}),
                "metrics": manifest["metrics"],
                **({} if refusal is None else {"refusal": refusal.model_dump(mode="json")}),
            }
        )

    @api.get("/healthz", summary="Whether the model answers", response_model=Health)
    async def healthz() -> JSONResponse:
        """Says ok once the model is loaded."""
        return JSONResponse({"status": "ok", "model": artefact.version})

    @api.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(docs_page(api.openapi()))

    @api.get("/", include_in_schema=False)
    async def home() -> Response:
        return FileResponse(report) if report is not None and report.is_file() else await docs()


def _add_errors(api: FastAPI) -> None:
    @api.exception_handler(Refusal)
    async def refused(request: Request, error: Refusal) -> JSONResponse:
        return _fault(error.status, error.kind, error.field, error.message)

    @api.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        kind = {404: "not_found", 405: "method"}.get(error.status_code, "http")
        message = _SAID.get(error.status_code, str(error.detail)).format(method=request.method)
        return _fault(error.status_code, kind, None, message)

    @api.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> JSONResponse:
        return _fault(500, "internal", None, "the model failed on this request")


def _fault(status: int, kind: str, field: str | None, message: str) -> JSONResponse:
    return JSONResponse({"error": {"type": kind, "field": field, "message": message}}, status)
