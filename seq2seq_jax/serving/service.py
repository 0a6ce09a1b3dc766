"""What the endpoints do: requests become work for the models, and limits are checked before."""

import asyncio
import base64
import binascii
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from fastapi import Request

import seq2seq_jax
from seq2seq_jax.inference.served_model import PredictOptions, ServedModel, TextInput
from seq2seq_jax.serving import schemas
from seq2seq_jax.serving.batcher import Batcher, ClosedError, ExpiredError, QueueFullError, Work
from seq2seq_jax.serving.guard import RequestError
from seq2seq_jax.serving.settings import ServiceSettings
from seq2seq_jax.utils.errors import UserError, quantity


@dataclass(frozen=True)
class Served:
    """A model, and the thread that answers requests for it."""

    model: ServedModel
    batcher: Batcher


class Service:
    """The models of a service, and the limits of requests for them."""

    def __init__(self, models: Mapping[str, Served], settings: ServiceSettings) -> None:
        """Initialize a service.

        Args:
          models: The models by their names, the default one first.
          settings: The limits.
        """
        self._models, self._settings = models, settings

    @property
    def is_ready(self) -> bool:
        """Whether all models answer requests."""
        return all(served.batcher.ready for served in self._models.values())

    def describe(self, name: str | None) -> dict[str, Any]:
        """Describe a model and the limits of requests.

        Args:
          name: The name of the model; None: the default one.

        Raises:
          RequestError: There is no such model.
        """
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
        """Answer a request for predictions.

        Args:
          request: The request, whose connection is watched.
          body: Its body.

        Raises:
          RequestError: The request cannot be answered now.
          UserError: An input or an option is wrong.
        """
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
        """Answer a request for scores.

        Args:
          request: The request, whose connection is watched.
          body: Its body.

        Raises:
          RequestError: The request cannot be answered now.
          UserError: An input is wrong.
        """
        name, served = self._find(body.model)
        if len(body.sources) != len(body.targets):
            what = f"must have a target for each source; got {len(body.targets)} for"
            raise UserError("targets", f"{what} {quantity(len(body.sources), 'source')}")
        self._check_texts("targets", body.targets)
        sources = self._text_inputs("sources", body.sources, body.features)
        pairs = list(zip(sources, body.targets, strict=True))
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
            return self._text_inputs(field, given, body.features)
        if body.features is not None:
            raise UserError("features", "this model reads none; leave them out")
        self._check_count(field, given)
        images = []
        for index, text in enumerate(given):
            try:
                images.append(base64.b64decode(text, validate=True))
            except (binascii.Error, ValueError):
                where = f"images[{index}]"
                raise UserError(where, "must be base64; use that of the file") from None
        return images

    def _text_inputs(
        self, name: str, texts: Sequence[str], features: Sequence[str] | None
    ) -> list[TextInput]:
        self._check_texts(name, texts)
        if features is None:
            return list(map(TextInput, texts))
        if len(features) != len(texts):
            what = f"must have one text for each of {name}; got {len(features)} for"
            raise UserError("features", f"{what} {quantity(len(texts), 'text')}")
        self._check_texts("features", features)
        return list(map(TextInput, texts, features))

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
            about["texts"] = [
                one.text if isinstance(one, TextInput) else [one[0].text, one[1]] for one in inputs
            ]
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
