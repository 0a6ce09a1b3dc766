"""Decoders: one `step` function, which training scans over known tokens and a search calls."""

from typing import Annotated, ClassVar, TypeAlias

import jax.numpy as jnp
from flax import linen as nn
from flax import struct
from jaxtyping import Array, Float, PyTree

from seq2seq_jax.models.attention import Memory
from seq2seq_jax.models.cells import RNNCellBase
from seq2seq_jax.models.encoders import InitScale
from seq2seq_jax.models.functions import xavier_uniform
from seq2seq_jax.models.rnn_layers import RNNCellConfig, RNNStack
from seq2seq_jax.ops.layers import Dense
from seq2seq_jax.schema.rules import MAX_LENGTH, between

State: TypeAlias = PyTree


class DecoderStep(struct.PyTreeNode):
    """The outputs of one decoder step; of all steps together, each is [B, T, ...].

    Attributes:
      cell_output: [N, D], the output of the RNN.
      attention_scores: [N, S], the attention weights; S is 0 without attention.
      attention_context: [N, H], the weighted average of values; H is 0 without attention.
    """

    cell_output: Array
    attention_scores: Array
    attention_context: Array


MaxDecodeLength = Annotated[
    int, between(0, MAX_LENGTH), "Older spelling of inference.max_decode_length; 0: unset."
]


class DecoderBase(nn.Module, kw_only=True):
    """The part that all decoders share: an RNN, and a dense layer to the vocabulary.

    A user's own decoder can derive from this class and define `step`, `initial_state` and
    `pre_logits`; or it is any module with `zero_state`, `initial_state`, `step` and `logits`.
    """

    uses_attention: ClassVar[bool] = False

    vocab_size: int
    rnn_cell: RNNCellConfig = RNNCellConfig()
    init_scale: InitScale = RNNCellBase.init_scale
    max_decode_length: MaxDecodeLength = 0

    def setup(self) -> None:
        """Create the submodules."""
        self.stack = RNNStack(self.rnn_cell, self.init_scale)
        self.project_logits = Dense(self.vocab_size, kernel_init=xavier_uniform)

    def zero_state(self, batch_size: int) -> State:
        """Return the state of the RNN that a bridge has to fill: a pytree of zeros [B, D].

        Args:
          batch_size: B.
        """
        return self.stack.initial_state(batch_size)

    def initial_state(self, bridged: State, memory: PyTree) -> State:
        """Return the state before the first step.

        Args:
          bridged: What the bridge returned, like `zero_state`.
          memory: What `step` attends to.
        """
        raise NotImplementedError

    def step(
        self, state: State, inputs: Float[Array, "N E"], memory: PyTree, *, train: bool = False
    ) -> tuple[State, DecoderStep]:
        """Compute one step.

        Args:
          state: As `initial_state` or the step before returned it.
          inputs: [N, E], the embedded tokens.
          memory: What the decoder attends to, of B sources where N = B K; None without attention.
          train: Whether to apply dropout.

        Returns:
          The new state and the outputs.
        """
        raise NotImplementedError

    def pre_logits(self, step: DecoderStep) -> Float[Array, "... D"]:
        """Return the input of the dense layer to the vocabulary, [..., D].

        Nothing of it is fed back, so it can be computed for all steps at once.

        Args:
          step: The outputs of one step, or of all.
        """
        raise NotImplementedError

    def logits(self, step: DecoderStep) -> Float[Array, "... V"]:
        """Return the logits [..., V].

        Args:
          step: The outputs of one step, or of all.
        """
        return self.project_logits(self.pre_logits(step))


class BasicDecoder(DecoderBase, kw_only=True):
    """A decoder without attention (Sutskever et al. 2014, arXiv:1409.3215).

    output, state' = RNN(embedding, state)
    logits = W output + b
    """

    def initial_state(self, bridged: State, memory: None) -> State:
        """Return the state of the RNN."""
        return bridged

    def step(
        self, state: State, inputs: Float[Array, "N E"], memory: None, *, train: bool = False
    ) -> tuple[State, DecoderStep]:
        """Compute one step for inputs [N, E]."""
        state, output = self.stack.step(state, inputs, train=train)
        empty = output[:, :0]
        return state, DecoderStep(output, empty, empty)

    def pre_logits(self, step: DecoderStep) -> Float[Array, "... D"]:
        """Return the output of the RNN, [..., D]."""
        return step.cell_output


class AttentionDecoder(DecoderBase, kw_only=True):
    """A decoder that attends to the source after each step, and whose input is the last context.

      output, state' = RNN([embedding; context], state)
      weights, context' = attention(output, memory)
      logits = W_l tanh(W_m [output; context'] + b_m) + b_l

    The context is fed to the next step. (Luong et al. 2015, arXiv:1508.04025, feed the attentional
    vector tanh(...) instead.) The first context is zero.
    """

    uses_attention: ClassVar[bool] = True

    attention: nn.Module

    def setup(self) -> None:
        """Create the submodules."""
        super().setup()
        self.mix = Dense(self.stack.units, kernel_init=xavier_uniform)

    def initial_state(self, bridged: State, memory: Memory) -> tuple[State, Float[Array, "B H"]]:
        """Return the state of the RNN and a context of zeros, [B, H]."""
        return bridged, jnp.zeros_like(memory.values[:, 0])

    def step(
        self,
        state: tuple[State, Float[Array, "N _"]],
        inputs: Float[Array, "N E"],
        memory: Memory,
        *,
        train: bool = False,
    ) -> tuple[tuple[State, Float[Array, "N _"]], DecoderStep]:
        """Compute one step for inputs [N, E], where N = B K as in the attention layer.

        The context is [N, H], or wider where its projections are precomputed.
        """
        cells, context = state
        inputs = jnp.concatenate([inputs, context], axis=-1)
        cells, output = self.stack.step(cells, inputs, train=train)
        weights, context = self.attention(output, memory)
        return (cells, context), DecoderStep(output, weights, context)

    def pre_logits(self, step: DecoderStep) -> Float[Array, "... D"]:
        """Return the attentional vector, [..., D]."""
        joined = jnp.concatenate([step.cell_output, step.attention_context], axis=-1)
        return jnp.tanh(self.mix(joined))
