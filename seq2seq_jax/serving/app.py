"""The application: its endpoints, and how the errors of requests are said."""

import json
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

import seq2seq_jax
from seq2seq_jax.reports.predict_page import server_page
from seq2seq_jax.serving import schemas
from seq2seq_jax.serving.guard import Guard, RequestError, internal_error
from seq2seq_jax.serving.metrics import CONTENT_TYPE, Metrics
from seq2seq_jax.serving.service import Served, Service
from seq2seq_jax.serving.settings import ServiceSettings
from seq2seq_jax.utils.errors import UserError

_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": schemas.Error, "description": description}
    for status, description in {
        400: "The body is not JSON.",
        401: "The API key is missing or wrong.",
        404: "There is no such model.",
        408: "The request arrived too slowly.",
        413: "The body is too large.",
        422: "An input or an option is wrong.",
        429: "Too many requests wait; try again later.",
        503: "The service is starting, shutting down, or too slow for this request.",
    }.items()
}


def create_app(
    models: Mapping[str, Served],
    settings: ServiceSettings,
    metrics: Metrics,
    api_key: str | None = None,
    lifespan: Any = None,
) -> Guard:
    """Create the ASGI application.

    Args:
      models: The models by their names, the default one first.
      settings: The limits.
      metrics: The metrics of the service.
      api_key: What clients must send; None: nothing.
      lifespan: What happens at the start and at the end, as FastAPI takes it.

    Returns:
      The application.
    """
    app = FastAPI(
        title="seq2seq-jax",
        version=seq2seq_jax.__version__,
        docs_url=None,  # These two pages load their scripts from another server.
        redoc_url=None,
        lifespan=lifespan,
        exception_handlers={
            HTTPException: _say_http_error,
            RequestValidationError: _say_validation_error,
            UserError: _say_user_error,
            Exception: _say_internal_error,
        },
    )
    _add_endpoints(app, Service(models, settings))
    _add_page(app, next(iter(models)))

    @app.get("/metrics", include_in_schema=False)
    async def get_metrics() -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    return Guard(app, settings, metrics, api_key)


def _add_endpoints(app: FastAPI, service: Service) -> None:
    @app.post("/v1/predict", responses={200: {"model": schemas.PredictResponse}, **_ERRORS})
    async def predict(request: Request, body: schemas.PredictRequest) -> Response:
        """Predict the outputs for texts or images."""
        return _json(await service.predict(request, body))

    @app.post("/v1/score", responses={200: {"model": schemas.ScoreResponse}, **_ERRORS})
    async def score(request: Request, body: schemas.ScoreRequest) -> Response:
        """Compute the log-probability of each target given its source."""
        return _json(await service.score(request, body))

    described: dict[int | str, dict[str, Any]] = {s: _ERRORS[s] for s in (401, 404, 422)}

    @app.get("/v1/model", responses=described)
    async def model(name: str | None = None) -> Response:
        """Describe a model: its search, what it reads, and the limits of requests."""
        return _json(service.describe(name))

    answers: dict[int | str, dict[str, Any]] = {
        status: {"model": schemas.Health} for status in (200, 503)
    }

    @app.get("/health", responses=answers)
    async def health(request: Request) -> Response:
        """Say whether requests are answered; status 503 while programs are compiled."""
        status = "ok" if service.is_ready else "starting"
        return _json({"status": status}, 200 if service.is_ready else 503)


def _add_page(app: FastAPI, title: str) -> None:
    def add(path: str, media_type: str, text: str) -> None:
        @app.get(f"/{path}", include_in_schema=False)
        async def file() -> Response:
            return Response(text, media_type=media_type)

    for path, (media_type, text) in server_page(title).items():
        add(path, media_type, text)


def _json(values: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    text = json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # A lone surrogate (half of a character) cannot be encoded.
    content = text.encode("utf-8", errors="replace")
    return Response(content, status, dict(headers or {}), media_type="application/json")


async def _say_http_error(request: Request, error: Any) -> Response:
    sentence = {
        404: "There is no such path; GET /openapi.json describes those that there are.",
        405: "This path does not have this method; GET /openapi.json describes those it has.",
    }.get(error.status_code, str(error.detail))
    if isinstance(error, RequestError):
        sentence = error.detail
    return _json({"error": sentence}, error.status_code, error.headers)


async def _say_validation_error(request: Request, error: Any) -> Response:
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return _json({"error": "The body is not valid JSON; send a JSON object."}, 400)
    if first["loc"] == ("body",):
        what = "The body must be a JSON object; send one with Content-Type: application/json."
        return _json({"error": what}, 422)
    where = ""
    for part in first["loc"][1:]:
        where += f"[{part}]" if isinstance(part, int) else f".{part}" * bool(where) or str(part)
    what = first["msg"][:1].lower() + first["msg"][1:]
    return _json({"error": str(UserError(where or "body", what))}, 422)


async def _say_user_error(request: Request, error: Any) -> Response:
    return _json({"error": str(error)}, 422)


async def _say_internal_error(request: Request, error: Exception) -> Response:
    return _json({"error": internal_error().detail}, 500)
