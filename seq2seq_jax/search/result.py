"""What every search is given, and what it returns."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

__all__ = ["BeamHistory", "SearchResult", "StepFn", "tile_to_beams"]

Array = jax.Array

# One decoder step for N hypotheses:
#   (tokens [N] i32, state: a tree of arrays with leading axis N)
#   -> (logits [N, V] f32, new state, attention [N, S] f32, or [N, 0] from a model without it)
# Logits are log-probabilities up to a constant in each row: a search needs few of the V, and takes
# the constant from those alone.
# Whatever stays the same from step to step (the encoder's memory) belongs in its closure, not in
# the state: a beam search reorders the state at every step.
StepFn = Callable[[Array, Any], tuple[Array, Any, Array]]


class BeamHistory(struct.PyTreeNode):
    """How a beam search came about, step by step; slots are those after the step.

    Attributes:
      words: [T, B, K] i32, the word chosen; SEQUENCE_END for a finished hypothesis.
      parents: [T, B, K] i32, the slot, before the step, of the hypothesis that it continues.
      log_probs: [T, B, K] f32, of the hypothesis up to here; -inf in an empty slot.
      scores: [T, B, K] f32, what it is ranked by.
      steps: [B] i32, how many steps the sentence took; what is behind them means nothing.
      slots: [B, K] i32, the last step's slot of each hypothesis of the result.
    """

    words: Array
    parents: Array
    log_probs: Array
    scores: Array
    steps: Array
    slots: Array


class SearchResult(struct.PyTreeNode):
    """The hypotheses of B sentences, best first; K is 1 for greedy search.

    Attributes:
      ids: [B, K, T] i32, T = max_length; SEQUENCE_END from `lengths` on.
      lengths: [B, K] i32, words without SEQUENCE_END.
      finished: [B, K] bool, whether SEQUENCE_END was reached.
      log_probs: [B, K] f32, natural logarithm of the probability, SEQUENCE_END's factor included;
        -inf where a beam has more slots than there are hypotheses (those have length 0).
      scores: [B, K] f32, what the hypotheses are ranked by: log_probs / length penalty + coverage
        penalty.
      attention: [B, K, T, S] f32, the weights each token was chosen with, SEQUENCE_END's included;
        zero after it. None where it was not asked for.
      history: of a beam search, where it was asked for.
    """

    ids: Array
    lengths: Array
    finished: Array
    log_probs: Array
    scores: Array
    attention: Array | None = None
    history: BeamHistory | None = None


def tile_to_beams(tree: Any, beam_width: int) -> Any:
    """Repeats every row K times: leaves [B, ...] -> [B K, ...], row b K + k being row b.

    For what a `step_fn` closes over and needs a row a hypothesis.
    """
    return jax.tree.map(lambda leaf: jnp.repeat(leaf, beam_width, axis=0), tree)
