import json
import math
import time
from itertools import cycle

import jax
import jax.numpy as jnp
import pytest

from seq2seq_jax.evaluation.dev_evaluation import Evaluation
from seq2seq_jax.training.remaining_time import RemainingTime, compilation_seconds
from seq2seq_jax.training.schedules import ScheduleConfig, make_schedule
from seq2seq_jax.training.training_log import (
    MAX_PENDING_STEPS,
    MetricAccumulator,
    log_evaluation,
    log_training,
)

SCHEDULE = make_schedule(
    ScheduleConfig(
        learning_rate=1.0, lr_decay_type="exponential_decay", lr_decay_steps=1, lr_decay_rate=0.5
    )
)


def step_metrics(loss, tokens, grad_norm):
    return {
        "loss": jnp.float32(loss),
        "target_tokens": jnp.int32(tokens),
        "source_tokens": jnp.int32(2 * tokens),
        "grad_norm": jnp.float32(grad_norm),
    }


FIRST, SECOND = step_metrics(6, 3, 1), step_metrics(2, 1, 3)


def test_the_loss_is_the_sum_over_all_steps_divided_by_all_tokens():
    accumulator = MetricAccumulator()
    accumulator.add(FIRST)
    accumulator.add(SECOND)
    accumulator.pause()
    scalars = accumulator.scalars(3, SCHEDULE)
    assert scalars["train/loss"] == 2
    assert scalars["train/perplexity"] == pytest.approx(math.exp(2))
    assert scalars["train/grad_norm"] == 2
    assert scalars["train/learning_rate"] == 0.25  # of the update from step 2 to step 3


def test_a_resumed_accumulator_returns_the_same_metrics_except_for_the_speed():
    whole, first = MetricAccumulator(), MetricAccumulator()
    whole.add(FIRST)
    whole.add(SECOND)
    first.add(FIRST)
    resumed = MetricAccumulator(json.loads(json.dumps(first.sums())))
    resumed.add(SECOND)
    lines = []
    for accumulator in (whole, resumed):
        accumulator.pause()
        scalars = accumulator.scalars(2, SCHEDULE)
        lines.append({k: v for k, v in scalars.items() if "second" not in k})
    assert lines[0] == lines[1]


def test_time_between_pause_and_resume_does_not_count():
    accumulator = MetricAccumulator()
    accumulator.resume()
    accumulator.add(SECOND)
    accumulator.pause()
    before = accumulator.scalars(1, SCHEDULE)["train/target_tokens_per_second"]
    time.sleep(0.05)
    assert accumulator.scalars(1, SCHEDULE)["train/target_tokens_per_second"] == before
    accumulator.resume()
    accumulator.pause()
    steps, seconds = accumulator.timed_steps()
    assert steps == 1 and seconds < 0.05
    assert accumulator.scalars(1, SCHEDULE)["train/source_tokens_per_second"] > 40


def test_a_step_while_the_clock_is_paused_counts_for_the_loss_but_not_for_the_speed():
    accumulator = MetricAccumulator()
    accumulator.add(FIRST)  # compiles, for example
    accumulator.sums()
    assert "train/target_tokens_per_second" not in accumulator.scalars(1, SCHEDULE)
    accumulator.resume()
    accumulator.add(SECOND)
    accumulator.pause()
    assert accumulator.timed_steps()[0] == 1
    scalars = accumulator.scalars(2, SCHEDULE)
    assert scalars["train/loss"] == 2
    seconds = accumulator.timed_steps()[1]
    assert scalars["train/target_tokens_per_second"] == pytest.approx(1 / seconds)


class _Clock:
    """An artificial clock."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)


def simulate(clock, *, steps=200, log_every=5, evaluate_every=50, evaluation=30.0, first_guess=20):
    """Train on an artificial clock; return the time of each log line, its estimate, and the end."""
    periods = {"evaluation": evaluate_every, "saving": evaluate_every}
    remaining = RemainingTime(steps, periods, {"evaluation": first_guess})
    accumulator, estimates = MetricAccumulator(), []
    buckets = cycle(range(4))
    compiled = set()
    for step in range(1, steps + 1):
        bucket = next(buckets)
        compiles = bucket not in compiled
        accumulator.resume()
        if compiles:
            compiled.add(bucket)
            accumulator.pause()
            clock.now += 40
        clock.now += 1 + bucket / 4
        accumulator.add(FIRST)
        if compiles:
            accumulator.sums()
        if step % log_every == 0:
            accumulator.pause()
            remaining.add_steps(*accumulator.timed_steps())
            estimates.append((step, clock.now, remaining.estimate(step)))
            accumulator = MetricAccumulator()
        if step % evaluate_every == 0 or step == steps:
            accumulator.pause()
            with remaining.interruption("evaluation"):
                clock.now += evaluation
            with remaining.interruption("saving"):
                clock.now += 2
    return estimates, clock.now


@pytest.mark.parametrize(
    "case",
    [
        {},
        {"evaluate_every": 20, "evaluation": 10.0},
        {"evaluate_every": 200, "evaluation": 30.0, "first_guess": 20},
        {"evaluate_every": 30, "evaluation": 60.0, "first_guess": 30},
        {"log_every": 1, "evaluation": 1.0},
    ],
)
def test_the_remaining_time_is_right_within_a_factor_of_one_and_a_half_after_a_tenth(
    case, monkeypatch
):
    estimates, end = simulate(_Clock(monkeypatch), **case)
    late = [row for row in estimates if 20 <= row[0] < 200]
    assert len(late) > 30
    for step, now, estimate in late:
        assert (end - now) / 1.5 <= estimate <= 1.5 * (end - now), step


def test_the_remaining_time_is_unknown_until_a_step_was_measured():
    remaining = RemainingTime(10, {}, {})
    assert remaining.estimate(1) is None
    remaining.add_steps(0, 0.0)
    assert remaining.estimate(1) is None
    remaining.add_steps(2, 1.0)
    assert remaining.estimate(4) == pytest.approx(3.0)


def test_compilation_in_an_evaluation_does_not_count(monkeypatch):
    clock = _Clock(monkeypatch)
    remaining = RemainingTime(10, {"evaluation": 5}, {})
    remaining.add_steps(5, 0.0)
    with remaining.interruption("evaluation"):
        clock.now += 7
        jax.monitoring.record_event_duration_secs("/jax/core/compile/backend_compile_duration", 5.0)
    assert remaining.estimate(6) == pytest.approx(2.0)  # one evaluation remains


def test_compilation_is_measured():
    before = compilation_seconds()
    jax.jit(lambda x: jnp.sort(x) + 7)(jnp.ones(37))
    assert compilation_seconds() > before


def test_the_perplexity_of_a_huge_loss_is_finite():
    accumulator = MetricAccumulator()
    accumulator.add(step_metrics(1e6, 1, 1))
    accumulator.pause()
    assert math.isfinite(accumulator.scalars(1, SCHEDULE)["train/perplexity"])


def test_adding_a_step_waits_for_the_oldest_step_in_flight(monkeypatch):
    waited_for = []
    monkeypatch.setattr(jax, "block_until_ready", waited_for.append)
    accumulator = MetricAccumulator()
    for _ in range(MAX_PENDING_STEPS - 1):
        accumulator.add(step_metrics(1, 1, 1))
    accumulator.add(FIRST)
    assert waited_for == []

    for _ in range(MAX_PENDING_STEPS):
        accumulator.add(SECOND)
    assert len(waited_for) == MAX_PENDING_STEPS
    assert waited_for[-1] is FIRST


class _Writer:
    def write_scalars(self, step, scalars):
        self.written = step, scalars


def test_a_log_line_has_loss_learning_rate_speed_and_remaining_time(caplog):
    scalars = {
        "train/loss": 2.3071,
        "train/perplexity": 10.045,
        "train/grad_norm": 0.8812,
        "train/learning_rate": 0.002,
        "train/target_tokens_per_second": 3_620.0,
    }
    writer = _Writer()
    with caplog.at_level("INFO"):
        log_training(writer, 100, 1600, scalars, 190)
    assert caplog.messages == ["step 100/1600 | loss 2.31 | lr 0.002 | 3.6k tok/s | ETA 3:10"]
    assert writer.written == (100, scalars)


def test_a_log_line_leaves_out_what_was_not_measured(caplog):
    scalars = {"train/loss": 2.3071, "train/learning_rate": 0.002}
    with caplog.at_level("INFO"):
        log_training(_Writer(), 1, 20, scalars, None)
    assert caplog.messages == ["step 1/20 | loss 2.31 | lr 0.002"]


def test_log_lines_with_large_numbers_fit_into_80_columns(caplog):
    scalars = {
        "train/loss": 0.0012345,
        "train/learning_rate": 1.2345e-05,
        "train/target_tokens_per_second": 999_949.0,
    }
    numbers = {name: 1234.5678 for name in ("log_perplexity", "perplexity", "sequence_error_rate")}
    with caplog.at_level("INFO"):
        log_training(_Writer(), 1_500_000, 2_000_000, scalars, 359_999)
        log_evaluation(_Writer(), 1_500_000, 2_000_000, Evaluation(numbers, []))
    assert max(len(line) for text in caplog.messages for line in text.splitlines()) <= 80
    assert "| sequence_error_rate 1235" in caplog.messages[1]
