import json
import math
import time

import jax
import jax.numpy as jnp
import pytest

from seq2seq_jax.training.schedules import ScheduleConfig, make_schedule
from seq2seq_jax.training.training_log import MAX_PENDING_STEPS, MetricAccumulator, log_training

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
    accumulator.add(SECOND)
    accumulator.pause()
    before = accumulator.scalars(1, SCHEDULE)["train/target_tokens_per_second"]
    time.sleep(0.05)
    assert accumulator.scalars(1, SCHEDULE)["train/target_tokens_per_second"] == before
    accumulator.resume()
    accumulator.pause()
    assert accumulator.seconds_per_step() < 0.05
    assert accumulator.scalars(1, SCHEDULE)["train/source_tokens_per_second"] > 40


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
        log_training(writer, 100, 1600, scalars, 190 / 1500)
    assert caplog.messages == [
        "step 100/1600 | loss 2.31 | lr 0.002 | 3.6k tok/s | ETA 3:10 | ppl 10 | grad norm 0.881"
    ]
    assert writer.written == (100, scalars)
