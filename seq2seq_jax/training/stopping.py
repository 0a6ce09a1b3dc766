"""When to evaluate and save, and when to stop: periodic actions, patience and preemption."""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class Every:
    """A periodic action: due every n steps or, if n is 0, every n seconds.

    Example:
      >>> every = Every(steps=10)
      >>> [step for step in range(1, 31) if every.is_due(step)]
      [10, 20, 30]
    """

    def __init__(self, steps: int = 0, seconds: float = 0) -> None:
        """Set the period; the action is never due if both are 0.

        Args:
          steps: Due at the steps that this divides.
          seconds: Due at this time after the last `reset`, and at once if there was none.
        """
        self._steps, self._seconds = steps, seconds
        self._last = -math.inf

    def is_due(self, step: int) -> bool:
        """Return whether the action is due.

        Args:
          step: Number of steps done.
        """
        if self._steps:
            return step % self._steps == 0
        return bool(self._seconds) and time.monotonic() - self._last >= self._seconds

    def reset(self) -> None:
        """Count the seconds from now on."""
        self._last = time.monotonic()


class Patience:
    """Counts evaluations in a row in which a metric has not improved."""

    def __init__(self, metric: str, patience: int, lower_is_better: bool) -> None:
        """Start counting.

        Args:
          metric: Name of the metric among the results.
          patience: Number of evaluations without an improvement; 0: no limit.
          lower_is_better: Whether lower values of the metric are better.
        """
        self._metric, self._patience = metric, patience
        self._sign = -1 if lower_is_better else 1
        self._best: float | None = None  # times the sign
        self._count = 0

    def is_exhausted_by(self, results: Mapping[str, float]) -> bool:
        """Count an evaluation and return whether the patience is exhausted.

        Counting then starts again.

        Args:
          results: Results on the dev set by name.
        """
        if not self._patience:
            return False
        value = self._sign * results[self._metric]
        if self._best is None or value > self._best:
            self._best, self._count = value, 0
        else:
            self._count += 1
        if self._count < self._patience:
            return False
        self._count = 0
        return True

    @property
    def reason(self) -> str:
        """What happened when the patience is exhausted, for the log."""
        count = f"{self._patience} evaluation{'s' * (self._patience > 1)}"
        return f"{self._metric} has not improved in {count}"

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, as JSON can hold it."""
        return {"best": self._best, "count": self._count}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue counting where a checkpoint was saved.

        Args:
          state: What `state` returned.
        """
        self._best, self._count = state["best"], state["count"]


@contextmanager
def catch_preemption_signals() -> Iterator[Callable[[], bool]]:
    """Record SIGTERM and SIGINT instead of terminating; the training loop polls the flag.

    A second signal has its usual effect. Only the main thread can catch signals; in another thread
    nothing changes.

    Yields:
      A function that returns whether a signal was received.
    """
    received = threading.Event()
    previous: dict[int, Any] = {}

    def record(number: int, frame: object) -> None:
        received.set()
        for caught, handler in previous.items():
            signal.signal(caught, handler)

    if threading.current_thread() is threading.main_thread():
        for caught in (signal.SIGTERM, signal.SIGINT):
            previous[caught] = signal.signal(caught, record)
    try:
        yield received.is_set
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
