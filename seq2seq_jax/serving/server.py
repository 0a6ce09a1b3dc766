"""Running the service: the socket, the models, uvicorn, and an orderly end."""

import asyncio
import errno
import ipaddress
import logging
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from seq2seq_jax.inference.served_model import ServedModel
from seq2seq_jax.serving.app import create_app
from seq2seq_jax.serving.batcher import Batcher
from seq2seq_jax.serving.metrics import Metrics
from seq2seq_jax.serving.service import Served
from seq2seq_jax.serving.settings import ServiceSettings
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.file_errors import reason

_log = logging.getLogger(__name__)


class Address(NamedTuple):
    """Where a service listens.

    Attributes:
      socket: The bound socket.
      url: The address for a browser on this machine.
      is_local: Whether only this machine can reach it.
    """

    socket: socket.socket
    url: str
    is_local: bool


def bind(host: str, port: int) -> Address:
    """Bind a socket, so that a used port is reported before a model is loaded.

    Args:
      host: A name or an address, such as 127.0.0.1, :: or 0.0.0.0.
      port: The port; 0: any free one.

    Returns:
      The address.

    Raises:
      UserError: The address cannot be used.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise UserError("--host", f"{host} is no address of this machine; use 127.0.0.1") from error
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(1024)
    except OSError as error:
        bound.close()
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            what = f"{port} cannot be used ({reason(error)}); use another one, or 0 for a free one"
            raise UserError("--port", what) from error
        raise UserError("--host", f"{host} cannot be used ({reason(error)})") from error
    ip = ipaddress.ip_address(bound.getsockname()[0])
    shown = "127.0.0.1" if ip.is_unspecified else str(ip)
    shown = f"[{shown}]" if ":" in shown else shown
    return Address(bound, f"http://{shown}:{bound.getsockname()[1]}", ip.is_loopback)


def serve(
    models: Mapping[str, ServedModel],
    address: Address,
    settings: ServiceSettings,
    api_key: str | None = None,
    on_server: Callable[[uvicorn.Server], None] = lambda server: None,
) -> None:
    """Serve models until SIGTERM or SIGINT. Requests that were accepted are answered.

    Args:
      models: The models by their names, the default one first.
      address: From `bind`.
      settings: The limits.
      api_key: What clients must send; None: nothing.
      on_server: Receives the server; another thread that sets its `should_exit` ends the service.

    Raises:
      Exception: A model could not be prepared.
    """
    metrics = Metrics()
    server: _Server
    served: dict[str, Served] = {}
    for name, model in models.items():
        batcher = _batcher(name, model, settings, metrics, lambda: server.check(served))
        served[name] = Served(model, batcher)

    @asynccontextmanager
    async def lifespan(app: object) -> AsyncIterator[None]:
        for one in served.values():
            one.batcher.start()
        yield
        for one in served.values():
            await asyncio.to_thread(one.batcher.close, settings.shutdown_timeout)

    config = uvicorn.Config(
        create_app(served, settings, metrics, api_key, lifespan),
        http=_protocol(settings.read_timeout),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=settings.max_connections,
        timeout_graceful_shutdown=settings.shutdown_timeout,
    )
    server = _Server(config, address.url)
    on_server(server)
    _log.info("Serving %s at %s", ", ".join(models), address.url)
    if threading.current_thread() is threading.main_thread():
        # uvicorn raises the signal again after the shutdown; the process is to end with status 0.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
    server.run(sockets=[address.socket])
    for one in served.values():
        if one.batcher.error is not None:
            raise one.batcher.error
    _log.info("Stopped; all accepted requests are answered")


class _Server(uvicorn.Server):
    """A server that says when the models are ready, and ends if one cannot be prepared."""

    def __init__(self, config: uvicorn.Config, url: str) -> None:
        super().__init__(config)
        self._url = url

    def check(self, served: Mapping[str, Served]) -> None:
        batchers = [one.batcher for one in served.values()]
        if any(batcher.error for batcher in batchers):
            self.should_exit = True
        elif all(batcher.ready for batcher in batchers) and not self.should_exit:
            _log.info("Ready: open %s in a browser; press Ctrl-C to stop", self._url)


def _batcher(
    name: str,
    model: ServedModel,
    settings: ServiceSettings,
    metrics: Metrics,
    on_prepared: Callable[[], None],
) -> Batcher:
    batcher = Batcher(
        max_batch=model.batch_size,
        max_wait=settings.max_wait / 1000,
        max_queue=settings.max_queue,
        prepare=lambda: model.warm_up(settings.max_beam_width),
        on_prepared=on_prepared,
        on_batch=lambda size, seconds: metrics.count_batch(name, size, seconds),
        name=f"model {name}",
    )
    metrics.watch_queue(name, lambda: batcher.queue_size)
    return batcher


def _protocol(read_timeout: float) -> Any:
    """Return uvicorn's protocol with a limit on the time that the head of a request may take."""

    class Protocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._last_cycle: object = None
            self._expire_later()

        def _expire_later(self) -> None:
            self._timer = self.loop.call_later(read_timeout, self._expire)

        def _expire(self) -> None:
            """Close a connection on which no request has arrived since the last call."""
            idle = self.cycle is None or self.cycle.response_complete
            if idle and self.cycle is self._last_cycle:
                self.transport.close()
            else:
                self._last_cycle = self.cycle
                self._expire_later()

        def connection_lost(self, exc: Exception | None) -> None:
            self._timer.cancel()
            super().connection_lost(exc)

    return Protocol
