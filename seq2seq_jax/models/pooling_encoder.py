"""An encoder without weights: averages of neighbouring embeddings."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from seq2seq_jax.models.encoder_output import EncoderOutput
from seq2seq_jax.models.position_embeddings import add_positions

Array = jax.Array


class PoolingEncoder(nn.Module):
    """Each output is the mean, or the maximum, of the embeddings in a window (Gehring et al. 2016,
    arXiv:1611.02344, section 3.1).

    Attention takes its keys from the pooled and its values from the unpooled embeddings; the final
    state is the mean of the outputs, [B, E]. A row's result is that of the row by itself: windows
    end where it ends.
    """

    position_embeddings: Mapping[str, Any]
    pooling_fn: str = "average_pooling1d"
    pool_size: int = 5
    strides: int = 1
    dropout_keep_prob: float = 0.8

    @nn.compact
    def __call__(self, inputs: Array, lengths: Array, *, train: bool = False) -> EncoderOutput:
        """inputs [B, S, E], lengths [B] -> outputs [B, ceil(S / strides), E]"""
        inputs = add_positions(inputs, **self.position_embeddings)
        inputs = nn.Dropout(1 - self.dropout_keep_prob)(inputs, deterministic=not train)
        windows, real = windows_of(inputs, lengths, self.pool_size, self.strides)
        real = real[..., None]
        if self.pooling_fn == "max_pooling1d":
            pooled = jnp.max(jnp.where(real, windows, -jnp.inf), axis=2)
        else:
            total = jnp.sum(jnp.where(real, windows, 0), axis=2)
            pooled = total / jnp.maximum(jnp.sum(real, axis=2), 1)
        outputs = jnp.where(jnp.any(real, axis=2), pooled, 0)
        return EncoderOutput(
            outputs=outputs,
            final_state=mean_over_time(outputs, -(-lengths // self.strides)),
            attention_values=inputs,
            attention_values_length=lengths,
        )


def windows_of(x: Array, lengths: Array, size: int, strides: int) -> tuple[Array, Array]:
    """The windows that "SAME" padding gives each row by itself.

    With length L a row has ceil(L / strides) windows; what they reach beyond the row is shared
    between its two ends, the end getting the odd one.

    Args:
      x: [B, S, E].
      lengths: [B].

    Returns:
      [B, O, size, E] with O = ceil(S / strides), and which of it is real, [B, O, size].
    """
    number = -(-lengths // strides)
    beyond = jnp.maximum((number - 1) * strides + size - lengths, 0)
    window = jnp.arange(-(-x.shape[1] // strides))
    start = window * strides - beyond[:, None] // 2
    places = start[..., None] + jnp.arange(size)
    real = (places >= 0) & (places < lengths[:, None, None])
    real &= (window < number[:, None])[..., None]
    places = jnp.clip(places, 0, x.shape[1] - 1)
    rows = jnp.arange(x.shape[0])[:, None, None]
    return x[rows, places], real


def mean_over_time(x: Array, lengths: Array) -> Array:
    """[B, S, E], lengths [B] -> [B, E]; zero for a row without positions."""
    real = jnp.arange(x.shape[1])[:, None] < lengths[:, None, None]
    return jnp.sum(jnp.where(real, x, 0), axis=1) / jnp.maximum(lengths, 1)[:, None]
