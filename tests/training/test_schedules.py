"""Learning rates, compared with values computed by hand."""

import math

import numpy as np
import pytest

from seq2seq_jax.training.schedules import ScheduleConfig, make_schedule

RATE, FLOOR = 0.8, 1e-12


def rates(steps, **kwargs):
    schedule = make_schedule(ScheduleConfig(learning_rate=RATE, **kwargs))
    return [float(schedule(step)) for step in steps]


def test_without_decay_the_learning_rate_is_constant():
    np.testing.assert_allclose(rates([0, 10, 10**9]), [0.8, 0.8, 0.8], rtol=1e-6)


@pytest.mark.parametrize(
    ("decay", "expected"),
    [
        ("exponential_decay", [0.8, 0.8 * 0.5**0.5, 0.4, 0.1]),
        ("natural_exp_decay", [0.8, *(0.8 * math.exp(-p / 2) for p in (0.5, 1, 3))]),
        ("inverse_time_decay", [0.8, 0.8 / 1.25, 0.8 / 1.5, 0.8 / 2.5]),
        ("polynomial_decay", [0.8, 0.4, FLOOR, FLOOR]),
        ("cosine_decay", [0.8, 0.4, FLOOR, FLOOR]),
    ],
)
def test_each_decay_follows_its_formula(decay, expected):
    found = rates([0, 5, 10, 30], lr_decay_type=decay, lr_decay_steps=10, lr_decay_rate=0.5)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-9)


def test_linear_and_cosine_decay_differ_after_a_quarter_of_the_steps():
    line, cosine = (
        rates([5], lr_decay_type=decay, lr_decay_steps=20)[0]
        for decay in ("polynomial_decay", "cosine_decay")
    )
    np.testing.assert_allclose([line, cosine], [0.6, 0.4 * (1 + math.sqrt(0.5))], rtol=1e-5)


EXPONENTIAL = {"lr_decay_type": "exponential_decay", "lr_decay_steps": 10, "lr_decay_rate": 0.5}


def test_decay_counts_steps_from_lr_start_decay_at():
    found = rates([0, 100, 110, 120], **EXPONENTIAL, lr_start_decay_at=100)
    np.testing.assert_allclose(found, [0.8, 0.8, 0.4, 0.2], rtol=1e-5)


def test_the_learning_rate_is_constant_after_lr_stop_decay_at():
    found = rates([10, 20, 30, 1000], **EXPONENTIAL, lr_stop_decay_at=20)
    np.testing.assert_allclose(found, [0.4, 0.2, 0.2, 0.2], rtol=1e-5)


def test_a_staircase_decays_in_discrete_intervals():
    found = rates([0, 9, 10, 19, 20], **EXPONENTIAL, lr_staircase=True)
    np.testing.assert_allclose(found, [0.8, 0.8, 0.4, 0.4, 0.2], rtol=1e-5)


@pytest.mark.parametrize("decay", ["exponential_decay", "natural_exp_decay", "inverse_time_decay"])
def test_the_learning_rate_does_not_fall_below_its_minimum(decay):
    found = rates(
        [0, 10**6],
        lr_decay_type=decay,
        lr_decay_steps=1,
        lr_decay_rate=0.5,
        lr_min_learning_rate=0.3,
    )
    np.testing.assert_allclose(found, [0.8, 0.3], rtol=1e-5)


def test_linear_and_cosine_decay_end_at_the_minimum():
    for decay in ("polynomial_decay", "cosine_decay"):
        found = rates([5, 10, 11], lr_decay_type=decay, lr_decay_steps=10, lr_min_learning_rate=0.2)
        np.testing.assert_allclose(found, [0.5, 0.2, 0.2], rtol=1e-5)
