import json
import os
import signal
import threading

import pytest

from seq2seq_jax.training.stopping import Every, Patience, catch_preemption_signals


def exhausted(patience: Patience, *values: float) -> list[bool]:
    return [patience.is_exhausted_by({"metric": value}) for value in values]


def test_an_action_is_due_every_n_steps():
    every = Every(steps=3, seconds=1)
    assert [step for step in range(1, 10) if every.is_due(step)] == [3, 6, 9]


def test_an_action_without_steps_is_due_every_n_seconds(monkeypatch):
    every, due = Every(seconds=10), []
    for now in (100.0, 105.0, 111.0, 120.0, 121.0):
        monkeypatch.setattr("time.monotonic", lambda now=now: now)
        due.append(every.is_due(1))
        if due[-1]:
            every.reset()
    assert due == [True, False, True, False, True]


def test_an_action_without_a_period_is_never_due():
    assert not any(Every().is_due(step) for step in range(10))


def test_patience_counts_evaluations_without_an_improvement():
    patience = Patience("metric", 2, lower_is_better=False)
    expected = [False, False, False, False, True, False]
    assert exhausted(patience, 10, 9, 11, 11, 10, 12) == expected


def test_lower_values_of_some_metrics_are_improvements():
    patience = Patience("metric", 1, lower_is_better=True)
    assert exhausted(patience, 3, 2, 2.5) == [False, False, True]


def test_counting_starts_again_when_patience_is_exhausted():
    patience = Patience("metric", 2, lower_is_better=False)
    assert exhausted(patience, 5, 4, 4, 4, 4) == [False, False, True, False, True]


def test_a_patience_of_zero_is_never_exhausted():
    patience = Patience("metric", 0, lower_is_better=False)
    assert not any(exhausted(patience, *range(9, 0, -1)))


def test_a_restored_counter_continues():
    patience, resumed = (Patience("metric", 3, lower_is_better=False) for _ in range(2))
    exhausted(patience, 5, 4, 4)
    resumed.restore(json.loads(json.dumps(patience.state())))
    assert exhausted(resumed, 4) == [True]


@pytest.fixture(autouse=True)
def interrupt_raises():
    """Handle SIGINT as at a terminal; a background process ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_recorded_and_does_not_terminate_the_process(number):
    with catch_preemption_signals() as signalled:
        assert not signalled()
        os.kill(os.getpid(), number)
        assert signalled()


def test_a_second_signal_has_its_usual_effect():
    with catch_preemption_signals() as signalled, pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGTERM)
        assert signalled()
        os.kill(os.getpid(), signal.SIGINT)


def test_the_previous_signal_handlers_are_restored_afterwards():
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with catch_preemption_signals():
        os.kill(os.getpid(), signal.SIGTERM)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_another_thread_than_the_main_one_does_not_change_signal_handlers():
    before, seen = signal.getsignal(signal.SIGTERM), []

    def run():
        with catch_preemption_signals() as signalled:
            seen.append((signal.getsignal(signal.SIGTERM), signalled()))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [(before, False)]
