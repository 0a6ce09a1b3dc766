"""Beam search: the K best hypotheses at every step, for a whole batch at once.

A step scores the continuations of a source's K hypotheses, keeps the K best, and records only the
chosen tokens and which hypothesis each one extends (its backpointer). When the search is over, the
outputs are read backwards along the backpointers. Nothing that has been written is moved again.

Finished hypotheses keep competing for the same K places: they have one continuation, SEQUENCE_END,
which costs nothing.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Int, PyTree, Shaped

from seq2seq_jax.search.beam_step import (
    BeamState,
    coverage_penalty,
    diverse_step,
    initial_beam_state,
    length_penalty,
)
from seq2seq_jax.search.constraints import Prefix, apply_constraints, reads_tokens
from seq2seq_jax.search.search_config import choose_top_k
from seq2seq_jax.search.types import (
    BatchedBeamTrace,
    DecodeContext,
    SearchResult,
    StepFn,
    tile_to_beams,
)


def beam_search(step_fn: StepFn, initial_state: PyTree, context: DecodeContext) -> SearchResult:
    """Search for the outputs with the best score.

      score = log-probability / length penalty + coverage_penalty_weight * coverage penalty

    A source is done when none of its unfinished hypotheses can reach the `n_best` any more. From
    then on its hypotheses do not change, so that its result does not depend on the rest of the
    batch. The loop ends when all sources are done, or after `max_length` steps (the step of
    SEQUENCE_END counts). The `n_best` hypotheses are those of a search without early stopping; the
    ones after them are what was there when the search ended.

    With a custom `choose_successors`, and with several diversity groups, a source is done only
    when all of its hypotheses are finished. Call this inside `jax.jit`.

    Args:
      step_fn: One decoder step, called with N = B K, where hypothesis k of source b is row b K + k.
      initial_state: Tree of arrays with leading axis B; it is tiled to B K here.
      context: The batch and the options of the search. `beam_width` K is at least 1 and may exceed
        V. A coverage penalty needs a model with attention, and `source_len`.

    Returns:
      A `SearchResult`.

    Raises:
      ValueError: The options contradict each other.
    """
    config, batch_size, eos_id = context.config, context.batch_size, context.eos_id
    beam_width, max_length = config.beam_width, config.max_length
    if not 1 <= config.n_best <= beam_width:
        what = f"n_best must be between 1 and beam_width={beam_width}; got {config.n_best}."
        raise ValueError(what)
    if beam_width % config.diversity_groups:
        groups = config.diversity_groups
        raise ValueError(f"diversity_groups must divide beam_width={beam_width}; got {groups}.")
    diverse = config.diversity_groups > 1
    # The bound in `_is_done` holds only if the best continuations are kept.
    keeps_best = not diverse and config.choose_successors is choose_top_k
    n_best = config.n_best if keeps_best else beam_width

    shape = (batch_size, beam_width)
    rows = batch_size * beam_width
    tokens = jnp.full([rows], context.bos_id, jnp.int32)
    state = tile_to_beams(initial_state, beam_width)
    _, _, attention = jax.eval_shape(step_fn, tokens, state)
    positions = attention.shape[-1]
    has_coverage = config.coverage_penalty_weight != 0
    if has_coverage and (not positions or context.source_len is None):
        raise ValueError("A coverage penalty needs a model with attention, and source_len.")
    done = context.initial_done()
    beams = initial_beam_state(batch_size, beam_width, config.diversity_groups)
    stay = jnp.broadcast_to(jnp.arange(beam_width), shape)

    def zeros(*dimensions: int) -> Array:
        return jnp.zeros([max_length, *shape, *dimensions], jnp.float32)

    start = _LoopState(
        step=jnp.int32(0),
        done=done,
        tokens=tokens,
        state=state,
        beams=beams.replace(finished=jnp.broadcast_to(done[:, None], shape)),
        chosen=jnp.full([max_length, *shape], eos_id, jnp.int32),
        backpointers=jnp.broadcast_to(stay, [max_length, *shape]),
        attention=zeros(positions) if config.return_attention else None,
        coverage=jnp.zeros([*shape, positions], jnp.float32) if has_coverage else None,
        prefix=jnp.full([*shape, max_length], eos_id)
        if reads_tokens(context.constraints)
        else None,
        nodes=None if context.trie is None else jnp.zeros(shape, jnp.int32),
        trace=_Trace(zeros(), zeros(), jnp.zeros([batch_size], jnp.int32))
        if config.return_beam_trace
        else None,
    )

    def unfinished(now: _LoopState) -> Array:
        return (now.step < max_length) & ~jnp.all(now.done)

    def advance(now: _LoopState) -> _LoopState:
        logits, state, attention = step_fn(now.tokens, now.state)
        logits = logits.reshape(*shape, -1)
        log_normalizers = jax.nn.logsumexp(logits, axis=-1)
        logits = apply_constraints(
            logits,
            Prefix(now.step, now.prefix, now.nodes),
            context.constraints,
            eos_id=eos_id,
        )
        coverage, bonus = now.coverage, None
        if coverage is not None:
            assert context.source_len is not None
            weights = attention.reshape(*shape, -1)
            coverage = coverage + jnp.where(now.beams.finished[..., None], 0.0, weights)
            penalty = coverage_penalty(coverage, context.source_len)
            bonus = config.coverage_penalty_weight * penalty

        beams, tokens, backpointers = diverse_step(
            now.beams, logits, context, log_normalizers=log_normalizers, bonus=bonus
        )
        frozen = now.done[:, None]
        beams = jax.tree.map(lambda old, new: jnp.where(frozen, old, new), now.beams, beams)
        tokens = jnp.where(frozen, eos_id, tokens)
        backpointers = jnp.where(frozen, stay, backpointers)
        parent_rows = (jnp.arange(batch_size)[:, None] * beam_width + backpointers).reshape(rows)

        def gather_parents(leaf: Array) -> Array:
            return leaf.reshape(rows, -1)[parent_rows].reshape(leaf.shape)

        kept_attention, prefix, nodes, trace = now.attention, now.prefix, now.nodes, now.trace
        if kept_attention is not None:
            kept_attention = kept_attention.at[now.step].set(attention.reshape(*shape, -1))
        if coverage is not None:
            coverage = gather_parents(coverage)
        if prefix is not None:
            prefix = gather_parents(prefix).at[..., now.step].set(tokens)
        if nodes is not None:
            assert context.trie is not None
            nodes = context.trie.advance(gather_parents(nodes), tokens)
        if trace is not None:
            trace = _Trace(
                log_probs=trace.log_probs.at[now.step].set(beams.log_probs),
                scores=trace.scores.at[now.step].set(beams.scores),
                steps=trace.steps + ~now.done,
            )
        return _LoopState(
            step=now.step + 1,
            done=now.done | _is_done(beams, n_best, config.length_penalty_weight, max_length),
            tokens=tokens.reshape(rows),
            state=jax.tree.map(lambda leaf: leaf[parent_rows], state),
            beams=beams,
            chosen=now.chosen.at[now.step].set(tokens),
            backpointers=now.backpointers.at[now.step].set(backpointers),
            attention=kept_attention,
            coverage=coverage,
            prefix=prefix,
            nodes=nodes,
            trace=trace,
        )

    end = lax.while_loop(unfinished, advance, start)
    return _finalize(end, eos_id, sort=diverse)


def gather_tree(
    values: Shaped[Array, "T B K"], backpointers: Int[Array, "T B K"]
) -> Shaped[Array, "T B K"]:
    """Read what was recorded at each step along the ancestors of the final hypotheses.

    Args:
      values: [T, B, K], what was recorded (tokens, for example) at the beam index after each step.
      backpointers: [T, B, K] i32, the beam index before the step.

    Returns:
      [T, B, K], whose column k belongs to the hypothesis that has beam index k at the end.
    """
    return jnp.take_along_axis(values, _ancestors(backpointers), axis=-1)


class _Trace(NamedTuple):
    """The part of a `BatchedBeamTrace` that a search does not need for its result."""

    log_probs: Array  # [T, B, K]
    scores: Array  # [T, B, K]
    steps: Array  # [B]


class _LoopState(NamedTuple):
    """What the loop carries. Arrays of all steps are [T, ...]: a step writes one contiguous row.

    What was not requested is None and costs nothing.
    """

    step: Array
    done: Array  # [B]
    tokens: Array  # [B K]
    state: PyTree  # leaves [B K, ...]
    beams: BeamState
    chosen: Array  # [T, B, K]
    backpointers: Array  # [T, B, K]
    attention: Array | None  # [T, B, K, S], at the beam indices before the step
    coverage: Array | None  # [B, K, S]
    prefix: Array | None  # [B, K, T], the tokens of each hypothesis, for constraints
    nodes: Array | None  # [B, K], of the trie of allowed outputs
    trace: _Trace | None


def _is_done(
    beams: BeamState, n_best: int, length_penalty_weight: float | Array, max_length: int
) -> Bool[Array, " B"]:
    """Return for which sources the first n_best hypotheses cannot change any more.

    They cannot if they are finished (or do not exist) and no unfinished hypothesis can reach a
    better score than the last of them. An unfinished hypothesis can only lose log-probability, so
    its bound is its log-probability divided by the largest penalty ahead, that of max_length; a
    coverage penalty is never above 0. (With a weight below 0 its score can only fall, and it is
    already lower.) A tie does not matter: of equal scores the first index wins.
    """
    settled = beams.finished | jnp.isneginf(beams.log_probs)
    largest_penalty = length_penalty(jnp.int32(max_length), length_penalty_weight)
    bound = jnp.where(settled, -jnp.inf, beams.log_probs / largest_penalty)
    to_beat = beams.scores[:, n_best - 1]
    return jnp.all(settled[:, :n_best], axis=1) & (jnp.max(bound, axis=1) <= to_beat)


def _ancestors(backpointers: Array) -> Array:
    """Return [T, B, K]: the beam index, after each step, of each final hypothesis's ancestor."""

    def step_back(indices: Array, backpointers: Array) -> tuple[Array, Array]:
        return jnp.take_along_axis(backpointers, indices, axis=-1), indices

    last = jnp.broadcast_to(jnp.arange(backpointers.shape[-1]), backpointers.shape[1:])
    return lax.scan(step_back, last, backpointers, reverse=True)[1]


def _merge_equal(result: SearchResult, order: Array) -> tuple[SearchResult, Array]:
    """Keep the first of equal outputs; the others become places without a hypothesis, at the end.

    Args:
      result: Hypotheses, best first.
      order: [B, K], reordered in the same way.

    Returns:
      The hypotheses, and the order.
    """
    batch_size, beam_width = result.lengths.shape
    ends = jnp.stack([result.lengths, result.finished], axis=-1)
    outputs = jnp.concatenate([result.ids, ends], axis=-1)
    equal = jnp.all(outputs[:, :, None] == outputs[:, None], axis=-1)
    repeated = jnp.any(equal & jnp.tri(beam_width, k=-1, dtype=bool), axis=-1)
    result = result.replace(
        lengths=jnp.where(repeated, 0, result.lengths),
        log_probs=jnp.where(repeated, -jnp.inf, result.log_probs),
        scores=jnp.where(repeated, -jnp.inf, result.scores),
    )
    rows, kept_first = jnp.arange(batch_size)[:, None], jnp.argsort(repeated, axis=1, stable=True)
    merged: tuple[SearchResult, Array] = jax.tree.map(
        lambda leaf: leaf[rows, kept_first], (result, order)
    )
    return merged


def _finalize(end: _LoopState, eos_id: int, *, sort: bool) -> SearchResult:
    """Turn what the loop recorded into hypotheses."""
    beams = end.beams
    max_length, batch_size, beam_width = end.chosen.shape
    exists = ~jnp.isneginf(beams.log_probs)
    lengths = jnp.where(exists, beams.lengths, 0)
    finished = exists & beams.finished

    times = jnp.arange(max_length)
    ids = jnp.moveaxis(gather_tree(end.chosen, end.backpointers), 0, -1)
    ids = jnp.where(times < lengths[..., None], ids, eos_id)

    attention = end.attention
    if attention is not None:
        # A token's attention was computed at its parent's beam index.
        parents = gather_tree(end.backpointers, end.backpointers)
        attention = jnp.take_along_axis(attention, parents[..., None], axis=2)
        attention = jnp.moveaxis(attention, 0, 2)
        is_chosen = times < (lengths + finished)[..., None]
        attention = jnp.where(is_chosen[..., None], attention, 0.0)

    result = SearchResult(
        ids=ids,
        lengths=lengths,
        finished=finished,
        log_probs=beams.log_probs,
        scores=beams.scores,
        attention=attention,
    )
    order = jnp.broadcast_to(jnp.arange(beam_width), [batch_size, beam_width])
    if sort:  # Several groups, which may have found the same output.
        order = jnp.argsort(-beams.scores, axis=1)
        rows = jnp.arange(batch_size)[:, None]
        result, order = _merge_equal(jax.tree.map(lambda leaf: leaf[rows, order], result), order)
    if end.trace is not None:
        trace = BatchedBeamTrace(
            tokens=end.chosen,
            backpointers=end.backpointers,
            beam_indices=order,
            **end.trace._asdict(),
        )
        result = result.replace(beam_trace=trace)
    return result
