"""Where a token stands, told to encoders that would not know otherwise."""

import jax
import jax.numpy as jnp

Array = jax.Array


def add_positions(inputs: Array, *, enable: bool, combiner_fn: str, num_positions: int) -> Array:
    """Joins embedded tokens [B, S, E] with their positions, unless not `enable`d.

    Args:
      combiner_fn: "multiply" or "add".
      num_positions: positions that have an embedding; what stands behind them has to be padding.
    """
    if not enable:
        return inputs
    _, width, dim = inputs.shape
    table = position_encoding(num_positions, dim)[:width]
    table = jnp.pad(table, ((0, width - len(table)), (0, 0)))
    return inputs * table if combiner_fn == "multiply" else inputs + table


def position_encoding(num_positions: int, dim: int) -> Array:
    """The embedding of each position, [P, E] (Sukhbaatar et al. 2015, arXiv:1503.08895, 4.1).

    l[j, k] = (1 - j / (P + 1)) - (k / (E + 1)) (1 - 2 j / (P + 1)),   j and k from 1
    """
    j = jnp.arange(1, num_positions + 1)[:, None] / (num_positions + 1)
    k = jnp.arange(1, dim + 1) / (dim + 1)
    return (1 - j) - k * (1 - 2 * j)
