"""Recurrent encoders, encoders of single tokens, and the output that every encoder returns."""

from typing import Annotated, ClassVar

import jax.numpy as jnp
from flax import linen as nn
from flax import struct
from jaxtyping import Array, Float, Int, PyTree

from seq2seq_jax.models.cells import RNNCellBase
from seq2seq_jax.models.functions import xavier_uniform
from seq2seq_jax.models.rnn_layers import BidirectionalRNNStack, RNNCellConfig, RNNStack
from seq2seq_jax.ops.layers import Dense
from seq2seq_jax.schema.rules import INIT_SCALE, KEEP_PROBABILITY, WIDTH


class EncoderOutput(struct.PyTreeNode):
    """The output of an encoder.

    Attributes:
      outputs: [B, S, H], from which attention computes its keys.
      final_state: A pytree of [B, D], the input of the bridge.
      attention_values: [B, S, H], the values that attention averages.
      attention_values_length: [B], the number of values that are not padding.
    """

    outputs: Array
    final_state: PyTree
    attention_values: Array
    attention_values_length: Array


InitScale = Annotated[
    float, INIT_SCALE, "RNN weights are initialized uniformly in [-scale, scale]."
]


class UnidirectionalRNNEncoder(nn.Module):
    """A multi-layer RNN from left to right (Sutskever et al. 2014, arXiv:1409.3215).

    The final state is a tuple with the state of each layer. `remat` is an argument of
    `ops.rnn_scan.rnn_scan`.
    """

    modality: ClassVar[str] = "text"

    rnn_cell: RNNCellConfig = RNNCellConfig()
    init_scale: InitScale = RNNCellBase.init_scale
    remat: bool = False

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
          The outputs, [B, S, D], zero in the padding; they are also the attention values.
        """
        stack = RNNStack(self.rnn_cell, self.init_scale, self.remat, name="forward")
        outputs, final_state = stack(inputs, lengths, train=train)
        return EncoderOutput(outputs, final_state, outputs, lengths)


class BidirectionalRNNEncoder(nn.Module):
    """One multi-layer RNN in each direction (Schuster and Paliwal 1997).

    The outputs of both are concatenated: H = 2 D. The final state is the pair (forward, backward).
    `remat` is an argument of `ops.rnn_scan.rnn_scan`.
    """

    modality: ClassVar[str] = "text"

    rnn_cell: RNNCellConfig = RNNCellConfig()
    init_scale: InitScale = RNNCellBase.init_scale
    remat: bool = False

    @nn.compact
    def __call__(
        self, inputs: Float[Array, "B S E"], lengths: Int[Array, " B"], *, train: bool = False
    ) -> EncoderOutput:
        """Encode a batch: as `UnidirectionalRNNEncoder.__call__`, with outputs [B, S, 2 D]."""
        outputs, final_state = [], []
        for name in ("forward", "backward"):
            stack = RNNStack(self.rnn_cell, self.init_scale, self.remat, name=name)
            output, state = stack(inputs, lengths, reverse=name == "backward", train=train)
            outputs.append(output)
            final_state.append(state)
        joined = jnp.concatenate(outputs, axis=-1)
        return EncoderOutput(joined, tuple(final_state), joined, lengths)


class StackBidirectionalRNNEncoder(nn.Module):
    """An RNN whose every layer is bidirectional (Graves et al. 2013, arXiv:1303.5778).

    The outputs of both directions of a layer are concatenated and are the input of the next layer:
    H = 2 D. The final state is (forward states of all layers, backward states of all layers).
    `remat` is an argument of `ops.rnn_scan.rnn_scan`.
    """

    modality: ClassVar[str] = "text"

    rnn_cell: RNNCellConfig = RNNCellConfig()
    init_scale: InitScale = RNNCellBase.init_scale
    remat: bool = False

    @nn.compact
    def __call__(
        self, inputs: Float[Array, "B S E"], lengths: Int[Array, " B"], *, train: bool = False
    ) -> EncoderOutput:
        """Encode a batch: as `UnidirectionalRNNEncoder.__call__`, with outputs [B, S, 2 D]."""
        stack = BidirectionalRNNStack(self.rnn_cell, self.init_scale, self.remat, name="stack")
        outputs, final_state = stack(inputs, lengths, train=train)
        return EncoderOutput(outputs, final_state, outputs, lengths)


class EmbeddingEncoder(nn.Module):
    """An encoder without weights: the outputs are the embedded tokens.

    The final state is their mean, [B, E]. It suits sets without an order, such as features.

    Attributes:
      dropout_keep_prob: Keep probability of dropout on the embeddings.
    """

    modality: ClassVar[str] = "text"

    dropout_keep_prob: Annotated[float, KEEP_PROBABILITY] = 1.0

    @nn.compact
    def __call__(
        self, inputs: Float[Array, "B S E"], lengths: Int[Array, " B"], *, train: bool = False
    ) -> EncoderOutput:
        """Encode a batch: as `UnidirectionalRNNEncoder.__call__`, with outputs [B, S, E]."""
        inputs = nn.Dropout(1 - self.dropout_keep_prob)(inputs, deterministic=not train)
        return _pointwise_output(inputs, lengths)


class LinearEncoder(nn.Module):
    """A dense layer on each embedded token, y = W x + b.

    The final state is the mean of the outputs, [B, num_units]. It suits sets without an order, such
    as features.

    Attributes:
      num_units: Width of the outputs.
      dropout_keep_prob: Keep probability of dropout on the embeddings.
    """

    modality: ClassVar[str] = "text"

    num_units: Annotated[int, WIDTH] = 128
    dropout_keep_prob: Annotated[float, KEEP_PROBABILITY] = 1.0

    @nn.compact
    def __call__(
        self, inputs: Float[Array, "B S E"], lengths: Int[Array, " B"], *, train: bool = False
    ) -> EncoderOutput:
        """Encode a batch: as `UnidirectionalRNNEncoder.__call__`, with outputs [B, S, D]."""
        inputs = nn.Dropout(1 - self.dropout_keep_prob)(inputs, deterministic=not train)
        layer = Dense(self.num_units, kernel_init=xavier_uniform, name="dense")
        return _pointwise_output(layer(inputs), lengths)


def mean_over_time(x: Float[Array, "B S E"], lengths: Int[Array, " B"]) -> Float[Array, "B E"]:
    """Compute the mean of each row over its positions; zero for an empty row.

    Args:
      x: [B, S, E].
      lengths: [B].

    Returns:
      [B, E].
    """
    real = jnp.arange(x.shape[1])[:, None] < lengths[:, None, None]
    return jnp.sum(jnp.where(real, x, 0), axis=1) / jnp.maximum(lengths, 1)[:, None]


def _pointwise_output(outputs: Array, lengths: Array) -> EncoderOutput:
    real = jnp.arange(outputs.shape[1])[:, None] < lengths[:, None, None]
    outputs = jnp.where(real, outputs, 0)
    return EncoderOutput(outputs, mean_over_time(outputs, lengths), outputs, lengths)
