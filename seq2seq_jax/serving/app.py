"""The application: its endpoints, and how the errors of requests are said."""

import asyncio
import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

import seq2seq_jax
from seq2seq_jax.inference.served_model import PredictOptions, ServedModel
from seq2seq_jax.reports.predict_page import server_page
from seq2seq_jax.serving import schemas
from seq2seq_jax.serving.batcher import Batcher, ClosedError, ExpiredError, QueueFullError, Work
from seq2seq_jax.serving.guard import Guard, RequestError, internal_error
from seq2seq_jax.serving.metrics import CONTENT_TYPE, Metrics
from seq2seq_jax.serving.settings import ServiceSettings
from seq2seq_jax.utils.errors import UserError, quantity

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


@dataclass(frozen=True)
class Served:
    """A model, and the thread that answers requests for it."""

    model: ServedModel
    batcher: Batcher


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
    _add_endpoints(app, _Service(models, settings))
    _add_page(app, next(iter(models)))

    @app.get("/metrics", include_in_schema=False)
    async def get_metrics() -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    return Guard(app, settings, metrics, api_key)


class _Service:
    """What the endpoints do."""

    def __init__(self, models: Mapping[str, Served], settings: ServiceSettings) -> None:
        self._models, self._settings = models, settings

    @property
    def is_ready(self) -> bool:
        return all(served.batcher.ready for served in self._models.values())

    def describe(self, name: str | None) -> dict[str, Any]:
        name, served = self._find(name)
        settings = self._settings
        about = served.model.describe()
        configured = about["search"]["beam_width"]
        widest = settings.max_beam_width if "beam_width" in settings.allowed_options else configured
        best = settings.max_beam_width if "n_best" in settings.allowed_options else 1
        return {
            "name": name,
            "models": list(self._models),
            **about,
            "limits": {
                "inputs": settings.max_inputs,
                "chars": settings.max_chars,
                "body_bytes": settings.max_body,
                "beam_width": widest,
                "n_best": best,
                "options": settings.allowed_options,
            },
            "version": seq2seq_jax.__version__,
        }

    async def predict(self, request: Request, body: schemas.PredictRequest) -> dict[str, Any]:
        name, served = self._find(body.model)
        inputs = self._inputs(served.model.input, body)
        options = PredictOptions(
            self._search(body.options), body.attention, body.beam, body.truncate
        )
        work = Work(
            options,
            lambda batch: served.model.predict(batch, options),
            lambda batch: served.model.check(batch, options),
        )
        answers = await self._answer(request, name, served, work, inputs)
        return {"model": name, "answers": answers}

    async def score(self, request: Request, body: schemas.ScoreRequest) -> dict[str, Any]:
        name, served = self._find(body.model)
        if len(body.sources) != len(body.targets):
            what = f"must have a target for each source; got {len(body.targets)} for"
            raise UserError("targets", f"{what} {quantity(len(body.sources), 'source')}")
        self._check_texts("sources", body.sources)
        self._check_texts("targets", body.targets)
        pairs = list(zip(body.sources, body.targets, strict=True))
        work = Work(
            ("score", body.attention), lambda batch: served.model.score(batch, body.attention)
        )
        scores = await self._answer(request, name, served, work, pairs)
        return {"model": name, "scores": scores}

    def _find(self, name: str | None) -> tuple[str, Served]:
        if name is None:
            return next(iter(self._models.items()))
        if name not in self._models:
            raise RequestError(404, f"There is no such model; use one of {', '.join(self._models)}")
        return name, self._models[name]

    def _inputs(self, kind: str, body: schemas.PredictRequest) -> Sequence[Any]:
        field, given, other = "texts", body.texts, body.images
        if kind == "image":
            field, given, other = "images", body.images, body.texts
        if given is None or other is not None:
            raise UserError("body", f"this model reads {field}; use {field}, and no other inputs")
        if kind == "text":
            self._check_texts(field, given)
            return given
        self._check_count(field, given)
        images = []
        for index, text in enumerate(given):
            try:
                images.append(base64.b64decode(text, validate=True))
            except (binascii.Error, ValueError):
                where = f"images[{index}]"
                raise UserError(where, "must be base64; use that of the file") from None
        return images

    def _check_count(self, name: str, items: Sequence[str]) -> None:
        most = self._settings.max_inputs
        if len(items) > most:
            what = f"must have at most {most} items; got {len(items)}; use several requests"
            raise UserError(name, what)

    def _check_texts(self, name: str, texts: Sequence[str]) -> None:
        self._check_count(name, texts)
        most = self._settings.max_chars
        for index, text in enumerate(texts):
            if len(text) > most:
                what = f"has {len(text):,} characters; at most {most:,} are allowed"
                raise UserError(f"{name}[{index}]", f"{what}; use a shorter text")
            if not _is_unicode(text):
                what = "has half of a surrogate pair; use a text that UTF-8 can encode"
                raise UserError(f"{name}[{index}]", what)

    def _search(self, options: schemas.SearchOptions) -> tuple[tuple[str, object], ...]:
        settings, search = self._settings, options.model_dump(exclude_none=True)
        for name in search:
            if name not in settings.allowed_options:
                allowed = ", ".join(settings.allowed_options) or "none"
                what = f"this service does not allow this option; it allows {allowed}"
                raise UserError(f"options.{name}", what)
        for name in ("beam_width", "n_best"):
            if search.get(name, 1) > settings.max_beam_width:
                what = f"must be at most {settings.max_beam_width}; got {search[name]}"
                raise UserError(f"options.{name}", what)
        return tuple(sorted(search.items()))

    async def _answer(
        self, request: Request, name: str, served: Served, work: Work, inputs: Sequence[Any]
    ) -> list[Any]:
        about = request.scope["state"]["about"]
        about |= {"model": name, "inputs": len(inputs)}
        if self._settings.log_texts and served.model.input == "text":
            about["texts"] = list(inputs)
        if not served.batcher.ready:
            what = "The service is starting; GET /health says when it is ready."
            raise RequestError(503, what, retry_after="2")
        try:
            future = served.batcher.submit(work, inputs, self._settings.timeout)
            return await self._wait(request, future)
        except QueueFullError:
            what = "Too many requests wait for this model; try again later."
            raise RequestError(429, what, retry_after="1") from None
        except ClosedError:
            what = "The service is shutting down; try again later."
            raise RequestError(503, what, retry_after="5", connection="close") from None
        except (TimeoutError, ExpiredError):
            seconds = f"{self._settings.timeout:g} seconds"
            what = f"The model did not answer within {seconds}; try again later or with fewer texts"
            raise RequestError(503, what, retry_after="5") from None

    async def _wait(self, request: Request, future: "Future[list[Any]]") -> list[Any]:
        """Wait for the answers, but no longer than the client does."""
        answers = asyncio.wrap_future(future)
        gone = asyncio.ensure_future(_wait_for_disconnection(request))
        try:
            both = (answers, gone)
            timeout = self._settings.timeout
            await asyncio.wait(both, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if answers.done():
                return answers.result()
            if gone.done():
                raise RequestError(499, "The client has closed the connection.")
            raise TimeoutError
        finally:
            gone.cancel()
            answers.cancel()


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


async def _wait_for_disconnection(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _add_endpoints(app: FastAPI, service: _Service) -> None:
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
