"""Stopping in good order."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def catch_preemption_signals() -> Iterator[Callable[[], bool]]:
    """SIGTERM and SIGINT are remembered instead of obeyed; yields whether one has come.

    A second one does what it always does. Only the main thread can catch signals; in another thread
    nothing is changed.
    """
    came = threading.Event()
    previous: dict[int, Any] = {}

    def remember(number: int, frame: object) -> None:
        came.set()
        for caught, handler in previous.items():
            signal.signal(caught, handler)

    if threading.current_thread() is threading.main_thread():
        for caught in (signal.SIGTERM, signal.SIGINT):
            previous[caught] = signal.signal(caught, remember)
    try:
        yield came.is_set
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
