"""A model and a search, compiled into one function from source ids to hypotheses."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.typing import ArrayLike

from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.inference.beam_search import beam_search
from seq2seq_jax.inference.greedy import greedy_search
from seq2seq_jax.inference.search import SearchResult

Array = jax.Array
Decode = Callable[[Any, ArrayLike, ArrayLike], SearchResult]
"""(params, source_ids [B, S], source_len [B]) -> hypotheses"""


def make_decode(
    model: nn.Module,
    target_vocabulary: Vocabulary,
    *,
    beam_width: int = 0,
    length_penalty_weight: float = 0.0,
    max_length: int = 100,
) -> Decode:
    """Encoding and search in one jitted function.

    Args:
      beam_width: 1 or less searches greedily.
      max_length: most steps, the one of SEQUENCE_END included.

    A row of length 0 fills the batch; its result is empty, and no step is spent on it.
    """
    start_id, end_id = target_vocabulary.sequence_start_id, target_vocabulary.sequence_end_id

    @jax.jit
    def decode(params: Any, source_ids: Array, source_len: Array) -> SearchResult:
        batch_size = source_ids.shape[0]
        variables = {"params": params}
        started: Any = model.apply(variables, source_ids, source_len, method="start")
        memory, state = started

        def step(tokens: Array, state: Any) -> tuple[Array, Any, Array]:
            stepped: Any = model.apply(variables, tokens, state, memory, source_len, method="step")
            log_probs, state, attention = stepped
            filler = jnp.repeat(source_len == 0, tokens.shape[0] // batch_size)
            ends = jnp.where(jnp.arange(log_probs.shape[-1]) == end_id, 0.0, -jnp.inf)
            return jnp.where(filler[:, None], ends, log_probs), state, attention

        if beam_width <= 1:
            return greedy_search(
                step,
                state,
                batch_size=batch_size,
                start_id=start_id,
                end_id=end_id,
                max_length=max_length,
            )
        return beam_search(
            step,
            state,
            batch_size=batch_size,
            beam_width=beam_width,
            length_penalty_weight=length_penalty_weight,
            start_id=start_id,
            end_id=end_id,
            max_length=max_length,
        )

    return decode
