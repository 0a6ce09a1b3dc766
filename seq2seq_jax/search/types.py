"""What every search is given and what it returns: step function, context and result."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Int, PyTree, UInt32

from seq2seq_jax.search.constraints import Constraint
from seq2seq_jax.search.output_trie import OutputTrie
from seq2seq_jax.search.search_config import SearchConfig

StepFn = Callable[[Array, PyTree], tuple[Array, PyTree, Array]]
"""One decoder step for N hypotheses.

  (tokens [N] i32, state: a tree of arrays with leading axis N)
  -> (logits [N, V] f32, new state, attention [N, S] f32, or [N, 0] from a model without attention)

Logits are log-probabilities up to a constant in each row: a search needs few of the V, so it
normalizes only those. What stays the same from step to step (the encoder's memory) belongs in the
closure of the function and not in the state, because a beam search reorders the state at each step.
"""


@dataclass(frozen=True, kw_only=True, eq=False)
class DecodeContext:
    """The arguments of a search in addition to the step function and the initial state.

    Attributes:
      config: How to search.
      batch_size: B.
      bos_id: The first input, SEQUENCE_START.
      eos_id: The token that ends a hypothesis, SEQUENCE_END.
      constraints: Rules on what may come next; a later one overrides an earlier one.
      is_pad: [B] bool, the rows that pad the batch: their result is empty and costs no step.
        None: no row does.
      source_len: [B] i32, lengths of the sources. Only a coverage penalty needs them.
      seeds: [B] u32, one seed for each source, see `per_example_seeds`. Only sampling needs them.
      trie: The allowed outputs, whose nodes the constraint `only_outputs_of` reads; None: no list.
    """

    config: SearchConfig
    batch_size: int
    bos_id: int
    eos_id: int
    constraints: Sequence[Constraint] = ()
    is_pad: Bool[Array, " B"] | None = None
    source_len: Int[Array, " B"] | None = None
    seeds: UInt32[Array, " B"] | None = None
    trie: OutputTrie | None = None

    def initial_done(self) -> Bool[Array, " B"]:
        """Return which sources need no step at all."""
        return jnp.zeros([self.batch_size], bool) if self.is_pad is None else self.is_pad


class BatchedBeamTrace(struct.PyTreeNode):
    """How a beam search proceeded, step by step; beam indices are those after the step.

    Attributes:
      tokens: [T, B, K] i32, the token chosen; SEQUENCE_END for a finished hypothesis.
      backpointers: [T, B, K] i32, the beam index, before the step, of the hypothesis that this one
        extends.
      log_probs: [T, B, K] f32, log-probability of the hypothesis so far; -inf if there is none.
      scores: [T, B, K] f32, what the hypothesis is ranked by.
      steps: [B] i32, number of steps of each source; later entries have no meaning.
      beam_indices: [B, K] i32, the beam index, after the last step, of each hypothesis, best first.
    """

    tokens: Array
    backpointers: Array
    log_probs: Array
    scores: Array
    steps: Array
    beam_indices: Array


class SearchResult(struct.PyTreeNode):
    """The hypotheses for B sources, best first; K is 1 for greedy search.

    Attributes:
      ids: [B, K, T] i32, T = max_length; SEQUENCE_END from `lengths` on.
      lengths: [B, K] i32, number of tokens without SEQUENCE_END.
      finished: [B, K] bool, whether SEQUENCE_END was reached.
      log_probs: [B, K] f32, natural logarithm of the probability, including SEQUENCE_END; -inf
        where a beam is wider than the number of hypotheses (such entries have length 0).
      scores: [B, K] f32, what the hypotheses are ranked by: log_probs / length penalty + coverage
        penalty.
      attention: [B, K, T, S] f32, the attention weights with which each token was chosen, including
        SEQUENCE_END; zero after it. None unless `return_attention`.
      beam_trace: How the beam search proceeded. None unless `return_beam_trace`.
    """

    ids: Array
    lengths: Array
    finished: Array
    log_probs: Array
    scores: Array
    attention: Array | None = None
    beam_trace: BatchedBeamTrace | None = None


def tile_to_beams(tree: PyTree, beam_width: int) -> PyTree:
    """Repeat every row K times.

    Args:
      tree: Arrays with leading axis B.
      beam_width: K.

    Returns:
      The tree with leading axes B K; row b K + k is a copy of row b.
    """
    return jax.tree.map(lambda leaf: jnp.repeat(leaf, beam_width, axis=0), tree)
