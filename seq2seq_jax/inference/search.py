"""What every search is given, and what it returns."""

from collections.abc import Callable
from typing import Any

import jax
from flax import struct

__all__ = ["SearchResult", "StepFn"]

Array = jax.Array

# One decoder step for N hypotheses:
#   (tokens [N] i32, state: a tree of arrays with leading axis N)
#   -> (log_probs [N, V] f32, new state, attention [N, S] f32, or [N, 0] from a model without it)
# Whatever stays the same from step to step (the encoder's memory) belongs in its closure, not in
# the state: a beam search reorders the state at every step.
StepFn = Callable[[Array, Any], tuple[Array, Any, Array]]


class SearchResult(struct.PyTreeNode):
    """The hypotheses of B sentences, best first; K is 1 for greedy search.

    Attributes:
      ids: [B, K, T] i32, T = max_length; SEQUENCE_END from `lengths` on.
      lengths: [B, K] i32, words without SEQUENCE_END.
      finished: [B, K] bool, whether SEQUENCE_END was reached.
      log_probs: [B, K] f32, natural logarithm of the probability, SEQUENCE_END's factor included;
        -inf where a beam has more slots than there are hypotheses (those have length 0).
      scores: [B, K] f32, what the hypotheses are ranked by: log_probs / length penalty.
      attention: [B, K, T, S] f32, the weights each token was chosen with, SEQUENCE_END's included;
        zero after it.
    """

    ids: Array
    lengths: Array
    finished: Array
    log_probs: Array
    scores: Array
    attention: Array
