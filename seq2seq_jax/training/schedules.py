"""Learning rate schedules."""

import dataclasses
from collections.abc import Callable
from typing import Annotated

import jax
import jax.numpy as jnp

from seq2seq_jax.schema.rules import PROBABILITY, above, at_least, function_name

DECAY_TYPES = (
    "exponential_decay",
    "natural_exp_decay",
    "inverse_time_decay",
    "polynomial_decay",
    "cosine_decay",
)

Schedule = Callable[[jax.Array | int], jax.Array]
"""The learning rate as a function of the number of updates made so far."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """The keys `optimizer.learning_rate` and `optimizer.lr_*`.

    Attributes:
      learning_rate: Initial learning rate.
      lr_decay_type: Shape of the decay; empty: constant.
      lr_decay_steps: Steps after which the decay is applied once; the decay's time scale.
      lr_decay_rate: Rate of the decay.
      lr_start_decay_at: Step at which the decay starts; the decay counts steps from here.
      lr_stop_decay_at: Step from which on the learning rate stays constant.
      lr_min_learning_rate: Lower bound of the decayed learning rate.
      lr_staircase: Decay in discrete intervals.
      lr_plateau_patience: Number of evaluations in a row without an improvement of best_metric
        after which the learning rate is multiplied by lr_plateau_factor; 0: never.
      lr_plateau_factor: Factor by which lr_plateau_patience lowers the learning rate.
    """

    learning_rate: Annotated[float, above(0, 1000)] = 1e-4
    lr_decay_type: Annotated[str, function_name("", *DECAY_TYPES)] = ""
    lr_decay_steps: Annotated[int, at_least(1)] = 100
    lr_decay_rate: Annotated[float, above(0)] = 0.99
    lr_start_decay_at: Annotated[int, at_least(0)] = 0
    lr_stop_decay_at: Annotated[int, at_least(0)] = 1_000_000_000
    lr_min_learning_rate: Annotated[float, at_least(0)] = 1e-12
    lr_staircase: bool = False
    lr_plateau_patience: Annotated[int, at_least(0)] = 0
    lr_plateau_factor: Annotated[float, PROBABILITY] = 0.5


def make_schedule(config: ScheduleConfig) -> Schedule:
    """Return the learning rate as a function of the number of updates made so far.

    With p = (min(step, lr_stop_decay_at) - lr_start_decay_at) / lr_decay_steps, rounded down if
    `lr_staircase` is set, the learning rate is

      exponential_decay   learning_rate * lr_decay_rate ^ p
      natural_exp_decay   learning_rate * exp(-lr_decay_rate * p)
      inverse_time_decay  learning_rate / (1 + lr_decay_rate * p)
      polynomial_decay    a straight line from learning_rate to the lower bound at p = 1
      cosine_decay        half a cosine from learning_rate to the lower bound at p = 1

    and never below `lr_min_learning_rate`. The last two ignore `lr_staircase`.

    Args:
      config: The settings. The plateau settings are not part of the schedule; the trainer applies
        them as a factor.

    Returns:
      The schedule: step -> learning rate, a float32 scalar.

    Example:
      >>> config = ScheduleConfig(
      ...     learning_rate=0.1, lr_decay_type="exponential_decay", lr_decay_rate=0.5
      ... )
      >>> float(make_schedule(config)(200))
      0.025...
    """
    initial, floor = config.learning_rate, config.lr_min_learning_rate
    ignores_staircase = config.lr_decay_type in ("polynomial_decay", "cosine_decay")

    def constant(step: jax.Array | int) -> jax.Array:
        return jnp.asarray(initial, jnp.float32)

    def schedule(step: jax.Array | int) -> jax.Array:
        elapsed = jnp.minimum(step, config.lr_stop_decay_at) - config.lr_start_decay_at
        p = jnp.maximum(elapsed, 0) / config.lr_decay_steps
        if config.lr_staircase and not ignores_staircase:
            p = jnp.floor(p)
        return jnp.maximum(decay(p), floor)

    def decay(p: jax.Array) -> jax.Array:
        match config.lr_decay_type:
            case "exponential_decay":
                return initial * config.lr_decay_rate**p
            case "natural_exp_decay":
                return initial * jnp.exp(-config.lr_decay_rate * p)
            case "inverse_time_decay":
                return initial / (1 + config.lr_decay_rate * p)
            case "polynomial_decay":
                return floor + (initial - floor) * (1 - jnp.minimum(p, 1))
            case "cosine_decay":
                half_cosine = (1 + jnp.cos(jnp.pi * jnp.minimum(p, 1))) / 2
                return floor + (initial - floor) * half_cosine
        raise ValueError(f"unknown lr_decay_type {config.lr_decay_type!r}")

    return schedule if config.lr_decay_type else constant
