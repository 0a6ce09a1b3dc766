"""One step of beam search: which of all continuations of the hypotheses survive."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int

from seq2seq_jax.ops.top_k import LARGE_VOCABULARY, blockwise_top_k
from seq2seq_jax.search.search_config import choose_top_k
from seq2seq_jax.search.types import DecodeContext


class BeamState(struct.PyTreeNode):
    """The K hypotheses of B sources, without their tokens.

    Attributes:
      log_probs: [B, K] f32; -inf marks a beam index without a hypothesis.
      scores: [B, K] f32, log_probs / length penalty + coverage penalty, best first.
      lengths: [B, K] i32, number of tokens without SEQUENCE_END.
      finished: [B, K] bool, whether the last token is SEQUENCE_END.
    """

    log_probs: Array
    scores: Array
    lengths: Array
    finished: Array


def beam_step(
    state: BeamState,
    log_probs: Float[Array, "B K V"],
    context: DecodeContext,
    *,
    log_normalizers: Float[Array, "B K"] | None = None,
    bonus: Float[Array, "B K"] | None = None,
) -> tuple[BeamState, Int[Array, "B K"], Int[Array, "B K"]]:
    """Extend every hypothesis by one token and keep the K best of the K V outcomes.

    Args:
      state: The K hypotheses of B sources.
      log_probs: [B, K, V] f32, log-probability of each next token.
      context: The options of the search.
      log_normalizers: [B, K] f32, what is still to be subtracted from the log_probs; None: nothing.
      bonus: [B, K] f32, added to the scores of all continuations of a hypothesis; None: nothing.

    Returns:
      The new state, the tokens chosen [B, K] i32, and the backpointers [B, K] i32: the beam indices
      of the hypotheses that are extended.
    """
    config, eos_id = context.config, context.eos_id
    batch_size, beam_width, vocab_size = log_probs.shape
    ids = jnp.arange(vocab_size)
    if config.choose_successors is choose_top_k and vocab_size >= LARGE_VOCABULARY:
        # No hypothesis can have more than K successors. Its most likely tokens have the best
        # scores, because they make it equally long; SEQUENCE_END does not, so it is kept apart.
        eos_log_probs = log_probs[..., eos_id, None]
        log_probs, ids = blockwise_top_k(log_probs, min(beam_width + 1, vocab_size))
        log_probs = jnp.where(ids == eos_id, -jnp.inf, log_probs)
        log_probs = jnp.concatenate([log_probs, eos_log_probs], axis=-1)
        ids = jnp.concatenate([ids, jnp.full(eos_log_probs.shape, eos_id)], axis=-1)
        is_eos = jnp.arange(ids.shape[-1]) == ids.shape[-1] - 1
    else:
        is_eos = ids == eos_id
    if log_normalizers is not None:
        log_probs = log_probs - log_normalizers[..., None]

    after_eos = jnp.where(is_eos, 0.0, -jnp.inf)
    log_probs = jnp.where(state.finished[..., None], after_eos, log_probs)
    totals = state.log_probs[..., None] + log_probs
    # SEQUENCE_END does not lengthen a hypothesis, so a hypothesis has two penalties and not V.
    weight = config.length_penalty_weight
    penalty = length_penalty(state.lengths, weight)[..., None]
    longer_penalty = length_penalty(state.lengths + 1, weight)[..., None]
    scores = totals / jnp.where(is_eos, penalty, longer_penalty)
    if bonus is not None:
        scores = scores + bonus[..., None]

    chosen = config.choose_successors(scores)
    backpointers, columns = chosen // scores.shape[-1], chosen % scores.shape[-1]

    def gather_chosen(values: Array) -> Array:
        return jnp.take_along_axis(values.reshape(batch_size, -1), chosen, axis=1)

    tokens = columns if ids.ndim == 1 else gather_chosen(ids)
    finished = tokens == eos_id
    new_state = BeamState(
        log_probs=gather_chosen(totals),
        scores=gather_chosen(scores),
        lengths=jnp.take_along_axis(state.lengths, backpointers, axis=1) + ~finished,
        finished=finished,
    )
    return new_state, tokens, backpointers


def diverse_step(
    state: BeamState,
    log_probs: Float[Array, "B K V"],
    context: DecodeContext,
    *,
    log_normalizers: Float[Array, "B K"] | None = None,
    bonus: Float[Array, "B K"] | None = None,
) -> tuple[BeamState, Int[Array, "B K"], Int[Array, "B K"]]:
    """Run `beam_step` in groups, one after the other, that avoid each other's tokens.

    This is diverse beam search with Hamming diversity (Vijayakumar et al. 2016, arXiv:1610.02424).
    With G = `diversity_groups` groups, group g has the beam indices g K / G to (g + 1) K / G - 1. A
    token that n hypotheses of earlier groups have just chosen loses n * `diversity_strength` of its
    log-probability while a group chooses; the log-probability that is kept is the model's own. The
    first group is an ordinary beam search of its width.

    Args:
      state: As for `beam_step`.
      log_probs: As for `beam_step`.
      context: The options of the search; `diversity_groups` divides K.
      log_normalizers: As for `beam_step`.
      bonus: As for `beam_step`.

    Returns:
      What `beam_step` returns.
    """
    config = context.config
    if config.diversity_groups == 1:
        return beam_step(state, log_probs, context, log_normalizers=log_normalizers, bonus=bonus)
    batch_size, beam_width, vocab_size = log_probs.shape
    size, strength = beam_width // config.diversity_groups, config.diversity_strength
    rows = jnp.arange(batch_size)[:, None]
    counts = jnp.zeros([batch_size, vocab_size])
    results = []
    for first in range(0, beam_width, size):

        def slice_group(leaf: Array | None, first: int = first) -> Any:
            return None if leaf is None else leaf[:, first : first + size]

        group = jax.tree.map(slice_group, state)
        new, tokens, backpointers = beam_step(
            group,
            slice_group(log_probs) - strength * counts[:, None],
            context,
            log_normalizers=slice_group(log_normalizers),
            bonus=slice_group(bonus),
        )
        extended = ~jnp.take_along_axis(group.finished, backpointers, axis=1)
        lost = jnp.where(extended, strength * jnp.take_along_axis(counts, tokens, axis=1), 0.0)
        new = new.replace(
            log_probs=new.log_probs + lost,
            scores=new.scores + lost / length_penalty(new.lengths, config.length_penalty_weight),
        )
        extended &= ~jnp.isneginf(new.log_probs)
        counts = counts.at[rows, tokens].add(extended.astype(jnp.float32))
        results.append((new, tokens, backpointers + first))
    joined: tuple[BeamState, Array, Array] = jax.tree.map(
        lambda *leaves: jnp.concatenate(leaves, axis=1), *results
    )
    return joined


def initial_beam_state(batch_size: int, beam_width: int, groups: int = 1) -> BeamState:
    """Return the state before the first step: the empty hypothesis, at each group's first index.

    There is none at the other indices; otherwise all K would produce the same continuations.

    Args:
      batch_size: B.
      beam_width: K.
      groups: Number of groups of `diverse_step`, a divisor of K.

    Returns:
      The state.
    """
    is_first = jnp.arange(beam_width) % (beam_width // groups) == 0
    log_probs = jnp.where(is_first, 0.0, -jnp.inf).astype(jnp.float32)
    log_probs = jnp.broadcast_to(log_probs, [batch_size, beam_width])
    return BeamState(
        log_probs=log_probs,
        scores=log_probs,
        lengths=jnp.zeros([batch_size, beam_width], jnp.int32),
        finished=jnp.zeros([batch_size, beam_width], bool),
    )


def length_penalty(lengths: Int[Array, "..."], weight: float | Array) -> Float[Array, "..."]:
    """Return ((5 + length) / 6) ** weight, by which log-probabilities are divided.

    Longer outputs have a lower probability, but are not worse for it (Wu et al. 2016,
    arXiv:1609.08144, equation 14).

    Args:
      lengths: Number of tokens, of any shape.
      weight: The exponent; 0: no penalty.

    Returns:
      The penalty, in the shape of `lengths`.

    Example:
      >>> import jax.numpy as jnp
      >>> length_penalty(jnp.array([1, 7, 19]), 1.0).tolist()
      [1.0, 2.0, 4.0]
    """
    return ((5.0 + lengths) / 6.0) ** weight


def coverage_penalty(
    coverage: Float[Array, "B K S"], source_len: Int[Array, " B"]
) -> Float[Array, "B K"]:
    """Return sum_s log(min(coverage_s, 1)), which is at most 0.

    A source position that got little attention was probably not translated (Wu et al. 2016,
    arXiv:1609.08144, equation 14).

    Args:
      coverage: [B, K, S] f32, the attention weights of each source position, summed over the tokens
        of the hypothesis, SEQUENCE_END included. Zero counts as the smallest positive float32.
      source_len: [B] i32, number of source positions that are not padding.

    Returns:
      [B, K]
    """
    logs = jnp.log(jnp.clip(coverage, float(np.finfo(np.float32).tiny), 1.0))
    real = jnp.arange(coverage.shape[-1]) < jnp.asarray(source_len)[:, None, None]
    return jnp.sum(jnp.where(real, logs, 0.0), axis=-1)
