"""Beam search: the K best hypotheses at every step, for a whole batch at once.

A step scores all K V continuations of a sentence's K hypotheses, keeps the K best, and notes only
the chosen words and which hypothesis each came from (its parent). When the search is over, the
sentences are read backwards along the parents. Nothing that has been written is moved again.

Finished hypotheses keep competing for the same K slots: they have one continuation,
SEQUENCE_END, which is free.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import struct
from jax import lax

from seq2seq_jax.inference.search import SearchResult, StepFn

__all__ = [
    "BeamState",
    "beam_search",
    "beam_step",
    "choose_top_k",
    "gather_tree",
    "initial_beam_state",
    "length_penalty",
    "tile_to_beams",
]

Array = jax.Array

# scores [B, K, V] -> [B, K] i32, distinct places in the flattened [K V] scores, in the order in
# which the hypotheses are to stand (the first is the answer).
ChooseSuccessors = Callable[[Array], Array]


class BeamState(struct.PyTreeNode):
    """Where B beams stand: what is known of each hypothesis without looking at its words.

    Attributes:
      log_probs: [B, K] f32; -inf marks an empty slot.
      scores: [B, K] f32, log_probs / length penalty, best first.
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


def beam_search(
    step_fn: StepFn,
    initial_state: Any,
    *,
    batch_size: int,
    beam_width: int,
    length_penalty_weight: float | Array,
    start_id: int,
    end_id: int,
    max_length: int,
    n_best: int = 1,
    choose_successors: ChooseSuccessors = choose_top_k,
) -> SearchResult:
    """Searches for the sentences with the best log-probability / length penalty.

    A sentence's search is over when none of its live hypotheses can reach the `n_best` any more;
    from then on it is frozen, so that its result does not depend on the rest of the batch. The loop
    ends when all are over, or after `max_length` steps (SEQUENCE_END's step counts).

    Args:
      step_fn: one decoder step, see `search.StepFn`; called with N = B K, where hypothesis k of
        sentence b is row b K + k.
      initial_state: tree of arrays with leading axis B; tiled to B K here.
      batch_size: B.
      beam_width: K; may exceed V.
      length_penalty_weight: the exponent of `length_penalty`; 0 ranks by log-probability alone.
      start_id: the first input, SEQUENCE_START.
      end_id: SEQUENCE_END.
      max_length: T, at least 1.
      n_best: how many hypotheses are wanted, 1 to K: those are what a search to the very end gives.
        The slots after them hold what was there when the search ended.
      choose_successors: which continuations survive. With a rule of your own a sentence is over
        when all of its hypotheses are finished, whatever `n_best`.

    Returns:
      a `SearchResult`. To be called inside `jax.jit`.
    """
    if not 1 <= n_best <= beam_width:
        raise ValueError(f"n_best must lie between 1 and beam_width {beam_width}, not {n_best}")
    if choose_successors is not choose_top_k:
        n_best = beam_width  # the bound of `_is_over` holds only where the best are kept

    rows = batch_size * beam_width
    tokens = jnp.full([rows], start_id, jnp.int32)
    state = tile_to_beams(initial_state, beam_width)
    _, _, attention = jax.eval_shape(step_fn, tokens, state)
    stay = jnp.broadcast_to(jnp.arange(beam_width), [batch_size, beam_width])
    start = _Progress(
        step=jnp.int32(0),
        over=jnp.zeros([batch_size], bool),
        tokens=tokens,
        state=state,
        beams=initial_beam_state(batch_size, beam_width),
        words=jnp.full([max_length, batch_size, beam_width], end_id, jnp.int32),
        parents=jnp.broadcast_to(stay, [max_length, batch_size, beam_width]),
        attention=jnp.zeros([max_length, *attention.shape], attention.dtype),
    )

    def unfinished(now: _Progress) -> Array:
        return (now.step < max_length) & ~jnp.all(now.over)

    def advance(now: _Progress) -> _Progress:
        log_probs, state, attention = step_fn(now.tokens, now.state)
        beams, words, parents = beam_step(
            now.beams,
            log_probs.reshape(batch_size, beam_width, -1),
            end_id=end_id,
            length_penalty_weight=length_penalty_weight,
            choose_successors=choose_successors,
        )
        frozen = now.over[:, None]
        beams = jax.tree.map(lambda old, new: jnp.where(frozen, old, new), now.beams, beams)
        words = jnp.where(frozen, end_id, words)
        parents = jnp.where(frozen, stay, parents)
        parent_rows = (jnp.arange(batch_size)[:, None] * beam_width + parents).reshape(rows)
        return _Progress(
            step=now.step + 1,
            over=now.over | _is_over(beams, n_best, length_penalty_weight, max_length),
            tokens=words.reshape(rows),
            state=jax.tree.map(lambda leaf: leaf[parent_rows], state),
            beams=beams,
            words=now.words.at[now.step].set(words),
            parents=now.parents.at[now.step].set(parents),
            attention=now.attention.at[now.step].set(attention),
        )

    end = lax.while_loop(unfinished, advance, start)
    return _read_out(end, end_id)


def beam_step(
    state: BeamState,
    log_probs: Array,
    *,
    end_id: int,
    length_penalty_weight: float | Array,
    choose_successors: ChooseSuccessors = choose_top_k,
) -> tuple[BeamState, Array, Array]:
    """Extends every hypothesis by one word and keeps the K best of the K V outcomes.

    Args:
      state: the K hypotheses of B sentences.
      log_probs: [B, K, V] f32, log-probability of each next word.
      end_id, length_penalty_weight, choose_successors: as in `beam_search`.

    Returns:
      the new state, the words chosen [B, K] i32, and the slots [B, K] i32 of their parents.
    """
    batch_size, _, vocabulary_size = log_probs.shape
    is_end = jnp.arange(vocabulary_size) == end_id

    after_end = jnp.where(is_end, 0.0, -jnp.inf)
    log_probs = jnp.where(state.finished[..., None], after_end, log_probs)
    totals = state.log_probs[..., None] + log_probs
    # Only words lengthen a hypothesis. So a hypothesis has two penalties, not V of them.
    penalty = length_penalty(state.lengths, length_penalty_weight)[..., None]
    longer_penalty = length_penalty(state.lengths + 1, length_penalty_weight)[..., None]
    scores = totals / jnp.where(is_end, penalty, longer_penalty)

    chosen = choose_successors(scores)
    parents = chosen // vocabulary_size
    words = chosen % vocabulary_size

    def of_chosen(values: Array) -> Array:
        return jnp.take_along_axis(values.reshape(batch_size, -1), chosen, axis=1)

    def of_parent(values: Array) -> Array:
        return jnp.take_along_axis(values, parents, axis=1)

    finished = words == end_id
    new_state = BeamState(
        log_probs=of_chosen(totals),
        scores=of_chosen(scores),
        lengths=of_parent(state.lengths) + ~finished,
        finished=finished,
    )
    return new_state, words, parents


def initial_beam_state(batch_size: int, beam_width: int) -> BeamState:
    """The state before the first step: one hypothesis, the empty one, in slot 0.

    The other slots are impossible; otherwise all K would spawn the same continuations.
    """
    first = jnp.where(jnp.arange(beam_width) == 0, 0.0, -jnp.inf).astype(jnp.float32)
    log_probs = jnp.broadcast_to(first, [batch_size, beam_width])
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


def gather_tree(values: Array, parents: Array) -> Array:
    """Reads what was written step by step along the ancestors of the final hypotheses.

    Args:
      values: [T, B, K], what was noted at each step (words, say) for the slot it led to.
      parents: [T, B, K] i32, the slot before the step.

    Returns:
      [T, B, K], column k being the history of the hypothesis that stands in slot k at the end.
    """
    return jnp.take_along_axis(values, _ancestors(parents), axis=-1)


def tile_to_beams(tree: Any, beam_width: int) -> Any:
    """Repeats every row K times: leaves [B, ...] -> [B K, ...], row b K + k being row b.

    For what a `step_fn` closes over and needs a row a hypothesis.
    """
    return jax.tree.map(lambda leaf: jnp.repeat(leaf, beam_width, axis=0), tree)


class _Progress(NamedTuple):
    """What the loop carries. Histories are [T, ...]: a step writes one contiguous row."""

    step: Array
    over: Array  # [B]
    tokens: Array  # [B K]
    state: Any  # leaves [B K, ...]
    beams: BeamState
    words: Array  # [T, B, K]
    parents: Array  # [T, B, K]
    attention: Array  # [T, B K, S], in the slots before the step


def _is_over(
    beams: BeamState, n_best: int, length_penalty_weight: float | Array, max_length: int
) -> Array:
    """[B]: the first n_best slots can change no more.

    They cannot if they are finished (or empty) and no live hypothesis can outdo the last of them.
    A live one can only lose log-probability, so its bound is today's divided by the largest penalty
    ahead, that of max_length. (With a weight below 0 its score can only fall, and it already stands
    below.) A tie is no threat: of equals the first slot wins.
    """
    settled = beams.finished | jnp.isneginf(beams.log_probs)
    largest_penalty = length_penalty(jnp.int32(max_length), length_penalty_weight)
    bound = jnp.where(settled, -jnp.inf, beams.log_probs / largest_penalty)
    to_beat = beams.scores[:, n_best - 1]
    return jnp.all(settled[:, :n_best], axis=1) & (jnp.max(bound, axis=1) <= to_beat)


def _ancestors(parents: Array) -> Array:
    """parents [T, B, K] -> [T, B, K]: the slot, after each step, of each final slot's ancestor."""

    def one_step_back(slots: Array, parents: Array) -> tuple[Array, Array]:
        return jnp.take_along_axis(parents, slots, axis=-1), slots

    last = jnp.broadcast_to(jnp.arange(parents.shape[-1]), parents.shape[1:])
    return lax.scan(one_step_back, last, parents, reverse=True)[1]


def _read_out(end: _Progress, end_id: int) -> SearchResult:
    """Turns the loop's histories into hypotheses."""
    beams = end.beams
    max_length, batch_size, beam_width = end.words.shape
    possible = ~jnp.isneginf(beams.log_probs)
    lengths = jnp.where(possible, beams.lengths, 0)
    finished = possible & beams.finished

    times = jnp.arange(max_length)
    ids = jnp.moveaxis(gather_tree(end.words, end.parents), 0, -1)
    ids = jnp.where(times < lengths[..., None], ids, end_id)

    # A token's attention was computed in its parent's slot.
    sources = gather_tree(end.parents, end.parents)
    attention = end.attention.reshape(max_length, batch_size, beam_width, -1)
    attention = jnp.take_along_axis(attention, sources[..., None], axis=2)
    attention = jnp.moveaxis(attention, 0, 2)
    chosen_with = times < (lengths + finished)[..., None]
    attention = jnp.where(chosen_with[..., None], attention, 0.0)

    return SearchResult(
        ids=ids,
        lengths=lengths,
        finished=finished,
        log_probs=beams.log_probs,
        scores=beams.scores,
        attention=attention,
    )
