"""Results of a function that threads compute ahead of the consumer."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def prefetch(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    num_threads: int = 0,
    buffer_size: int | None = None,
) -> Iterator[Result]:
    """Apply a function to items in threads, ahead of the consumer, and keep their order.

    The threads start with the first result that is requested, and stop when the iterator is closed
    or garbage-collected. An exception is raised where its result would have been.

    Args:
      function: Called in a thread for each item.
      items: May be endless; only the thread of the caller reads them.
      num_threads: 0: as many as there are processors.
      buffer_size: Largest number of results that wait or are in progress; None: one more than
        there are threads.

    Yields:
      The results in the order of the items.

    Example:
      >>> list(prefetch(str.upper, ["a", "b", "c"], num_threads=2))
      ['A', 'B', 'C']
    """
    num_threads = num_threads or os.cpu_count() or 1
    buffer_size = num_threads + 1 if buffer_size is None else buffer_size
    pool = ThreadPoolExecutor(num_threads)
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > buffer_size:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
