"""Initial values, as google/seq2seq drew them."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

xavier_uniform = nn.initializers.xavier_uniform()
"""Of every dense layer outside the cells: attention, mix, logits, bridge (Glorot, Bengio 2010)."""


def symmetric_uniform(scale: float) -> nn.initializers.Initializer:
    """Uniform in [-scale, scale]: the matrices of the cells, and the embeddings."""

    def init(key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
        return jax.random.uniform(key, shape, dtype, minval=-scale, maxval=scale)

    return init
