"""Encoders without recurrence (Gehring et al. 2016, arXiv:1611.02344): pooling and convolutions."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Bool, Float, Int

from seq2seq_jax.models.encoders import EncoderOutput, mean_over_time
from seq2seq_jax.models.functions import xavier_uniform
from seq2seq_jax.schema.rules import KEEP_PROBABILITY, LAYERS, LENGTH, WIDTH, WINDOW, function_name

KeepProb = Annotated[float, KEEP_PROBABILITY, "Keep probability of dropout on the embeddings."]
Units = Annotated[int, WIDTH, "Number of channels of each convolution."]
KernelSize = Annotated[int, WINDOW, "Number of positions in the window of each convolution."]
Layers = Annotated[int, LAYERS, "Number of convolutions."]


@dataclass(frozen=True)
class PositionEmbeddingsConfig:
    """The parameters `position_embeddings.*` of an encoder.

    Attributes:
      enable: Combine each token's embedding with its position's.
      combiner_fn: How the embeddings of a token and of its position are combined.
      num_positions: Number of positions that have an embedding.
    """

    enable: bool = True
    combiner_fn: Annotated[str, function_name("multiply", "add")] = "multiply"
    num_positions: Annotated[int, LENGTH] = 100


@dataclass(frozen=True)
class KeysCNNConfig:
    """The parameters `attention_cnn.*`: the convolutions that compute the keys of attention."""

    units: Units = 512
    kernel_size: KernelSize = 3
    layers: Layers = 15


@dataclass(frozen=True)
class ValuesCNNConfig:
    """The parameters `output_cnn.*`: the convolutions that compute the values of attention."""

    units: Units = 256
    kernel_size: KernelSize = 3
    layers: Layers = 5


class PoolingEncoder(nn.Module):
    """An encoder without weights: each output is the mean or maximum of a window of embeddings.

    Attention takes its keys from the pooled embeddings and its values from the unpooled ones
    (section 3.1 of the paper). The final state is the mean of the outputs, [B, E]. Windows end
    where a row ends, so the result of a row does not depend on its padding.

    Attributes:
      pooling_fn: How the embeddings of a window become one output.
      pool_size: Number of positions in a window.
      strides: Number of positions from one window to the next.
    """

    modality: ClassVar[str] = "text"

    pooling_fn: Annotated[str, function_name("average_pooling1d", "max_pooling1d")] = (
        "average_pooling1d"
    )
    pool_size: Annotated[int, WINDOW] = 5
    strides: Annotated[int, WINDOW] = 1
    position_embeddings: PositionEmbeddingsConfig = PositionEmbeddingsConfig()
    dropout_keep_prob: KeepProb = 0.8

    @nn.compact
    def __call__(
        self, inputs: Float[Array, "B S E"], lengths: Int[Array, " B"], *, train: bool = False
    ) -> EncoderOutput:
        """Encode a batch.

        Args:
          inputs: [B, S, E], the embedded tokens.
          lengths: [B], the number of tokens of each row; the rest is padding.
          train: Whether to apply dropout.

        Returns:
          The outputs, [B, ceil(S / strides), E], and the values, [B, S, E].
        """
        inputs = add_positions(inputs, self.position_embeddings)
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


class ConvEncoder(nn.Module):
    """Two stacks of convolutions over the same embeddings (section 3.2 of the paper).

    One, "CNN-a", computes the outputs, from which attention takes its keys. The other, "CNN-c",
    computes the values of attention; their mean over time is the final state [B, H]. Every
    convolution sees zeros where a row ends, so the result of a row does not depend on its padding.
    """

    modality: ClassVar[str] = "text"

    attention_cnn: KeysCNNConfig = KeysCNNConfig()
    embedding_dropout_keep_prob: KeepProb = 0.8
    output_cnn: ValuesCNNConfig = ValuesCNNConfig()
    position_embeddings: PositionEmbeddingsConfig = PositionEmbeddingsConfig()

    @nn.compact
    def __call__(
        self, inputs: Float[Array, "B S E"], lengths: Int[Array, " B"], *, train: bool = False
    ) -> EncoderOutput:
        """Encode a batch: as `PoolingEncoder.__call__`, with an output at every position."""
        inputs = add_positions(inputs, self.position_embeddings)
        inputs = nn.Dropout(1 - self.embedding_dropout_keep_prob)(inputs, deterministic=not train)
        outputs = _ConvStack(self.attention_cnn, name="attention_cnn")(inputs, lengths)
        values = _ConvStack(self.output_cnn, name="output_cnn")(inputs, lengths)
        return EncoderOutput(outputs, mean_over_time(values, lengths), values, lengths)


def add_positions(
    inputs: Float[Array, "B S E"], config: PositionEmbeddingsConfig
) -> Float[Array, "B S E"]:
    """Combine embedded tokens with the embeddings of their positions, if that is enabled.

    Args:
      inputs: [B, S, E]. Positions from `config.num_positions` on must be padding.
      config: How to combine them.

    Returns:
      [B, S, E].
    """
    if not config.enable:
        return inputs
    _, width, dim = inputs.shape
    table = position_encoding(config.num_positions, dim)[:width]
    table = jnp.pad(table, ((0, width - len(table)), (0, 0)))
    return inputs * table if config.combiner_fn == "multiply" else inputs + table


def position_encoding(num_positions: int, dim: int) -> Float[Array, "P E"]:
    """Compute the embedding of each position (Sukhbaatar et al. 2015, arXiv:1503.08895, 4.1).

      l[j, k] = (1 - j / (P + 1)) - (k / (E + 1)) (1 - 2 j / (P + 1)),   j and k from 1

    Args:
      num_positions: P.
      dim: E.

    Returns:
      [P, E].
    """
    j = jnp.arange(1, num_positions + 1)[:, None] / (num_positions + 1)
    k = jnp.arange(1, dim + 1) / (dim + 1)
    return (1 - j) - k * (1 - 2 * j)


def windows_of(
    x: Float[Array, "B S E"], lengths: Int[Array, " B"], size: int, strides: int
) -> tuple[Float[Array, "B O size E"], Bool[Array, "B O size"]]:
    """Gather the windows that "SAME" padding gives each row on its own.

    A row of length L has ceil(L / strides) windows. The positions of windows beyond the row are
    divided between its two ends; if their number is odd, the end gets one more.

    Args:
      x: [B, S, E].
      lengths: [B].
      size: Number of positions in a window.
      strides: Number of positions from one window to the next.

    Returns:
      [B, O, size, E] with O = ceil(S / strides); and which of it is not padding, [B, O, size].
    """
    number = -(-lengths // strides)
    beyond = jnp.maximum((number - 1) * strides + size - lengths, 0)
    window = jnp.arange(-(-x.shape[1] // strides))
    start = window * strides - beyond[:, None] // 2
    positions = start[..., None] + jnp.arange(size)
    real = (positions >= 0) & (positions < lengths[:, None, None])
    real &= (window < number[:, None])[..., None]
    positions = jnp.clip(positions, 0, x.shape[1] - 1)
    rows = jnp.arange(x.shape[0])[:, None, None]
    return x[rows, positions], real


class _ConvStack(nn.Module):
    """x_1 = tanh(conv(x)),  x_i = tanh(conv(x_{i-1}) + x_{i-1})."""

    config: KeysCNNConfig | ValuesCNNConfig

    @nn.compact
    def __call__(self, x: Array, lengths: Array) -> Array:
        """Map x [B, S, E] and lengths [B] to [B, S, units], zero in the padding."""
        real = jnp.arange(x.shape[1])[:, None] < lengths[:, None, None]
        x = jnp.where(real, x, 0)
        for i in range(self.config.layers):
            conv = nn.Conv(
                self.config.units,
                (self.config.kernel_size,),
                kernel_init=xavier_uniform,
                name=f"conv_{i}",
            )
            x = jnp.where(real, jnp.tanh(conv(x) + x if i else conv(x)), 0)
        return x
