"""The compiled functions of a predictor."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from seq2seq_jax.utils.logging import slow_work

_T = TypeVar("_T")


MAX_FUNCTIONS = 64
"""The number of functions that are kept; each holds a program for every shape."""


class CompiledFunctions:
    """Makes each function once, whichever thread comes first, and announces slow compilations.

    The functions that were used least recently are dropped when there are too many.
    """

    def __init__(self) -> None:
        """Start without functions."""
        self._functions: dict[object, Any] = {}
        self._announced: set[tuple[str, int, int]] = set()
        self._lock = threading.Lock()

    def get(self, key: object, make: Callable[[], _T]) -> _T:
        """Return the function of a key.

        Args:
          key: What the function depends on.
          make: Makes it, if it is not made yet.
        """
        with self._lock:
            if key not in self._functions:
                self._functions[key] = make()
            function: _T = self._functions.pop(key)
            self._functions[key] = function  # The dictionary is ordered by the last use.
            if len(self._functions) > MAX_FUNCTIONS:
                del self._functions[next(iter(self._functions))]
            return function

    def announce(self, what: str, rows: int, width: int) -> AbstractContextManager[None]:
        """Return a context that logs the compilation of a shape, the first time, if it is slow.

        Args:
          what: What is computed, as in "the search".
          rows: Number of rows.
          width: Number of source tokens.
        """
        shape = (what, rows, width)
        if shape in self._announced:
            return nullcontext()
        self._announced.add(shape)
        return slow_work(f"Compiling {what} for {rows} x {width} source tokens")
