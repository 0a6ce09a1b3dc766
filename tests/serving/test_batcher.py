"""Dynamic batching, with functions instead of models."""

import threading
import time

import pytest

from seq2seq_jax.serving.batcher import (
    Batcher,
    ClosedError,
    ExpiredError,
    QueueFullError,
    Work,
)
from seq2seq_jax.utils.errors import UserError


class Gate:
    """Work that waits until it is opened, and remembers its batches."""

    def __init__(self):
        self.batches, self.open = [], threading.Event()

    def run(self, inputs):
        self.open.wait(10)
        self.batches.append(list(inputs))
        return [10 * one for one in inputs]


@pytest.fixture
def gate():
    return Gate()


def started(**keywords):
    batcher = Batcher(**{"max_batch": 4, **keywords})
    batcher.start()
    return batcher


def test_requests_that_wait_share_a_batch_and_each_gets_its_own_answers(gate):
    batcher, work = started(), Work("a", gate.run)
    first = batcher.submit(work, [1], 10)
    while batcher.queue_size:
        time.sleep(0.001)
    others = [batcher.submit(work, inputs, 10) for inputs in ([2], [3, 4], [5], [6, 7])]
    gate.open.set()
    assert first.result(5) == [10]
    assert [future.result(5) for future in others] == [[20], [30, 40], [50], [60, 70]]
    assert gate.batches == [[1], [2, 3, 4, 5], [6, 7]]
    assert batcher.close(5)


def test_requests_with_other_options_have_their_own_batch(gate):
    batcher = started()
    first = batcher.submit(Work("a", gate.run), [0], 10)
    while batcher.queue_size:
        time.sleep(0.001)
    futures = [batcher.submit(Work(key, gate.run), [n], 10) for n, key in enumerate("abab")]
    gate.open.set()
    first.result(5)
    assert [future.result(5) for future in futures] == [[0], [10], [20], [30]]
    assert gate.batches == [[0], [0, 2], [1, 3]]
    batcher.close(5)


def test_a_request_waits_for_others_only_so_long_and_only_until_the_batch_is_full(gate):
    gate.open.set()
    batcher, work = started(max_wait=0.3), Work("a", gate.run)
    start = time.monotonic()
    assert batcher.submit(work, [1], 10).result(5) == [10]
    assert 0.25 < time.monotonic() - start < 2
    start = time.monotonic()
    futures = [batcher.submit(work, [n], 10) for n in range(4)]
    assert [future.result(5) for future in futures] == [[0], [10], [20], [30]]
    assert time.monotonic() - start < 0.25
    assert gate.batches[1:] == [[0, 1, 2, 3]]
    batcher.close(5)


def test_a_full_queue_refuses_but_an_empty_one_takes_any_request(gate):
    batcher, work = started(max_queue=3), Work("a", gate.run)
    running = batcher.submit(work, [1], 10)
    while batcher.queue_size:
        time.sleep(0.001)
    large = batcher.submit(work, [1, 2, 3, 4, 5], 10)
    with pytest.raises(QueueFullError):
        batcher.submit(work, [1], 10)
    gate.open.set()
    assert running.result(5) == [10]
    assert large.result(5) == [10, 20, 30, 40, 50]
    batcher.close(5)


def test_what_is_cancelled_or_too_late_is_not_computed(gate):
    batcher, work = started(), Work("a", gate.run)
    running = batcher.submit(work, [1], 10)
    while batcher.queue_size:
        time.sleep(0.001)
    cancelled, late = batcher.submit(work, [2], 10), batcher.submit(work, [3], 0.01)
    kept = batcher.submit(work, [4], 10)
    assert cancelled.cancel()
    time.sleep(0.05)
    gate.open.set()
    assert (running.result(5), kept.result(5)) == ([10], [40])
    with pytest.raises(ExpiredError):
        late.result(5)
    assert gate.batches == [[1], [4]]
    batcher.close(5)


def test_the_fault_of_one_request_does_not_hit_the_others_of_its_batch():
    def run(inputs):
        if 13 in inputs:
            raise RuntimeError("13")
        return inputs

    def check(inputs):
        if 0 in inputs:
            raise UserError("texts[0]", "is zero; use another number")

    batcher = started(max_wait=0.2)
    work = Work("a", run, check)
    futures = [batcher.submit(work, [n], 10) for n in (1, 13, 0, 2)]
    assert (futures[0].result(5), futures[3].result(5)) == ([1], [2])
    with pytest.raises(RuntimeError, match="13"):
        futures[1].result(5)
    with pytest.raises(UserError, match="zero"):
        futures[2].result(5)
    assert batcher.submit(work, [3], 10).result(5) == [3]
    batcher.close(5)


def test_closing_answers_what_waits_and_refuses_what_comes_later(gate):
    batcher, work = started(max_wait=20), Work("a", gate.run)
    futures = [batcher.submit(work, [n], 30) for n in range(3)]
    gate.open.set()
    assert batcher.close(5)
    assert [future.result(0) for future in futures] == [[0], [10], [20]]
    with pytest.raises(ClosedError):
        batcher.submit(work, [1], 10)


def test_the_preparation_comes_first_and_its_failure_refuses_all_requests():
    steps, prepared = [], threading.Event()

    def prepare():
        steps.append(1)
        yield
        raise UserError("model", "is broken")

    batcher = Batcher(max_batch=1, prepare=prepare, on_prepared=prepared.set)
    future = batcher.submit(Work("a", lambda inputs: inputs), [1], 10)
    assert not batcher.ready
    batcher.start()
    assert prepared.wait(5)
    with pytest.raises(ClosedError):
        future.result(5)
    assert (steps, batcher.ready, str(batcher.error)) == ([1], False, "model: is broken")


def test_closing_ends_a_preparation_after_its_step():
    steps = []

    def prepare():
        for n in range(1000):
            steps.append(n)
            time.sleep(0.02)
            yield

    batcher = started(prepare=prepare)
    time.sleep(0.05)
    assert batcher.close(5)
    assert len(steps) < 100
