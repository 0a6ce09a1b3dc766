"""Metrics in the format of Prometheus. No label holds a text of a user."""

import math
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

CONTENT_TYPE = CONTENT_TYPE_LATEST

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """The metrics of one service."""

    def __init__(self) -> None:
        """Register all metrics."""
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "seq2seq_requests", "Answered requests.", ("path", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "seq2seq_request_duration_seconds",
            "From the arrival of a request to its answer.",
            ("path",),
            buckets=(*_SECONDS, math.inf),
            registry=self._registry,
        )
        self._inputs = Counter(
            "seq2seq_inputs", "Inputs that models answered.", ("model",), registry=self._registry
        )
        self._batch_sizes = Histogram(
            "seq2seq_batch_size",
            "Inputs in a batch.",
            ("model",),
            buckets=(*_SIZES, math.inf),
            registry=self._registry,
        )
        self._batch_seconds = Histogram(
            "seq2seq_batch_duration_seconds",
            "The time that a batch takes.",
            ("model",),
            buckets=(*_SECONDS, math.inf),
            registry=self._registry,
        )
        self._queue = Gauge(
            "seq2seq_queue_size", "Inputs that wait.", ("model",), registry=self._registry
        )

    def watch_queue(self, model: str, size: Callable[[], int]) -> None:
        """Report the size of a queue.

        Args:
          model: The name of its model.
          size: Returns the size.
        """
        self._queue.labels(model).set_function(size)

    def count_batch(self, model: str, size: int, seconds: float) -> None:
        """Count a batch.

        Args:
          model: The name of the model.
          size: The number of inputs.
          seconds: The time that it took.
        """
        self._inputs.labels(model).inc(size)
        self._batch_sizes.labels(model).observe(size)
        self._batch_seconds.labels(model).observe(seconds)

    def count_request(self, path: str, status: int, seconds: float) -> None:
        """Count a request.

        Args:
          path: The path of the endpoint, not that of the request.
          status: The status of the answer.
          seconds: The time that it took.
        """
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def text(self) -> bytes:
        """Return all metrics in the text format."""
        return generate_latest(self._registry)
