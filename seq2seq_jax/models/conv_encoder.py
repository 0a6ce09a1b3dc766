"""A convolutional encoder (Gehring et al. 2016, arXiv:1611.02344)."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from seq2seq_jax.models.encoder_output import EncoderOutput
from seq2seq_jax.models.initializers import xavier_uniform
from seq2seq_jax.models.pooling_encoder import mean_over_time
from seq2seq_jax.models.position_embeddings import add_positions

Array = jax.Array


class ConvEncoder(nn.Module):
    """Two stacks of convolutions over the same embeddings: "CNN-a" makes the outputs, which are
    the keys of attention, and "CNN-c" its values and, their mean over time, the final state
    [B, H].

    A row's result is that of the row by itself: each convolution sees zeros where it ends.
    """

    attention_cnn: Mapping[str, Any]
    output_cnn: Mapping[str, Any]
    position_embeddings: Mapping[str, Any]
    embedding_dropout_keep_prob: float = 0.8

    @nn.compact
    def __call__(self, inputs: Array, lengths: Array, *, train: bool = False) -> EncoderOutput:
        """inputs [B, S, E], lengths [B]"""
        inputs = add_positions(inputs, **self.position_embeddings)
        inputs = nn.Dropout(1 - self.embedding_dropout_keep_prob)(inputs, deterministic=not train)
        outputs = ConvStack(**self.attention_cnn, name="attention_cnn")(inputs, lengths)
        values = ConvStack(**self.output_cnn, name="output_cnn")(inputs, lengths)
        return EncoderOutput(outputs, mean_over_time(values, lengths), values, lengths)


class ConvStack(nn.Module):
    """x_1 = tanh(conv(x)),  x_i = tanh(conv(x_{i-1}) + x_{i-1})"""

    units: int
    kernel_size: int
    layers: int

    @nn.compact
    def __call__(self, x: Array, lengths: Array) -> Array:
        """x [B, S, E], lengths [B] -> [B, S, units], zero past a row's length"""
        real = jnp.arange(x.shape[1])[:, None] < lengths[:, None, None]
        x = jnp.where(real, x, 0)
        for i in range(self.layers):
            conv = nn.Conv(
                self.units, (self.kernel_size,), kernel_init=xavier_uniform, name=f"conv_{i}"
            )
            x = jnp.where(real, jnp.tanh(conv(x) + x if i else conv(x)), 0)
        return x
