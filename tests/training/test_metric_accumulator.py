import json
import math
import time

import jax
import jax.numpy as jnp
import pytest

from seq2seq_jax.training.metric_accumulator import MOST_UNDER_WAY, MetricAccumulator
from seq2seq_jax.training.schedules import ScheduleConfig, make_schedule

SCHEDULE = make_schedule(
    ScheduleConfig(
        learning_rate=1.0, lr_decay_type="exponential_decay", lr_decay_steps=1, lr_decay_rate=0.5
    )
)


def of_step(loss, tokens, grad_norm):
    return {
        "loss": jnp.float32(loss),
        "target_tokens": jnp.int32(tokens),
        "source_tokens": jnp.int32(2 * tokens),
        "grad_norm": jnp.float32(grad_norm),
    }


FIRST, SECOND = of_step(6, 3, 1), of_step(2, 1, 3)


def test_losses_are_divided_once_by_all_tokens():
    window = MetricAccumulator()
    window.add(FIRST)
    window.add(SECOND)
    window.pause()
    scalars = window.scalars(3, SCHEDULE)
    assert scalars["train/loss"] == 2
    assert scalars["train/perplexity"] == pytest.approx(math.exp(2))
    assert scalars["train/grad_norm"] == 2
    assert scalars["train/learning_rate"] == 0.25  # that of the update from step 2 to step 3


def test_a_resumed_window_gives_the_same_line_apart_from_the_speed():
    whole, first = MetricAccumulator(), MetricAccumulator()
    whole.add(FIRST)
    whole.add(SECOND)
    first.add(FIRST)
    resumed = MetricAccumulator(json.loads(json.dumps(first.sums())))
    resumed.add(SECOND)
    lines = []
    for window in (whole, resumed):
        window.pause()
        scalars = window.scalars(2, SCHEDULE)
        lines.append({k: v for k, v in scalars.items() if "second" not in k})
    assert lines[0] == lines[1]


def test_time_between_pause_and_resume_is_not_training():
    window = MetricAccumulator()
    window.add(SECOND)
    window.pause()
    before = window.scalars(1, SCHEDULE)["train/target_tokens_per_second"]
    time.sleep(0.05)
    assert window.scalars(1, SCHEDULE)["train/target_tokens_per_second"] == before
    window.resume()
    window.pause()
    assert window.seconds_per_step() < 0.05
    assert window.scalars(1, SCHEDULE)["train/source_tokens_per_second"] > 40


def test_a_loss_beyond_all_bounds_has_a_finite_perplexity():
    window = MetricAccumulator()
    window.add(of_step(1e6, 1, 1))
    window.pause()
    assert math.isfinite(window.scalars(1, SCHEDULE)["train/perplexity"])


def test_the_first_step_is_waited_for_when_more_are_under_way_than_may_be(monkeypatch):
    waited_for = []
    monkeypatch.setattr(jax, "block_until_ready", waited_for.append)
    window = MetricAccumulator()
    for _ in range(MOST_UNDER_WAY - 1):
        window.add(of_step(1, 1, 1))
    window.add(FIRST)
    assert waited_for == []

    for _ in range(MOST_UNDER_WAY):
        window.add(SECOND)
    assert len(waited_for) == MOST_UNDER_WAY
    assert waited_for[-1] is FIRST
