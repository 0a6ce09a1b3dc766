"""Work done ahead of its use, in threads, in order."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def look_ahead(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int = 0,
    ahead: int | None = None,
) -> Iterator[Result]:
    """The results of the items, in their order, whichever thread is ready first.

    Work begins with the first result asked for, and ends when the iterator is closed or forgotten.
    An exception comes out where its result would have.

    Args:
      items: may be endless; read by the caller's thread alone.
      workers: threads; 0: as many as there are processors.
      ahead: so many results at most wait or are in work; if it is not given, one more than there
        are threads.
    """
    workers = workers or os.cpu_count() or 1
    ahead = workers + 1 if ahead is None else ahead
    pool = ThreadPoolExecutor(workers)
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
