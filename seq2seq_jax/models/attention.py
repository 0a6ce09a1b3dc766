"""Attention: a weighted average of the encoder's values, with weights that the decoder chooses.

The encoder's outputs are projected to keys once for a source; each decoder step brings a query.
"""

import math
from typing import Annotated

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import struct
from jaxtyping import Array, Float, Int

from seq2seq_jax.models.functions import symmetric_uniform, xavier_uniform
from seq2seq_jax.ops.layers import Dense
from seq2seq_jax.schema.rules import WIDTH


class Memory(struct.PyTreeNode):
    """What a decoder attends to.

    Attributes:
      keys: [B, S, A], the projected outputs of the encoder.
      values: [B, S, H].
      lengths: [B], the number of values that are not padding.
      v: [B, A], the weights of an additive score; None for other scores.
    """

    keys: Array
    values: Array
    lengths: Array
    v: Array | None = None


class AttentionLayerBase(nn.Module):
    """The part that all attention layers share; they differ in `scores`.

    A user's own layer can derive from this class and define `scores`; or it is any module with
    `memory` and `__call__`.

    Attributes:
      num_units: Width of the projected keys and queries.
    """

    num_units: Annotated[int, WIDTH] = 128

    def setup(self) -> None:
        """Create the submodules."""
        self.project_keys = Dense(self.num_units, kernel_init=xavier_uniform)
        self.project_query = Dense(self.num_units, kernel_init=xavier_uniform)

    def memory(
        self,
        outputs: Float[Array, "B S _"],
        values: Float[Array, "B S H"],
        lengths: Int[Array, " B"],
    ) -> Memory:
        """Project the encoder's outputs to keys, once for a source and not at every step.

        Args:
          outputs: [B, S, H].
          values: [B, S, H].
          lengths: [B].

        Returns:
          The `Memory`.
        """
        return Memory(keys=self.project_keys(outputs), values=values, lengths=lengths)

    def __call__(
        self, query: Float[Array, "N D"], memory: Memory
    ) -> tuple[Float[Array, "N S"], Float[Array, "N H"]]:
        """Attend to the memory.

        Args:
          query: [N, D], where N = B K: K consecutive queries (the hypotheses of a beam) share the
            memory of one source, which is never copied.
          memory: The result of `memory`.

        Returns:
          The weights [N, S], which sum to one, and the context [N, H]. An empty source has equal
          weights on its padding.
        """
        query = self.project_query(query)
        query = query.reshape(memory.keys.shape[0], -1, query.shape[-1])
        return attend(self.scores(query, memory), memory)

    def scores(self, query: Float[Array, "B K A"], memory: Memory) -> Float[Array, "B K S"]:
        """Compute the score of each value.

        Args:
          query: [B, K, A], projected.
          memory: The result of `memory`.

        Returns:
          [B, K, S].
        """
        raise NotImplementedError


class AttentionLayerDot(AttentionLayerBase):
    """Dot-product attention (Luong et al. 2015, arXiv:1508.04025).

    score = (W_k key + b_k) . (W_q query + b_q)
    """

    def scores(self, query: Float[Array, "B K A"], memory: Memory) -> Float[Array, "B K S"]:
        """Compute the scores, [B, K, S]."""
        return jnp.einsum("bka,bsa->bks", query, memory.keys)


class AttentionLayerBahdanau(AttentionLayerBase):
    """Additive attention (Bahdanau et al. 2014, arXiv:1409.0473).

    score = v . tanh(W_k key + b_k + W_q query + b_q)
    """

    def setup(self) -> None:
        """Create the submodules."""
        super().setup()
        unit_variance = symmetric_uniform(math.sqrt(3 / self.num_units))
        self.v = self.param("v", unit_variance, (self.num_units,))

    def memory(
        self,
        outputs: Float[Array, "B S _"],
        values: Float[Array, "B S H"],
        lengths: Int[Array, " B"],
    ) -> Memory:
        """Project the encoder's outputs to keys, and add v to the memory."""
        # Each row has its own copy of v. So its gradient is summed over rows and devices once,
        # and not at every step.
        v = jnp.broadcast_to(self.v, (outputs.shape[0], self.num_units))
        return super().memory(outputs, values, lengths).replace(v=v)

    def scores(self, query: Float[Array, "B K A"], memory: Memory) -> Float[Array, "B K S"]:
        """Compute the scores, [B, K, S]."""
        hidden = jnp.tanh(memory.keys[:, None] + query[:, :, None])  # [B, K, S, A]
        return jnp.einsum("bksa,ba->bks", hidden, memory.v)


def attend(
    scores: Float[Array, "B K S"], memory: Memory
) -> tuple[Float[Array, "N S"], Float[Array, "N H"]]:
    """Average the values with the softmax of the scores over all positions but padding.

    Args:
      scores: [B, K, S].
      memory: The memory.

    Returns:
      The weights [B K, S] and the context [B K, H].
    """
    positions = scores.shape[-1]
    real = jnp.arange(positions) < memory.lengths[:, None, None]
    scores = scores.astype(jnp.promote_types(scores.dtype, jnp.float32))
    scores = jnp.where(real, scores, jnp.finfo(scores.dtype).min)  # type: ignore[no-untyped-call]
    weights = jax.nn.softmax(scores, axis=-1)
    context = jnp.einsum("bks,bsh->bkh", weights, memory.values)
    return weights.reshape(-1, positions), context.reshape(-1, context.shape[-1])
