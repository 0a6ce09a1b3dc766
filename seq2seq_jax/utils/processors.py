"""The processors that this process may use. Only Linux can restrict a process to some of them."""

import os
from collections.abc import Collection


def available_processors() -> list[int]:
    """Return the numbers of the processors that this process may use, in ascending order.

    Example:
      >>> len(available_processors()) >= 1
      True
    """
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def restrict_processors(numbers: Collection[int]) -> None:
    """Restrict this process to some processors, where the operating system can do so.

    Args:
      numbers: The numbers of the processors.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, numbers)
