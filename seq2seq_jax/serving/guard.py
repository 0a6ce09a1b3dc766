"""What surrounds every request: the API key, limits, headers, metrics and one line in the log."""

import asyncio
import hmac
import json
import logging
import time
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.exceptions import HTTPException

from seq2seq_jax.reports.predict_page import SERVER_POLICY
from seq2seq_jax.serving.metrics import Metrics
from seq2seq_jax.serving.settings import ServiceSettings

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

PUBLIC = ("/", "/page.css", "/page.js", "/health")
"""The paths that need no API key: the page asks for one."""

MAX_DRAINED = 64_000_000
"""A body that is too large is read up to this size, so that the client receives the answer."""

_log = logging.getLogger(__name__)
_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", SERVER_POLICY.encode()),
]


class RequestError(HTTPException):
    """A request that is refused, with a status and one sentence for the client."""

    def __init__(self, status: int, sentence: str, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        super().__init__(status, sentence, named)


def internal_error() -> RequestError:
    """Return the error for an exception that nobody expected."""
    return RequestError(500, "The service failed to answer this request; its log says more.")


class Guard:
    """An ASGI application around another one."""

    def __init__(
        self, app: App, settings: ServiceSettings, metrics: Metrics, api_key: str | None
    ) -> None:
        """Wrap an application.

        Args:
          app: The application.
          settings: The limits.
          metrics: Counts the requests.
          api_key: What clients must send as `Authorization: Bearer KEY`; None: nothing.
        """
        self._app, self._settings, self._metrics = app, settings, metrics
        self._api_key = api_key

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve a request, or pass on an event of another kind."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.monotonic(), 0  # 0: there is no answer yet.
        about: dict[str, object] = {}
        scope.setdefault("state", {})["about"] = about

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            await send(message)

        try:
            self._check_key(scope)
            body = _Body(scope, receive, self._settings)
            await self._app(scope, body.receive, watch)
        except RequestError as error:
            await _answer(watch, error)
        except Exception as error:
            where = "".join(traceback.format_tb(error.__traceback__)[-3:])
            _log.error("internal error: %s\n%s", type(error).__name__, where)
            if not status:
                await _answer(watch, internal_error())
        finally:
            self._finish(scope, status, time.monotonic() - started, about)

    def _check_key(self, scope: Message) -> None:
        if self._api_key is None or scope["path"] in PUBLIC:
            return
        given = dict(scope["headers"]).get(b"authorization", b"")
        if not hmac.compare_digest(given, f"Bearer {self._api_key}".encode()):
            what = "This service needs its API key; send the header Authorization: Bearer KEY."
            raise RequestError(401, what, www_authenticate="Bearer")

    def _finish(
        self, scope: Message, status: int, seconds: float, about: dict[str, object]
    ) -> None:
        route = scope.get("route")
        path = getattr(route, "path", "other")  # A path of no endpoint may be anything.
        self._metrics.count_request(path, status, seconds)
        fields = {
            "method": scope["method"] if path != "other" else "",
            "path": path,
            "status": status,
            "seconds": round(seconds, 4),
            **about,
        }
        _log.info("request", extra={"fields": fields})


class _Body:
    """The body of a request, with its limits. It is read by the application, if that wants it."""

    def __init__(self, scope: Message, receive: Receive, settings: ServiceSettings) -> None:
        self._receive, self._settings = receive, settings
        self._size, self._complete = 0, False
        self._end = time.monotonic() + settings.read_timeout
        length = dict(scope["headers"]).get(b"content-length", b"0")
        self._announced = int(length) if length.isdigit() and len(length) < 20 else 0

    async def receive(self) -> Message:
        if self._complete:
            return await self._receive()  # Waits until the client is gone.
        if self._announced > self._settings.max_body:
            await self._refuse()
        message = await self._next()
        self._size += len(message.get("body", b""))
        if self._size > self._settings.max_body:
            await self._refuse()
        return message

    async def _next(self) -> Message:
        try:
            async with asyncio.timeout(max(0.0, self._end - time.monotonic())):
                message = await self._receive()
        except TimeoutError:
            seconds = f"{self._settings.read_timeout:g} seconds"
            what = f"The request did not arrive within {seconds}; send it faster."
            raise RequestError(408, what, connection="close") from None
        self._complete = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def _refuse(self) -> None:
        while not self._complete and max(self._size, self._announced) <= MAX_DRAINED:
            self._size += len((await self._next()).get("body", b""))
        what = f"The body has more than {self._settings.max_body:,} bytes; send a smaller one."
        raise RequestError(413, what, connection="close")


async def _answer(send: Send, error: RequestError) -> None:
    body = json.dumps({"error": error.detail}).encode()
    headers = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        **(error.headers or {}),
    }
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": error.status_code, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
