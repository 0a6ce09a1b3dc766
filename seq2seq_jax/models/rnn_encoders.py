"""Recurrent encoders: from embedded sources to outputs, final states, and attention's values."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from seq2seq_jax.models.encoder_output import EncoderOutput
from seq2seq_jax.models.rnn_layers import BidirectionalRNNStack, RNNStack

Array = jax.Array


class UnidirectionalRNNEncoder(nn.Module):
    """A stack of cells from left to right (Sutskever et al. 2014, arXiv:1409.3215)."""

    rnn_cell: Mapping[str, Any]
    init_scale: float = 0.04

    @nn.compact
    def __call__(self, inputs: Array, lengths: Array, *, train: bool = False) -> EncoderOutput:
        """inputs [B, S, E], lengths [B]"""
        stack = RNNStack(**self.rnn_cell, init_scale=self.init_scale, name="forward")
        outputs, final_state = stack(inputs, lengths, train=train)
        return EncoderOutput(outputs, final_state, outputs, lengths)


class BidirectionalRNNEncoder(nn.Module):
    """One whole stack in each direction, outputs joined: H = 2 D (Schuster and Paliwal 1997).

    final_state is the pair (forward, backward).
    """

    rnn_cell: Mapping[str, Any]
    init_scale: float = 0.04

    @nn.compact
    def __call__(self, inputs: Array, lengths: Array, *, train: bool = False) -> EncoderOutput:
        """inputs [B, S, E], lengths [B]"""
        outputs, final_state = [], []
        for name in ("forward", "backward"):
            stack = RNNStack(**self.rnn_cell, init_scale=self.init_scale, name=name)
            output, state = stack(inputs, lengths, reverse=name == "backward", train=train)
            outputs.append(output)
            final_state.append(state)
        joined = jnp.concatenate(outputs, axis=-1)
        return EncoderOutput(joined, tuple(final_state), joined, lengths)


class StackBidirectionalRNNEncoder(nn.Module):
    """Both directions of a layer are joined before the next layer sees them (Graves et al. 2013,
    arXiv:1303.5778): H = 2 D.

    final_state is (forward states of all layers, backward states of all layers).
    """

    rnn_cell: Mapping[str, Any]
    init_scale: float = 0.04

    @nn.compact
    def __call__(self, inputs: Array, lengths: Array, *, train: bool = False) -> EncoderOutput:
        """inputs [B, S, E], lengths [B]"""
        stack = BidirectionalRNNStack(**self.rnn_cell, init_scale=self.init_scale, name="stack")
        outputs, final_state = stack(inputs, lengths, train=train)
        return EncoderOutput(outputs, final_state, outputs, lengths)
