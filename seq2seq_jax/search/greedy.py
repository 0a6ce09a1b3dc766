"""Greedy search: always the likeliest next word."""

from collections.abc import Sequence
from typing import Any

import jax

from seq2seq_jax.ops.top_k import blockwise_top_k
from seq2seq_jax.search.constraints import Constraint
from seq2seq_jax.search.decode_loop import follow
from seq2seq_jax.search.result import SearchResult, StepFn

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
    constraints: Sequence[Constraint] = (),
    empty: Array | None = None,
    return_attention: bool = False,
) -> SearchResult:
    """Follows the likeliest word until SEQUENCE_END, or for `max_length` steps (its step counts).

    Args:
      step_fn: one decoder step, see `search.StepFn`; called with N = B.
      initial_state: tree of arrays with leading axis B.
      batch_size: B.
      start_id: the first input, SEQUENCE_START.
      end_id: SEQUENCE_END.
      max_length: T, at least 1.
      constraints: rules on what may come next; see `constraints`.
      empty: [B] bool, the sentences that are over before they begin; None: none.
      return_attention: whether to keep the attention of every step.

    Returns:
      a `SearchResult` with K = 1; scores equal log_probs. To be called inside `jax.jit`.
    """
    return follow(
        step_fn,
        initial_state,
        lambda logits, step: blockwise_top_k(logits, 1)[1][..., 0],
        batch_size=batch_size,
        width=1,
        start_id=start_id,
        end_id=end_id,
        max_length=max_length,
        constraints=constraints,
        empty=empty,
        return_attention=return_attention,
    )
