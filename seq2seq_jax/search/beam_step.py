"""One step of beam search: which of all continuations of a sentence's hypotheses survive."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jax import lax

from seq2seq_jax.ops.top_k import LARGE_VOCABULARY, blockwise_top_k

__all__ = [
    "BeamState",
    "ChooseSuccessors",
    "beam_step",
    "choose_top_k",
    "coverage_penalty",
    "diverse_step",
    "initial_beam_state",
    "length_penalty",
]

Array = jax.Array

# scores [B, K, V] -> [B, K] i32, distinct places in the flattened [K V] scores, in the order in
# which the hypotheses are to stand (the first is the answer).
ChooseSuccessors = Callable[[Array], Array]


class BeamState(struct.PyTreeNode):
    """Where B beams stand: what is known of each hypothesis without looking at its words.

    Attributes:
      log_probs: [B, K] f32; -inf marks an empty slot.
      scores: [B, K] f32, log_probs / length penalty + coverage penalty, best first.
      lengths: [B, K] i32, words without SEQUENCE_END.
      finished: [B, K] bool, whether the last word is SEQUENCE_END.
    """

    log_probs: Array
    scores: Array
    lengths: Array
    finished: Array


def choose_top_k(scores: Array) -> Array:
    """scores [B, K, V] -> the places [B, K] of the K best, best first; of equals the first."""
    batch_size, beam_width, _ = scores.shape
    return lax.top_k(scores.reshape(batch_size, -1), beam_width)[1]


def beam_step(
    state: BeamState,
    log_probs: Array,
    *,
    end_id: int,
    length_penalty_weight: float | Array,
    choose_successors: ChooseSuccessors = choose_top_k,
    log_normalisers: Array | None = None,
    bonus: Array | None = None,
) -> tuple[BeamState, Array, Array]:
    """Extends every hypothesis by one word and keeps the K best of the K V outcomes.

    Args:
      state: the K hypotheses of B sentences.
      log_probs: [B, K, V] f32, log-probability of each next word.
      end_id, length_penalty_weight, choose_successors: as in `beam_search`.
      log_normalisers: [B, K] f32, what is still to be subtracted from the log_probs; None: nothing.
      bonus: [B, K] f32, added to the scores of all continuations of a hypothesis; None: nothing.

    Returns:
      the new state, the words chosen [B, K] i32, and the slots [B, K] i32 of their parents.
    """
    batch_size, beam_width, vocabulary_size = log_probs.shape
    ids = jnp.arange(vocabulary_size)
    if choose_successors is choose_top_k and vocabulary_size >= LARGE_VOCABULARY:
        # No hypothesis can have more than K successors. The likeliest words have the best scores,
        # for they make it equally long; SEQUENCE_END does not, so it stands beside them.
        ends = log_probs[..., end_id, None]
        log_probs, ids = blockwise_top_k(log_probs, min(beam_width + 1, vocabulary_size))
        log_probs = jnp.concatenate([jnp.where(ids == end_id, -jnp.inf, log_probs), ends], axis=-1)
        ids = jnp.concatenate([ids, jnp.full(ends.shape, end_id)], axis=-1)
        is_end = jnp.arange(ids.shape[-1]) == ids.shape[-1] - 1
    else:
        is_end = ids == end_id
    if log_normalisers is not None:
        log_probs = log_probs - log_normalisers[..., None]

    after_end = jnp.where(is_end, 0.0, -jnp.inf)
    log_probs = jnp.where(state.finished[..., None], after_end, log_probs)
    totals = state.log_probs[..., None] + log_probs
    # Only words lengthen a hypothesis. So a hypothesis has two penalties, not V of them.
    penalty = length_penalty(state.lengths, length_penalty_weight)[..., None]
    longer_penalty = length_penalty(state.lengths + 1, length_penalty_weight)[..., None]
    scores = totals / jnp.where(is_end, penalty, longer_penalty)
    if bonus is not None:
        scores = scores + bonus[..., None]

    chosen = choose_successors(scores)
    parents, columns = chosen // scores.shape[-1], chosen % scores.shape[-1]

    def of_chosen(values: Array) -> Array:
        return jnp.take_along_axis(values.reshape(batch_size, -1), chosen, axis=1)

    def of_parent(values: Array) -> Array:
        return jnp.take_along_axis(values, parents, axis=1)

    words = columns if ids.ndim == 1 else of_chosen(ids)
    finished = words == end_id
    new_state = BeamState(
        log_probs=of_chosen(totals),
        scores=of_chosen(scores),
        lengths=of_parent(state.lengths) + ~finished,
        finished=finished,
    )
    return new_state, words, parents


def diverse_step(
    state: BeamState,
    log_probs: Array,
    *,
    end_id: int,
    length_penalty_weight: float | Array,
    choose_successors: ChooseSuccessors = choose_top_k,
    log_normalisers: Array | None = None,
    bonus: Array | None = None,
    groups: int = 1,
    strength: float = 0.0,
) -> tuple[BeamState, Array, Array]:
    """`beam_step` in groups of slots, each its own beam, one after the other (Vijayakumar et al.
    2016, arXiv:1610.02424, with their Hamming diversity).

    A word that hypotheses in the groups before have just chosen n times loses n * strength of its
    log-probability when a group chooses. What is kept of it is the log-probability that it has. The
    first group is a usual beam search of its width.

    Args and results are those of `beam_step`, and:
      groups: a divisor of K; slots k K / groups to (k + 1) K / groups - 1 are group k.
      strength: at least 0.
    """
    if groups == 1:
        return beam_step(
            state,
            log_probs,
            end_id=end_id,
            length_penalty_weight=length_penalty_weight,
            choose_successors=choose_successors,
            log_normalisers=log_normalisers,
            bonus=bonus,
        )
    batch_size, beam_width, vocabulary_size = log_probs.shape
    size = beam_width // groups
    sentences = jnp.arange(batch_size)[:, None]
    counts = jnp.zeros([batch_size, vocabulary_size])
    done = []
    for first in range(0, beam_width, size):

        def of_group(leaf: Array | None, first: int = first) -> Any:
            return None if leaf is None else leaf[:, first : first + size]

        group = jax.tree.map(of_group, state)
        new, words, parents = beam_step(
            group,
            of_group(log_probs) - strength * counts[:, None],
            end_id=end_id,
            length_penalty_weight=length_penalty_weight,
            choose_successors=choose_successors,
            log_normalisers=of_group(log_normalisers),
            bonus=of_group(bonus),
        )
        resuming = ~jnp.take_along_axis(group.finished, parents, axis=1)
        lost = jnp.where(resuming, strength * jnp.take_along_axis(counts, words, axis=1), 0.0)
        new = new.replace(
            log_probs=new.log_probs + lost,
            scores=new.scores + lost / length_penalty(new.lengths, length_penalty_weight),
        )
        resuming &= ~jnp.isneginf(new.log_probs)
        counts = counts.at[sentences, words].add(resuming.astype(jnp.float32))
        done.append((new, words, parents + first))
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves, axis=1), *done)


def initial_beam_state(batch_size: int, beam_width: int, groups: int = 1) -> BeamState:
    """The state before the first step: one hypothesis, the empty one, in slot 0 (of each group).

    The other slots are impossible; otherwise all K would spawn the same continuations.
    """
    is_first = jnp.arange(beam_width) % (beam_width // groups) == 0
    log_probs = jnp.where(is_first, 0.0, -jnp.inf).astype(jnp.float32)
    log_probs = jnp.broadcast_to(log_probs, [batch_size, beam_width])
    return BeamState(
        log_probs=log_probs,
        scores=log_probs,
        lengths=jnp.zeros([batch_size, beam_width], jnp.int32),
        finished=jnp.zeros([batch_size, beam_width], bool),
    )


def length_penalty(lengths: Array, weight: float | Array) -> Array:
    """((5 + length) / 6) ** weight, what log-probabilities are divided by (Wu et al. 2016,
    arXiv:1609.08144, equation 14): longer sentences are less likely, and not worse for it."""
    return ((5.0 + lengths) / 6.0) ** weight


def coverage_penalty(coverage: Array, source_len: Array) -> Array:
    """sum_i log(min(coverage_i, 1)), at most 0 (Wu et al. 2016, arXiv:1609.08144, equation 14): a
    source word that was hardly looked at was hardly translated.

    Args:
      coverage: [B, K, S] f32, the attention that each source position had, summed over the tokens
        chosen, SEQUENCE_END included. What is zero in float32 counts as its smallest number.
      source_len: [B] i32, how many positions are real.

    Returns:
      [B, K]
    """
    logs = jnp.log(jnp.clip(coverage, jnp.finfo(jnp.float32).tiny, 1.0))
    real = jnp.arange(coverage.shape[-1]) < jnp.asarray(source_len)[:, None, None]
    return jnp.sum(jnp.where(real, logs, 0.0), axis=-1)
