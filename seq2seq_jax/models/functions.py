"""Functions that layers are built from: activations, by name, and initializers."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from seq2seq_jax.schema.rules import function_name

Array = jax.Array

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "identity": lambda x: x,
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "sigmoid": jax.nn.sigmoid,
    "elu": jax.nn.elu,
    "softplus": jax.nn.softplus,
    "gelu": jax.nn.gelu,
}

ACTIVATION = function_name(*ACTIVATIONS)
"""The rule of a parameter that names an activation."""

xavier_uniform = nn.initializers.xavier_uniform()
"""Initializer of all dense layers outside of RNN cells (Glorot and Bengio 2010)."""


def symmetric_uniform(scale: float) -> nn.initializers.Initializer:
    """Return an initializer that is uniform in [-scale, scale], for RNN cells and embeddings."""

    def init(key: Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Array:
        return jax.random.uniform(key, shape, dtype, minval=-scale, maxval=scale)

    return init
