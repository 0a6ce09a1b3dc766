"""Learning rates over time."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

Array = jax.Array
Schedule = Callable[[Array | int], Array]


def make_schedule(
    learning_rate: float,
    lr_decay_type: str = "",
    lr_decay_steps: int = 100,
    lr_decay_rate: float = 0.99,
    lr_start_decay_at: int = 0,
    lr_stop_decay_at: float = 1e9,
    lr_min_learning_rate: float = 1e-12,
    lr_staircase: bool = False,
) -> Schedule:
    """The learning rate as a function of the number of updates made so far.

    With p = (min(step, lr_stop_decay_at) - lr_start_decay_at) / lr_decay_steps, cut to whole
    numbers if `lr_staircase`, and never below `lr_min_learning_rate`:

      exponential_decay   rate = learning_rate * lr_decay_rate ^ p
      natural_exp_decay   rate = learning_rate * exp(-lr_decay_rate * p)
      inverse_time_decay  rate = learning_rate / (1 + lr_decay_rate * p)
      polynomial_decay    rate falls in a straight line to the floor at p = 1
      cosine_decay        rate falls along half a cosine to the floor at p = 1
    """
    floor = lr_min_learning_rate

    def constant(step: Array | int) -> Array:
        return jnp.asarray(learning_rate, jnp.float32)

    def schedule(step: Array | int) -> Array:
        since = jnp.minimum(step, lr_stop_decay_at) - lr_start_decay_at
        p = jnp.maximum(since, 0) / lr_decay_steps
        if lr_staircase and lr_decay_type not in ("polynomial_decay", "cosine_decay"):
            p = jnp.floor(p)
        return jnp.maximum(decayed(p), floor)

    def decayed(p: Array) -> Array:
        match lr_decay_type:
            case "exponential_decay":
                return learning_rate * lr_decay_rate**p
            case "natural_exp_decay":
                return learning_rate * jnp.exp(-lr_decay_rate * p)
            case "inverse_time_decay":
                return learning_rate / (1 + lr_decay_rate * p)
            case "polynomial_decay":
                return floor + (learning_rate - floor) * (1 - jnp.minimum(p, 1))
            case "cosine_decay":
                half_cosine = (1 + jnp.cos(jnp.pi * jnp.minimum(p, 1))) / 2
                return floor + (learning_rate - floor) * half_cosine
        raise ValueError(f"unknown lr_decay_type {lr_decay_type!r}")

    return schedule if lr_decay_type else constant
