"""Decoders: one `step` that training scans over known words and search drives with its own."""

from typing import Annotated, Any, ClassVar

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import struct

from seq2seq_jax.models.attention import Memory
from seq2seq_jax.models.encoders import InitScale
from seq2seq_jax.models.functions import xavier_uniform
from seq2seq_jax.models.rnn_layers import RNNCellConfig, RNNStack
from seq2seq_jax.ops.layers import Dense
from seq2seq_jax.schema.rules import at_least

__all__ = ["AttentionDecoder", "BasicDecoder"]

Array = jax.Array
State = Any


class DecoderStep(struct.PyTreeNode):
    """What a step gives: the stack's output [N, D], and, where there is attention, its weights
    [N, S] over the source and the weighted average [N, H] (S and H are 0 without it). Over time
    [B, T, ...]."""

    cell_output: Array
    attention_scores: Array
    attention_context: Array


MaxDecodeLength = Annotated[
    int, at_least(0), "Older spelling of inference.max_decode_length; 0: unset."
]


class BasicDecoder(nn.Module):
    """A stack of cells, and a dense layer to the vocabulary (Sutskever et al. 2014,
    arXiv:1409.3215).

    output, state' = stack(embedding, state)
    logits = W output + b
    """

    uses_attention: ClassVar[bool] = False

    vocab_size: int
    rnn_cell: RNNCellConfig = RNNCellConfig()
    init_scale: InitScale = 0.04
    max_decode_length: MaxDecodeLength = 0

    def setup(self):
        self.stack = RNNStack(self.rnn_cell, self.init_scale)
        self.project_logits = Dense(self.vocab_size, kernel_init=xavier_uniform)

    def zero_state(self, batch_size: int) -> State:
        """The state of the cells that the bridge has to fill: a pytree of zeros [B, D]."""
        return self.stack.initial_state(batch_size)

    def initial_state(self, bridged: State, memory: None) -> State:
        return bridged

    def step(
        self, state: State, inputs: Array, memory: None, *, train: bool = False
    ) -> tuple[State, DecoderStep]:
        """inputs [N, E] -> new state, outputs"""
        state, output = self.stack.step(state, inputs, train=train)
        none = output[:, :0]
        return state, DecoderStep(output, none, none)

    def logits(self, step: DecoderStep) -> Array:
        """[..., D] -> [..., V]; nothing of it is fed back: all steps can be done at once."""
        return self.project_logits(self.pre_logits(step))

    def pre_logits(self, step: DecoderStep) -> Array:
        """What the logits are made of, [..., D]."""
        return step.cell_output


class AttentionDecoder(nn.Module):
    """A stack of cells that looks at the source after each step, and is fed what it saw.

      output, state' = stack([embedding; context], state)
      weights, context' = attention(output, memory)
      logits = W_l tanh(W_m [output; context'] + b_m) + b_l

    The context goes to the next input (Luong et al. 2015, arXiv:1508.04025, feed the mixed vector
    instead); the first context is zero.
    """

    uses_attention: ClassVar[bool] = True

    vocab_size: int
    attention: nn.Module
    rnn_cell: RNNCellConfig = RNNCellConfig()
    init_scale: InitScale = 0.04
    max_decode_length: MaxDecodeLength = 0

    def setup(self):
        self.stack = RNNStack(self.rnn_cell, self.init_scale)
        self.mix = Dense(self.stack.units, kernel_init=xavier_uniform)
        self.project_logits = Dense(self.vocab_size, kernel_init=xavier_uniform)

    def zero_state(self, batch_size: int) -> State:
        """The state of the cells that the bridge has to fill: a pytree of zeros [B, D]."""
        return self.stack.initial_state(batch_size)

    def initial_state(self, bridged: State, memory: Memory) -> tuple[State, Array]:
        """The cells' state, and the context [B, H]: nothing seen yet."""
        return bridged, jnp.zeros_like(memory.values[:, 0])

    def step(
        self, state: tuple[State, Array], inputs: Array, memory: Memory, *, train: bool = False
    ) -> tuple[tuple[State, Array], DecoderStep]:
        """inputs [N, E] -> new state, outputs; N as in the attention layer"""
        cells, context = state
        cells, output = self.stack.step(
            cells, jnp.concatenate([inputs, context], axis=-1), train=train
        )
        weights, context = self.attention(output, memory)
        return (cells, context), DecoderStep(output, weights, context)

    def logits(self, step: DecoderStep) -> Array:
        """[..., V]; nothing of it is fed back: all steps can be done at once."""
        return self.project_logits(self.pre_logits(step))

    def pre_logits(self, step: DecoderStep) -> Array:
        """The attentional vector [..., D]."""
        seen = jnp.concatenate([step.cell_output, step.attention_context], axis=-1)
        return jnp.tanh(self.mix(seen))
