"""Constraints: which tokens may not come next, given what has been generated.

A constraint is a pure function from what the constraints before it forbid to what is forbidden
then: the last constraint has the last word. Constraints affect only which token is chosen. The
log-probability of that token is the model's own, not renormalized over the tokens that are left.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

Forbidden = Array | np.ndarray
"""Which tokens are forbidden: bool, of a shape that broadcasts to [B, K, V] and whose last axis is
V."""


class Prefix(NamedTuple):
    """What the K hypotheses of B sources have generated so far.

    Attributes:
      step: [] i32, number of tokens.
      tokens: [B, K, T] i32, without meaning from `step` on; None unless a constraint reads them.
      nodes: [B, K] i32, the nodes of the trie of allowed outputs; None without such a list.
    """

    step: Array
    tokens: Array | None
    nodes: Array | None = None


class Constraint(NamedTuple):
    """One rule on the next token.

    Attributes:
      forbid: (what is forbidden so far, Prefix) -> what is forbidden now.
      reads_tokens: Whether `forbid` reads `Prefix.tokens`, which a search then has to keep.
    """

    forbid: Callable[[Forbidden, Prefix], Forbidden]
    reads_tokens: bool = False


def apply_constraints(
    logits: Float[Array, "B K V"],
    prefix: Prefix,
    constraints: Sequence[Constraint],
    *,
    eos_id: int,
) -> Float[Array, "B K V"]:
    """Set the logits of forbidden tokens to -inf.

    Where all tokens are forbidden, SEQUENCE_END is allowed, so that the hypothesis ends.

    Args:
      logits: [B, K, V], of the next token.
      prefix: What has been generated.
      constraints: The rules, in the order in which they apply.
      eos_id: SEQUENCE_END.

    Returns:
      [B, K, V], the logits with -inf at forbidden tokens.
    """
    if not constraints:
        return logits
    # What is forbidden to all hypotheses at all steps stays a NumPy array: a constant of the loop.
    forbidden: Forbidden = np.zeros([1, 1, logits.shape[-1]], bool)
    for constraint in constraints:
        forbidden = constraint.forbid(forbidden, prefix)
    no_choice = forbidden.all(axis=-1, keepdims=True)
    allowed_end = no_choice & (np.arange(logits.shape[-1]) == eos_id)
    return jnp.where(forbidden & ~allowed_end, -jnp.inf, logits)


def reads_tokens(constraints: Sequence[Constraint]) -> bool:
    """Return whether any of the constraints reads the generated tokens."""
    return any(constraint.reads_tokens for constraint in constraints)


def minimum_length(length: int, eos_id: int) -> Constraint:
    """Forbid SEQUENCE_END before `length` tokens.

    Args:
      length: Minimum number of tokens.
      eos_id: SEQUENCE_END.

    Returns:
      The constraint.
    """

    def forbid(forbidden: Forbidden, prefix: Prefix) -> Forbidden:
        is_eos = jnp.arange(forbidden.shape[-1]) == eos_id
        return forbidden | (is_eos & (prefix.step < length))

    return Constraint(forbid)


def forbidden_token(token_id: int) -> Constraint:
    """Forbid one token always, UNK for example.

    Args:
      token_id: The token.

    Returns:
      The constraint.
    """
    return Constraint(lambda forbidden, _: forbidden | (np.arange(forbidden.shape[-1]) == token_id))


def no_repeated_ngrams(size: int) -> Constraint:
    """Forbid the token that would complete an n-gram that the hypothesis already contains.

    The rule is that of Paulus et al. 2017 (arXiv:1705.04304).

    Args:
      size: n, at least 1.

    Returns:
      The constraint.
    """

    def forbid(forbidden: Forbidden, prefix: Prefix) -> Forbidden:
        tokens, step = prefix.tokens, prefix.step
        assert tokens is not None
        batch_size, beam_width, max_length = tokens.shape
        starts = max_length - size + 1  # number of positions at which an n-gram may begin
        if starts < 2:
            return forbidden
        same = jnp.arange(starts) + size <= step  # the n-gram is complete
        for i in range(size - 1):
            recent = lax.dynamic_slice_in_dim(tokens, step - (size - 1) + i, 1, axis=-1)
            same = same & (tokens[..., i : i + starts] == recent)
        same = jnp.broadcast_to(same, [batch_size, beam_width, starts])
        rows, beams = jnp.ogrid[:batch_size, :beam_width]
        completing = tokens[..., size - 1 :]
        repeated = jnp.zeros([batch_size, beam_width, forbidden.shape[-1]], bool)
        repeated = repeated.at[rows[..., None], beams[..., None], completing].max(same)
        return forbidden | repeated

    return Constraint(forbid, reads_tokens=True)


def allowed_tokens(allowed: Bool[Array, "B V"], eos_id: int) -> Constraint:
    """Allow each source only some tokens, and SEQUENCE_END.

    Args:
      allowed: [B, V], the tokens that each output may use.
      eos_id: SEQUENCE_END.

    Returns:
      The constraint.
    """

    def forbid(forbidden: Forbidden, _: Prefix) -> Forbidden:
        is_eos = jnp.arange(forbidden.shape[-1]) == eos_id
        return forbidden | ~(allowed | is_eos)[:, None]

    return Constraint(forbid)


def forced_prefix(prefix_ids: Int[Array, "B P"], prefix_len: Int[Array, " B"]) -> Constraint:
    """Force output b to begin with `prefix_ids[b, :prefix_len[b]]`, even if that is forbidden.

    Args:
      prefix_ids: [B, P], padded prefixes without SEQUENCE_END.
      prefix_len: [B], their lengths.

    Returns:
      The constraint.
    """
    longest = prefix_ids.shape[1]

    def forbid(forbidden: Forbidden, prefix: Prefix) -> Forbidden:
        forced = (prefix.step < prefix_len)[:, None, None]
        token = lax.dynamic_index_in_dim(prefix_ids, jnp.minimum(prefix.step, longest - 1), 1)
        return jnp.where(forced, jnp.arange(forbidden.shape[-1]) != token[:, None], forbidden)

    return Constraint(forbid)
