"""Beam search: the K best hypotheses at every step, for a whole batch at once.

A step scores the continuations of a sentence's K hypotheses, keeps the K best, and notes only
the chosen words and which hypothesis each came from (its parent). When the search is over, the
sentences are read backwards along the parents. Nothing that has been written is moved again.

Finished hypotheses keep competing for the same K slots: they have one continuation,
SEQUENCE_END, which is free.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from seq2seq_jax.search.beam_step import (
    BeamState,
    ChooseSuccessors,
    beam_step,
    choose_top_k,
    coverage_penalty,
    diverse_step,
    initial_beam_state,
    length_penalty,
)
from seq2seq_jax.search.constraints import Constraint, SoFar, constrain, reads_words
from seq2seq_jax.search.result import BeamHistory, SearchResult, StepFn, tile_to_beams

__all__ = [
    "BeamState",
    "ChooseSuccessors",
    "beam_search",
    "beam_step",
    "choose_top_k",
    "gather_tree",
    "initial_beam_state",
    "length_penalty",
    "tile_to_beams",
]

Array = jax.Array


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
    coverage_penalty_weight: float = 0.0,
    source_len: Array | None = None,
    diversity_groups: int = 1,
    diversity_strength: float = 0.0,
    constraints: Sequence[Constraint] = (),
    empty: Array | None = None,
    return_attention: bool = False,
    return_history: bool = False,
) -> SearchResult:
    """Searches for the sentences with the best score:

      log-probability / length penalty + coverage_penalty_weight * coverage penalty

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
      coverage_penalty_weight: at least 0; above it needs a model with attention, and `source_len`.
      source_len: [B] i32, of the sources, for the coverage penalty.
      diversity_groups: a divisor of K; above 1 see `diverse_step`, and a sentence is over as with a
        rule of your own.
      diversity_strength: at least 0, as in `diverse_step`.
      constraints: rules on what may come next; see `constraints`.
      empty: [B] bool, the sentences that are over before they begin; None: none.
      return_attention: whether to keep the attention of every step.
      return_history: whether to keep how the search came about.

    Returns:
      a `SearchResult`. To be called inside `jax.jit`.
    """
    if not 1 <= n_best <= beam_width:
        raise ValueError(f"n_best must lie between 1 and beam_width {beam_width}, not {n_best}")
    if diversity_groups < 1 or beam_width % diversity_groups:
        raise ValueError(f"diversity_groups must divide {beam_width}, not be {diversity_groups}")
    diverse = diversity_groups > 1
    if diverse or choose_successors is not choose_top_k:
        n_best = beam_width  # the bound of `_is_over` holds only where the best are kept

    shape = (batch_size, beam_width)
    rows = batch_size * beam_width
    tokens = jnp.full([rows], start_id, jnp.int32)
    state = tile_to_beams(initial_state, beam_width)
    _, _, attention = jax.eval_shape(step_fn, tokens, state)
    positions = attention.shape[-1]
    covers = coverage_penalty_weight != 0
    if covers and (not positions or source_len is None):
        raise ValueError("a coverage penalty needs attention, and source_len")
    over = jnp.zeros([batch_size], bool) if empty is None else empty
    beams = initial_beam_state(batch_size, beam_width, diversity_groups)
    stay = jnp.broadcast_to(jnp.arange(beam_width), shape)

    def zeros(*dimensions: int) -> Array:
        return jnp.zeros([max_length, *shape, *dimensions], jnp.float32)

    start = _Progress(
        step=jnp.int32(0),
        over=over,
        tokens=tokens,
        state=state,
        beams=beams.replace(finished=jnp.broadcast_to(over[:, None], shape)),
        words=jnp.full([max_length, *shape], end_id, jnp.int32),
        parents=jnp.broadcast_to(stay, [max_length, *shape]),
        attention=zeros(positions) if return_attention else None,
        coverage=jnp.zeros([*shape, positions], jnp.float32) if covers else None,
        so_far=jnp.full([*shape, max_length], end_id) if reads_words(constraints) else None,
        history=_History(zeros(), zeros(), jnp.zeros([batch_size], jnp.int32))
        if return_history
        else None,
    )

    def unfinished(now: _Progress) -> Array:
        return (now.step < max_length) & ~jnp.all(now.over)

    def advance(now: _Progress) -> _Progress:
        logits, state, attention = step_fn(now.tokens, now.state)
        logits = logits.reshape(*shape, -1)
        log_normalisers = jax.nn.logsumexp(logits, axis=-1)
        logits = constrain(logits, SoFar(now.step, now.so_far), constraints, end_id=end_id)
        coverage, bonus = now.coverage, None
        if coverage is not None:
            assert source_len is not None
            seen = attention.reshape(*shape, -1)
            coverage = coverage + jnp.where(now.beams.finished[..., None], 0.0, seen)
            bonus = coverage_penalty_weight * coverage_penalty(coverage, source_len)

        beams, words, parents = diverse_step(
            now.beams,
            logits,
            end_id=end_id,
            length_penalty_weight=length_penalty_weight,
            choose_successors=choose_successors,
            log_normalisers=log_normalisers,
            bonus=bonus,
            groups=diversity_groups,
            strength=diversity_strength,
        )
        frozen = now.over[:, None]
        beams = jax.tree.map(lambda old, new: jnp.where(frozen, old, new), now.beams, beams)
        words = jnp.where(frozen, end_id, words)
        parents = jnp.where(frozen, stay, parents)
        parent_rows = (jnp.arange(batch_size)[:, None] * beam_width + parents).reshape(rows)

        def of_parents(leaf: Array) -> Array:
            return leaf.reshape(rows, -1)[parent_rows].reshape(leaf.shape)

        kept, so_far, history = now.attention, now.so_far, now.history
        if kept is not None:
            kept = kept.at[now.step].set(attention.reshape(*shape, -1))
        if coverage is not None:
            coverage = of_parents(coverage)
        if so_far is not None:
            so_far = of_parents(so_far).at[..., now.step].set(words)
        if history is not None:
            history = _History(
                log_probs=history.log_probs.at[now.step].set(beams.log_probs),
                scores=history.scores.at[now.step].set(beams.scores),
                steps=history.steps + ~now.over,
            )
        return _Progress(
            step=now.step + 1,
            over=now.over | _is_over(beams, n_best, length_penalty_weight, max_length),
            tokens=words.reshape(rows),
            state=jax.tree.map(lambda leaf: leaf[parent_rows], state),
            beams=beams,
            words=now.words.at[now.step].set(words),
            parents=now.parents.at[now.step].set(parents),
            attention=kept,
            coverage=coverage,
            so_far=so_far,
            history=history,
        )

    end = lax.while_loop(unfinished, advance, start)
    return _read_out(end, end_id, sort=diverse)


def gather_tree(values: Array, parents: Array) -> Array:
    """Reads what was written step by step along the ancestors of the final hypotheses.

    Args:
      values: [T, B, K], what was noted at each step (words, say) for the slot it led to.
      parents: [T, B, K] i32, the slot before the step.

    Returns:
      [T, B, K], column k being the history of the hypothesis that stands in slot k at the end.
    """
    return jnp.take_along_axis(values, _ancestors(parents), axis=-1)


class _History(NamedTuple):
    """What a `BeamHistory` holds and a search does not need."""

    log_probs: Array  # [T, B, K]
    scores: Array  # [T, B, K]
    steps: Array  # [B]


class _Progress(NamedTuple):
    """What the loop carries. Histories are [T, ...]: a step writes one contiguous row. What is not
    asked for is None, and costs nothing."""

    step: Array
    over: Array  # [B]
    tokens: Array  # [B K]
    state: Any  # leaves [B K, ...]
    beams: BeamState
    words: Array  # [T, B, K]
    parents: Array  # [T, B, K]
    attention: Array | None  # [T, B, K, S], in the slots before the step
    coverage: Array | None  # [B, K, S]
    so_far: Array | None  # [B, K, T], the words of each hypothesis, for constraints that read them
    history: _History | None


def _is_over(
    beams: BeamState, n_best: int, length_penalty_weight: float | Array, max_length: int
) -> Array:
    """[B]: the first n_best slots can change no more.

    They cannot if they are finished (or empty) and no live hypothesis can outdo the last of them.
    A live one can only lose log-probability, so its bound is today's divided by the largest penalty
    ahead, that of max_length; a coverage penalty is never above 0. (With a weight below 0 its score
    can only fall, and it already stands below.) A tie is no threat: of equals the first slot wins.
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


def _read_out(end: _Progress, end_id: int, *, sort: bool) -> SearchResult:
    """Turns the loop's histories into hypotheses."""
    beams = end.beams
    max_length, batch_size, beam_width = end.words.shape
    possible = ~jnp.isneginf(beams.log_probs)
    lengths = jnp.where(possible, beams.lengths, 0)
    finished = possible & beams.finished

    times = jnp.arange(max_length)
    ids = jnp.moveaxis(gather_tree(end.words, end.parents), 0, -1)
    ids = jnp.where(times < lengths[..., None], ids, end_id)

    attention = end.attention
    if attention is not None:
        # A token's attention was computed in its parent's slot.
        sources = gather_tree(end.parents, end.parents)
        attention = jnp.take_along_axis(attention, sources[..., None], axis=2)
        attention = jnp.moveaxis(attention, 0, 2)
        chosen_with = times < (lengths + finished)[..., None]
        attention = jnp.where(chosen_with[..., None], attention, 0.0)

    result = SearchResult(
        ids=ids,
        lengths=lengths,
        finished=finished,
        log_probs=beams.log_probs,
        scores=beams.scores,
        attention=attention,
    )
    slots = jnp.broadcast_to(jnp.arange(beam_width), [batch_size, beam_width])
    if sort:
        slots = jnp.argsort(-beams.scores, axis=1)
        sentences = jnp.arange(batch_size)[:, None]
        result = jax.tree.map(lambda leaf: leaf[sentences, slots], result)
    if end.history is not None:
        history = BeamHistory(
            words=end.words, parents=end.parents, slots=slots, **end.history._asdict()
        )
        result = result.replace(history=history)
    return result
