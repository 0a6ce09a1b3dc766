"""Sampling: words drawn from the model's distribution, or from its likelier part."""

from collections.abc import Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from seq2seq_jax.ops.top_k import blockwise_top_k
from seq2seq_jax.search.constraints import Constraint
from seq2seq_jax.search.decode_loop import follow
from seq2seq_jax.search.result import SearchResult, StepFn, tile_to_beams

__all__ = ["filter_logits", "per_example_seeds", "sample"]

Array = jax.Array


def sample(
    step_fn: StepFn,
    initial_state: Any,
    *,
    batch_size: int,
    num_samples: int,
    seeds: Array,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    start_id: int,
    end_id: int,
    max_length: int,
    constraints: Sequence[Constraint] = (),
    empty: Array | None = None,
    return_attention: bool = False,
) -> SearchResult:
    """Draws sentences, each word from `filter_logits` of the model's distribution.

    What sample k of a sentence draws at a step depends on the sentence's seed, k and the step
    alone: not on the rest of the batch, nor on the sentence's place in it.

    Args:
      step_fn: one decoder step, see `search.StepFn`; called with N = B K.
      initial_state: tree of arrays with leading axis B; tiled to B K here.
      num_samples: K.
      seeds: [B] u32, of the sentences; see `per_example_seeds`.
      temperature, top_k, top_p: as in `filter_logits`.
      batch_size, start_id, end_id, max_length, constraints, empty, return_attention: as in
        `greedy.greedy_search`.

    Returns:
      a `SearchResult`, the likeliest sample first. log_probs and scores are the log-probability
      that the model itself gives, whatever the temperature. To be called inside `jax.jit`.
    """
    fold_in = jax.vmap(jax.random.fold_in)
    keys = jax.vmap(jax.random.key)(jnp.repeat(seeds, num_samples))
    keys = fold_in(keys, jnp.tile(jnp.arange(num_samples), batch_size))  # [B K]

    def draw(logits: Array, step: Array) -> Array:
        rows = logits.reshape(-1, logits.shape[-1])
        rows = filter_logits(rows, temperature=temperature, top_k=top_k, top_p=top_p)
        drawn = jax.vmap(jax.random.categorical)(
            fold_in(keys, jnp.broadcast_to(step, keys.shape)), rows
        )
        return drawn.reshape(logits.shape[:-1])

    drawn = follow(
        step_fn,
        tile_to_beams(initial_state, num_samples),
        draw,
        batch_size=batch_size,
        width=num_samples,
        start_id=start_id,
        end_id=end_id,
        max_length=max_length,
        constraints=constraints,
        empty=empty,
        return_attention=return_attention,
    )
    order = jnp.argsort(-drawn.scores, axis=1)
    sentences = jnp.arange(batch_size)[:, None]
    return jax.tree.map(lambda leaf: leaf[sentences, order], drawn)


def filter_logits(
    logits: Array, *, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0
) -> Array:
    """Logits [..., V] from which to draw: divided by the temperature, and -inf outside the part.

    Args:
      temperature: above 0; below 1 likely words become likelier.
      top_k: only the k likeliest words (Fan et al. 2018, arXiv:1805.04833); 0: all.
      top_p: of those only the nucleus (Holtzman et al. 2019, arXiv:1904.09751), the fewest of the
        likeliest words that have this probability together; 1: all.

    Words as likely as the last one inside are inside too.
    """
    logits = logits / temperature
    size = logits.shape[-1]
    count = min(top_k, size) or size
    if count == size and top_p >= 1:
        return logits
    if count < size:
        likeliest = blockwise_top_k(logits, count)[0]
    else:
        likeliest = jnp.flip(jnp.sort(logits, axis=-1), axis=-1)
    probabilities = jax.nn.softmax(likeliest, axis=-1)
    before = jnp.cumsum(probabilities, axis=-1) - probabilities
    inside = (before < top_p) | (jnp.arange(count) == 0)
    least = jnp.min(jnp.where(inside, likeliest, jnp.inf), axis=-1, keepdims=True)
    return jnp.where(logits >= least, logits, -jnp.inf)


def per_example_seeds(seed: int, identities: Iterable[int]) -> np.ndarray:
    """[B] u32, for `sample`: from the seed of the run and a number of each sentence that is its
    own wherever it stands, such as its line, or a hash of its text."""
    return np.array(
        [np.random.SeedSequence([seed, number]).generate_state(1)[0] for number in identities],
        np.uint32,
    )
