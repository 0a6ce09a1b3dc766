"""Dynamic batching: one thread owns a model and answers waiting requests together."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from seq2seq_jax.utils.errors import UserError

_log = logging.getLogger(__name__)


class QueueFullError(Exception):
    """There is no room for another request."""


class ClosedError(Exception):
    """The service is shutting down."""


class ExpiredError(Exception):
    """The deadline of a request has passed before its turn came."""


@dataclass(frozen=True)
class Work:
    """How the requests of one kind are answered. Requests with equal work share batches.

    Attributes:
      key: Identifies the work.
      run: Answers inputs: a list with one answer for each.
      check: Raises UserError for inputs that `run` must not get.
    """

    key: Hashable
    run: Callable[[Sequence[Any]], list[Any]] = field(compare=False)
    check: Callable[[Sequence[Any]], None] = field(compare=False, default=lambda inputs: None)


@dataclass(eq=False)
class _Job:
    work: Work
    inputs: Sequence[Any]
    deadline: float
    arrived: float
    future: "Future[list[Any]]" = field(default_factory=Future)


class Batcher:
    """A queue of requests and the thread that answers them.

    The oldest request decides which requests form the next batch: those with the same work, in the
    order of their arrival, until the batch is full. It waits for more for at most `max_wait`.

    Attributes:
      ready: Whether the preparation is done.
      error: The exception that ended the preparation.
    """

    def __init__(
        self,
        *,
        max_batch: int,
        max_wait: float = 0.0,
        max_queue: int = 512,
        prepare: Callable[[], Iterator[None]] = lambda: iter(()),
        on_prepared: Callable[[], None] = lambda: None,
        on_batch: Callable[[int, float], None] = lambda size, seconds: None,
        name: str = "model",
    ) -> None:
        """Create a batcher, which takes requests but answers none before `start`.

        Args:
          max_batch: A batch takes no further request when it has this number of inputs.
          max_wait: Seconds for which a request waits for others.
          max_queue: Number of inputs that may wait.
          prepare: Returns the steps of the preparation, which come before the first batch.
          on_prepared: Called in the thread after the preparation, or after it has failed.
          on_batch: Called in the thread with the size of each batch and the seconds that it took.
          name: The name of the thread.
        """
        self._max_batch, self._max_wait, self._max_queue = max_batch, max_wait, max_queue
        self._prepare, self._on_prepared, self._on_batch = prepare, on_prepared, on_batch
        self._jobs: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self.ready = False
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread, which begins with the preparation."""
        self._thread.start()

    @property
    def queue_size(self) -> int:
        """The number of inputs that wait."""
        with self._changed:
            return sum(len(job.inputs) for job in self._jobs)

    def submit(self, work: Work, inputs: Sequence[Any], timeout: float) -> "Future[list[Any]]":
        """Add a request to the queue.

        Args:
          work: How it is answered.
          inputs: Its inputs; at least one.
          timeout: Seconds after which it is dropped if its turn has not come.

        Returns:
          The future answers. Cancelling it removes the request from the queue.

        Raises:
          QueueFullError: There is no room for its inputs. An empty queue takes any request.
          ClosedError: The batcher is being closed.
        """
        now = time.monotonic()
        job = _Job(work, inputs, now + timeout, now)
        with self._changed:
            if self._closed:
                raise ClosedError
            waiting = sum(len(other.inputs) for other in self._jobs)
            if waiting and waiting + len(inputs) > self._max_queue:
                raise QueueFullError
            self._jobs.append(job)
            self._changed.notify()
        return job.future

    def close(self, timeout: float | None = None) -> bool:
        """Answer what waits, and end the thread. A preparation ends after its current step.

        Args:
          timeout: Seconds to wait; None: as long as it takes.

        Returns:
          Whether the thread has ended.
        """
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _work(self) -> None:
        try:
            for _ in self._prepare():
                if self._closed:
                    break
            self.ready = True
        except BaseException as error:
            self.error = error
        self._on_prepared()
        while self.error is None and (batch := self._next_batch()):
            started = time.monotonic()
            self._answer(batch)
            size = sum(len(job.inputs) for job in batch)
            self._on_batch(size, time.monotonic() - started)
        with self._changed:
            self._closed = True
            left, self._jobs = self._jobs, deque()
        for job in left:
            _fail(job, ClosedError())

    def _next_batch(self) -> list[_Job]:
        """Return the requests of the next batch; none if the batcher is closed and all are done."""
        while True:
            with self._changed:
                while not self._jobs and not self._closed:
                    self._changed.wait()
                if not self._jobs:
                    return []
                self._wait_for_more(self._jobs[0])
                batch = self._take(self._jobs[0].work)
            now = time.monotonic()
            live = []
            for job in batch:
                if job.deadline < now:
                    _fail(job, ExpiredError())
                elif job.future.set_running_or_notify_cancel():
                    live.append(job)
            if live:
                return live

    def _wait_for_more(self, first: _Job) -> None:
        end = first.arrived + self._max_wait
        while not self._closed:
            remaining = end - time.monotonic()
            waiting = sum(len(job.inputs) for job in self._jobs if job.work == first.work)
            if remaining <= 0 or waiting >= self._max_batch:
                return
            self._changed.wait(remaining)

    def _take(self, work: Work) -> list[_Job]:
        batch: list[_Job] = []
        others: deque[_Job] = deque()
        size = 0
        while self._jobs:
            job = self._jobs.popleft()
            fits = not batch or size + len(job.inputs) <= self._max_batch
            if job.work == work and fits:
                batch.append(job)
                size += len(job.inputs)
            else:
                others.append(job)
        self._jobs = others
        return batch

    def _answer(self, jobs: list[_Job]) -> None:
        accepted = []
        for job in jobs:
            try:
                job.work.check(job.inputs)
                accepted.append(job)
            except BaseException as error:
                _fail(job, error)
        if not accepted:
            return
        try:
            answers = accepted[0].work.run([one for job in accepted for one in job.inputs])
        except BaseException as error:
            if len(accepted) == 1:
                _fail(accepted[0], error)
            else:  # The fault of one request must not hit the others.
                for job in accepted:
                    self._answer([job])
            return
        start = 0
        for job in accepted:
            job.future.set_result(answers[start : start + len(job.inputs)])
            start += len(job.inputs)


def _fail(job: _Job, error: BaseException) -> None:
    if not isinstance(error, UserError | ClosedError | ExpiredError):
        _log.error("a batch failed: %s", type(error).__name__, extra={"error": error})
    if job.future.running() or job.future.set_running_or_notify_cancel():
        job.future.set_exception(error)
