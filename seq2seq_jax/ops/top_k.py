"""The k largest logits of a large vocabulary.

Reference: `jax.lax.top_k`. Fast: the vocabulary is divided into blocks. The k largest logits lie in
the k blocks with the largest maxima, and only these are searched.
"""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from seq2seq_jax.ops.kernels import active_kernels

LARGE_VOCABULARY = 512
"""The size from which the fast form is faster."""

_BLOCK_SIZE = 32


def blockwise_top_k(
    logits: Float[Array, "*batch V"], k: int
) -> tuple[Float[Array, "*batch k"], Int[Array, "*batch k"]]:
    """Find the k largest logits.

    Args:
      logits: [..., V].
      k: How many to find.

    Returns:
      Their values [..., k], in descending order, and their indices [..., k], i32. Of equal logits
      any may be found.

    Example:
      >>> import jax.numpy as jnp
      >>> from seq2seq_jax.ops.top_k import blockwise_top_k
      >>> values, indices = blockwise_top_k(jnp.array([0.5, 3.0, -1.0, 2.0]), 2)
      >>> values.tolist(), indices.tolist()
      ([3.0, 2.0], [1, 3])
    """
    *batch, size = logits.shape
    num_blocks = size // _BLOCK_SIZE
    small = size < LARGE_VOCABULARY or k > num_blocks // 2
    if small or active_kernels() == "reference":
        values, indices = lax.top_k(logits, k)
        return values, indices
    # Block j has every `num_blocks`-th token from j on, so that maxima are taken over whole rows.
    # The tokens that are left at the end belong to no block and are always searched.
    in_blocks = num_blocks * _BLOCK_SIZE
    table = logits[..., :in_blocks].reshape(*batch, _BLOCK_SIZE, num_blocks)
    best = lax.top_k(jnp.max(table, axis=-2), k)[1]
    inside = best[..., None, :] + num_blocks * jnp.arange(_BLOCK_SIZE)[:, None]
    rest = jnp.broadcast_to(jnp.arange(in_blocks, size), [*batch, size - in_blocks])
    candidates = jnp.concatenate([inside.reshape(*batch, -1), rest], axis=-1)
    values, found = lax.top_k(jnp.take_along_axis(logits, candidates, axis=-1), k)
    return values, jnp.take_along_axis(candidates, found, axis=-1)
