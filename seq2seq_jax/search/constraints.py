"""Which words may not come next, given what has been generated so far.

A constraint is a pure function from what the constraints before it forbid to what is then
forbidden: the later one has the last word. They act on a search's choice alone. The log-probability
of what is chosen is the model's own, not renormalised over the words that were left.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

__all__ = [
    "Constraint",
    "SoFar",
    "allowed_mask",
    "allowed_words",
    "constrain",
    "forbidden_word",
    "forced_prefix",
    "minimum_length",
    "no_repeated_ngrams",
    "reads_words",
]

Array = jax.Array


class SoFar(NamedTuple):
    """What the K hypotheses of B sentences have generated.

    Attributes:
      step: [] i32, how many words.
      words: [B, K, T] i32, meaningless from `step` on; None unless a constraint reads them.
    """

    step: Array
    words: Array | None


class Constraint(NamedTuple):
    """One rule.

    Attributes:
      forbid: (what is forbidden so far, SoFar) -> what is forbidden now; bool, of shapes that
        broadcast to [B, K, V], the last axis being V.
      reads_words: whether it looks at `SoFar.words`, which a search then has to keep.
    """

    forbid: Callable[[Array, SoFar], Array]
    reads_words: bool = False


def constrain(
    logits: Array, so_far: SoFar, constraints: Sequence[Constraint], *, end_id: int
) -> Array:
    """logits [B, K, V] with -inf at forbidden words. Where all are forbidden, SEQUENCE_END is
    allowed: a sentence that cannot go on ends."""
    if not constraints:
        return logits
    forbidden = jnp.zeros([1, 1, logits.shape[-1]], bool)
    for constraint in constraints:
        forbidden = constraint.forbid(forbidden, so_far)
    stuck = jnp.all(forbidden, axis=-1, keepdims=True)
    forbidden &= ~(stuck & (jnp.arange(logits.shape[-1]) == end_id))
    return jnp.where(forbidden, -jnp.inf, logits)


def reads_words(constraints: Sequence[Constraint]) -> bool:
    """Whether any of them does."""
    return any(constraint.reads_words for constraint in constraints)


def minimum_length(length: int, end_id: int) -> Constraint:
    """No SEQUENCE_END before so many words."""

    def forbid(forbidden: Array, so_far: SoFar) -> Array:
        is_end = jnp.arange(forbidden.shape[-1]) == end_id
        return forbidden | (is_end & (so_far.step < length))

    return Constraint(forbid)


def forbidden_word(word: int) -> Constraint:
    """Never this word, UNK for example."""
    return Constraint(lambda forbidden, _: forbidden | (jnp.arange(forbidden.shape[-1]) == word))


def no_repeated_ngrams(size: int) -> Constraint:
    """No `size` words in a row that a hypothesis has had before (Paulus et al. 2017,
    arXiv:1705.04304): the word that would complete such an n-gram is forbidden."""

    def forbid(forbidden: Array, so_far: SoFar) -> Array:
        words, step = so_far.words, so_far.step
        assert words is not None
        batch_size, beam_width, longest = words.shape
        starts = longest - size + 1  # an n-gram may begin at each of these places
        if starts < 2:
            return forbidden
        same = jnp.arange(starts) + size <= step  # it is complete
        for i in range(size - 1):
            recent = lax.dynamic_slice_in_dim(words, step - (size - 1) + i, 1, axis=-1)
            same = same & (words[..., i : i + starts] == recent)
        same = jnp.broadcast_to(same, [batch_size, beam_width, starts])
        rows, slots = jnp.ogrid[:batch_size, :beam_width]
        completing = words[..., size - 1 :]
        repeated = jnp.zeros([batch_size, beam_width, forbidden.shape[-1]], bool)
        repeated = repeated.at[rows[..., None], slots[..., None], completing].max(same)
        return forbidden | repeated

    return Constraint(forbid, reads_words=True)


def allowed_words(allowed: Array, end_id: int) -> Constraint:
    """Only these words, and SEQUENCE_END: allowed [B, V] bool."""

    def forbid(forbidden: Array, _: SoFar) -> Array:
        is_end = jnp.arange(forbidden.shape[-1]) == end_id
        return forbidden | ~(allowed | is_end)[:, None]

    return Constraint(forbid)


def allowed_mask(ids: Array, vocabulary_size: int) -> Array:
    """Lists of words [B, R], padded with -1, as a mask [B, V] for `allowed_words`."""
    mask = jnp.zeros([len(ids), vocabulary_size], bool)
    ids = jnp.where(ids < 0, vocabulary_size, ids)  # a negative index would count from the end
    return mask.at[jnp.arange(len(ids))[:, None], ids].set(True, mode="drop")


def forced_prefix(ids: Array, lengths: Array) -> Constraint:
    """Sentence b begins with ids[b, :lengths[b]], whatever else is forbidden: ids [B, P] without
    SEQUENCE_END, lengths [B]."""
    longest = ids.shape[1]

    def forbid(forbidden: Array, so_far: SoFar) -> Array:
        forced = (so_far.step < lengths)[:, None, None]
        word = lax.dynamic_index_in_dim(ids, jnp.minimum(so_far.step, longest - 1), 1)
        return jnp.where(forced, jnp.arange(forbidden.shape[-1]) != word[:, None], forbidden)

    return Constraint(forbid)
