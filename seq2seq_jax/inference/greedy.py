"""Greedy search: always the likeliest next word."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from seq2seq_jax.inference.search import SearchResult, StepFn

__all__ = ["greedy_search"]

Array = jax.Array


def greedy_search(
    step_fn: StepFn,
    initial_state: Any,
    *,
    batch_size: int,
    start_id: int,
    end_id: int,
    max_length: int,
) -> SearchResult:
    """Follows the likeliest word until SEQUENCE_END, or for `max_length` steps (its step counts).

    Args:
      step_fn: one decoder step, see `search.StepFn`; called with N = B.
      initial_state: tree of arrays with leading axis B.
      batch_size: B.
      start_id: the first input, SEQUENCE_START.
      end_id: SEQUENCE_END.
      max_length: T, at least 1.

    Returns:
      a `SearchResult` with K = 1; scores equal log_probs. To be called inside `jax.jit`.
    """
    tokens = jnp.full([batch_size], start_id, jnp.int32)
    _, _, attention = jax.eval_shape(step_fn, tokens, initial_state)
    start = _Progress(
        step=jnp.int32(0),
        tokens=tokens,
        state=initial_state,
        log_probs=jnp.zeros([batch_size], jnp.float32),
        lengths=jnp.zeros([batch_size], jnp.int32),
        finished=jnp.zeros([batch_size], bool),
        ids=jnp.full([max_length, batch_size], end_id, jnp.int32),
        attention=jnp.zeros([max_length, *attention.shape], attention.dtype),
    )

    def unfinished(now: _Progress) -> Array:
        return (now.step < max_length) & ~jnp.all(now.finished)

    def advance(now: _Progress) -> _Progress:
        log_probs, state, attention = step_fn(now.tokens, now.state)
        best = jnp.argmax(log_probs, axis=-1).astype(jnp.int32)
        words = jnp.where(now.finished, end_id, best)
        gains = jnp.where(now.finished, 0.0, jnp.max(log_probs, axis=-1))
        attention = jnp.where(now.finished[:, None], 0.0, attention)
        finished = words == end_id
        return _Progress(
            step=now.step + 1,
            tokens=words,
            state=state,
            log_probs=now.log_probs + gains,
            lengths=now.lengths + ~finished,
            finished=finished,
            ids=now.ids.at[now.step].set(words),
            attention=now.attention.at[now.step].set(attention),
        )

    end = lax.while_loop(unfinished, advance, start)
    return SearchResult(
        ids=end.ids.T[:, None],
        lengths=end.lengths[:, None],
        finished=end.finished[:, None],
        log_probs=end.log_probs[:, None],
        scores=end.log_probs[:, None],
        attention=end.attention.swapaxes(0, 1)[:, None],
    )


class _Progress(NamedTuple):
    """What the loop carries. Histories are [T, B, ...]: a step writes one contiguous row."""

    step: Array
    tokens: Array
    state: Any
    log_probs: Array
    lengths: Array
    finished: Array
    ids: Array
    attention: Array
