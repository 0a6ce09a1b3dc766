"""What every encoder gives."""

from typing import Any

import jax
from flax import struct

Array = jax.Array


class EncoderOutput(struct.PyTreeNode):
    """What an encoder gives.

    Attributes:
      outputs: [B, S, H], from which attention makes its keys.
      final_state: a pytree of [B, D], for the bridge.
      attention_values: [B, S, H], what attention averages.
      attention_values_length: [B], how many of them are real.
    """

    outputs: Array
    final_state: Any
    attention_values: Array
    attention_values_length: Array
