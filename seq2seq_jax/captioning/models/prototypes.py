"""How much something is like each of those that are remembered.

  s_k = beta cos(x, p_k)
  a = softmax(s)

A softmax over what examples look like is a nearest neighbour that can be trained: Vinyals et al.
2016, "Matching Networks for One Shot Learning" (arXiv:1606.04080), where the examples are fixed and
what reads them is learned. Here the p_k begin as examples and are learned too.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax

Array = jax.Array


class Prototypes(nn.Module):
    """
    Attributes:
      number: K.
      sharpness: beta at the beginning; it is trained.
    """

    number: int
    sharpness: float

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """x [B, D] -> a [B, K], rows that sum to one"""
        shape = (self.number, x.shape[-1])
        vectors = self.param("vectors", nn.initializers.normal(1.0), shape)
        sharpness = self.param("sharpness", nn.initializers.constant(self.sharpness), ())
        return jax.nn.softmax(sharpness * (_unit(x) @ _unit(vectors).T))


def _unit(x: Array) -> Array:
    return x * lax.rsqrt(jnp.sum(jnp.square(x), axis=-1, keepdims=True) + 1e-12)
