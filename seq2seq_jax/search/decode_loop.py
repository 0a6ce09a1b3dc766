"""The loop of the searches that choose one word at a time and never go back on it."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from seq2seq_jax.search.constraints import Constraint, SoFar, constrain, reads_words
from seq2seq_jax.search.result import SearchResult, StepFn

__all__ = ["ChooseWords", "follow"]

Array = jax.Array

# (logits [B, K, V], forbidden words at -inf; step [] i32) -> the next words [B, K] i32
ChooseWords = Callable[[Array, Array], Array]


def follow(
    step_fn: StepFn,
    initial_state: Any,
    choose: ChooseWords,
    *,
    batch_size: int,
    width: int,
    start_id: int,
    end_id: int,
    max_length: int,
    constraints: Sequence[Constraint] = (),
    empty: Array | None = None,
    return_attention: bool = False,
) -> SearchResult:
    """K hypotheses a sentence, each on its own until SEQUENCE_END, or for `max_length` steps.

    Args:
      step_fn: one decoder step, see `search.StepFn`; called with N = B K.
      initial_state: tree of arrays with leading axis B K.
      choose: the rule by which each hypothesis goes on.
      width: K.
      batch_size, start_id, end_id, max_length, constraints, empty, return_attention: as in
        `greedy.greedy_search`.

    Returns:
      a `SearchResult`, unsorted; scores equal log_probs.
    """
    shape = (batch_size, width)
    tokens = jnp.full(batch_size * width, start_id, jnp.int32)
    _, _, attention = jax.eval_shape(step_fn, tokens, initial_state)
    over = jnp.zeros(batch_size, bool) if empty is None else empty
    start = _Progress(
        step=jnp.int32(0),
        tokens=tokens,
        state=initial_state,
        log_probs=jnp.zeros(shape, jnp.float32),
        lengths=jnp.zeros(shape, jnp.int32),
        finished=jnp.broadcast_to(over[:, None], shape),
        ids=jnp.full([max_length, *shape], end_id, jnp.int32),
        attention=jnp.zeros([max_length, *shape, attention.shape[-1]])
        if return_attention
        else None,
    )

    def unfinished(now: _Progress) -> Array:
        return (now.step < max_length) & ~jnp.all(now.finished)

    def advance(now: _Progress) -> _Progress:
        logits, state, attention = step_fn(now.tokens, now.state)
        logits = logits.reshape(*shape, -1)
        words = jnp.moveaxis(now.ids, 0, -1) if reads_words(constraints) else None
        allowed = constrain(logits, SoFar(now.step, words), constraints, end_id=end_id)
        chosen = choose(allowed, now.step).astype(jnp.int32)
        gains = jnp.take_along_axis(logits, chosen[..., None], axis=-1)[..., 0]
        gains -= jax.nn.logsumexp(logits, axis=-1)
        words = jnp.where(now.finished, end_id, chosen)
        finished = words == end_id
        history = now.attention
        if history is not None:
            row = jnp.where(now.finished[..., None], 0.0, attention.reshape(*shape, -1))
            history = history.at[now.step].set(row)
        return _Progress(
            step=now.step + 1,
            tokens=words.reshape(-1),
            state=state,
            log_probs=now.log_probs + jnp.where(now.finished, 0.0, gains),
            lengths=now.lengths + ~finished,
            finished=finished,
            ids=now.ids.at[now.step].set(words),
            attention=history,
        )

    end = lax.while_loop(unfinished, advance, start)
    return SearchResult(
        ids=jnp.moveaxis(end.ids, 0, -1),
        lengths=end.lengths,
        finished=end.finished,
        log_probs=end.log_probs,
        scores=end.log_probs,
        attention=None if end.attention is None else jnp.moveaxis(end.attention, 0, 2),
    )


class _Progress(NamedTuple):
    """What the loop carries. Histories are [T, ...]: a step writes one contiguous row."""

    step: Array
    tokens: Array  # [B K]
    state: Any  # leaves [B K, ...]
    log_probs: Array  # [B, K]
    lengths: Array
    finished: Array
    ids: Array  # [T, B, K]
    attention: Array | None  # [T, B, K, S]
