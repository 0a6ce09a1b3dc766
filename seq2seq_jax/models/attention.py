"""Attention: where in the source does the next word come from?

The encoder's outputs are projected to keys once a sentence; each decoder step brings a query.
"""

import math
from typing import Annotated

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import struct

from seq2seq_jax.models.functions import symmetric_uniform, xavier_uniform
from seq2seq_jax.ops.layers import Dense
from seq2seq_jax.ops.rnn_scan import keep
from seq2seq_jax.schema.rules import at_least

__all__ = ["AttentionLayerBahdanau", "AttentionLayerDot"]

Array = jax.Array


class Memory(struct.PyTreeNode):
    """What a decoder attends to: projected keys [B, S, A], values [B, S, H], lengths [B].

    `v` [B, A] are the weights of a score that has some, for each row: the gradient of a row's
    stays where the row is until the last step, and only then is summed over rows and devices.
    """

    keys: Array
    values: Array
    lengths: Array
    v: Array | None = None


class _AttentionLayer(nn.Module):
    """The part that all attentions share; they differ in `_scores`."""

    num_units: Annotated[int, at_least(1), "Width of the projected keys and queries."] = 128

    def setup(self):
        self.project_keys = Dense(self.num_units, kernel_init=xavier_uniform)
        self.project_query = Dense(self.num_units, kernel_init=xavier_uniform)

    def memory(self, outputs: Array, values: Array, lengths: Array) -> Memory:
        """Projects the encoder's outputs [B, S, H] to keys: once a sentence, not once a step."""
        return Memory(keys=self.project_keys(outputs), values=values, lengths=lengths)

    def __call__(self, query: Array, memory: Memory) -> tuple[Array, Array]:
        """query [N, D], N a multiple of B -> weights [N, S] that sum to one, context [N, H].

        With N = B K each K consecutive queries (the hypotheses of a beam) share one sentence's
        memory, which is therefore never copied. An empty source gives uniform weights over the
        padding.
        """
        batch = memory.keys.shape[0]
        query = keep(self.project_query(query)).reshape(batch, -1, self.num_units)
        return attend(keep(self._scores(query, memory)), memory)


class AttentionLayerDot(_AttentionLayer):
    """score = (W_k key + b_k) . (W_q query + b_q) (Luong et al. 2015, arXiv:1508.04025)."""

    def _scores(self, query: Array, memory: Memory) -> Array:
        return jnp.einsum("bka,bsa->bks", query, memory.keys)


class AttentionLayerBahdanau(_AttentionLayer):
    """score = v . tanh(W_k key + b_k + W_q query + b_q) (Bahdanau et al. 2014, arXiv:1409.0473)."""

    def setup(self):
        super().setup()
        unit_variance = symmetric_uniform(math.sqrt(3 / self.num_units))
        self.v = self.param("v", unit_variance, (self.num_units,))

    def memory(self, outputs: Array, values: Array, lengths: Array) -> Memory:
        v = jnp.broadcast_to(self.v, (outputs.shape[0], self.num_units))
        return super().memory(outputs, values, lengths).replace(v=v)

    def _scores(self, query: Array, memory: Memory) -> Array:
        hidden = jnp.tanh(memory.keys[:, None] + query[:, :, None])  # [B, K, S, A]
        return jnp.einsum("bksa,ba->bks", hidden, memory.v)


def attend(scores: Array, memory: Memory) -> tuple[Array, Array]:
    """scores [B, K, S] -> their softmax over real positions [B K, S], context [B K, H]."""
    positions = scores.shape[-1]
    real = jnp.arange(positions) < memory.lengths[:, None, None]
    scores = scores.astype(jnp.promote_types(scores.dtype, jnp.float32))
    scores = jnp.where(real, scores, jnp.finfo(scores.dtype).min)
    weights = jax.nn.softmax(scores, axis=-1)
    context = jnp.einsum("bks,bsh->bkh", weights, memory.values)
    return weights.reshape(-1, positions), context.reshape(-1, context.shape[-1])
