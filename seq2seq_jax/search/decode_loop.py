"""Greedy search and sampling: each hypothesis is extended by one token at a time, independently."""

import zlib
from collections.abc import Callable, Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, PyTree

from seq2seq_jax.ops.top_k import blockwise_top_k
from seq2seq_jax.search.constraints import Prefix, apply_constraints, reads_tokens
from seq2seq_jax.search.types import DecodeContext, SearchResult, StepFn, tile_to_beams

ChooseTokens = Callable[[Array, Array], Array]
"""(logits [B, K, V], -inf at forbidden tokens; step [] i32) -> the next tokens [B, K] i32."""


def greedy_search(step_fn: StepFn, initial_state: PyTree, context: DecodeContext) -> SearchResult:
    """Choose the most likely token at each step.

    A source is done at SEQUENCE_END or after `max_length` steps (the step of SEQUENCE_END counts).
    Call this inside `jax.jit`.

    Args:
      step_fn: One decoder step, called with N = B.
      initial_state: Tree of arrays with leading axis B.
      context: The batch and the options of the search.

    Returns:
      A `SearchResult` with K = 1, whose scores equal its log_probs.
    """
    return decode_loop(
        step_fn,
        initial_state,
        lambda logits, step: blockwise_top_k(logits, 1)[1][..., 0],
        context,
        num_hypotheses=1,
    )


def sample(step_fn: StepFn, initial_state: PyTree, context: DecodeContext) -> SearchResult:
    """Draw `n_best` outputs for each source, each token from the distribution of `filter_logits`.

    What sample k of a source draws at a step depends only on the seed of the source, on k and on
    the step: not on the rest of the batch, nor on the position in it. Call this inside `jax.jit`.

    Args:
      step_fn: One decoder step, called with N = B K.
      initial_state: Tree of arrays with leading axis B; it is tiled to B K here.
      context: The batch with its `seeds`, and the options of the search.

    Returns:
      A `SearchResult` with K = n_best, the most likely sample first. log_probs and scores are the
      log-probability under the model itself, at any temperature.

    Raises:
      ValueError: The context has no seeds.
    """
    if context.seeds is None:
        raise ValueError("Sampling needs a seed for each source; pass seeds.")
    config, num_samples = context.config, context.config.n_best
    fold_in = jax.vmap(jax.random.fold_in)
    keys = jax.vmap(jax.random.key)(jnp.repeat(context.seeds, num_samples))
    keys = fold_in(keys, jnp.tile(jnp.arange(num_samples), context.batch_size))  # [B K]

    def draw(logits: Array, step: Array) -> Array:
        rows = filter_logits(
            logits.reshape(-1, logits.shape[-1]),
            temperature=config.temperature,
            top_k=config.top_k,
            top_p=config.top_p,
        )
        drawn = jax.vmap(jax.random.categorical)(
            fold_in(keys, jnp.broadcast_to(step, keys.shape)), rows
        )
        return drawn.reshape(logits.shape[:-1])

    samples = decode_loop(
        step_fn,
        tile_to_beams(initial_state, num_samples),
        draw,
        context,
        num_hypotheses=num_samples,
    )
    order = jnp.argsort(-samples.scores, axis=1)
    rows = jnp.arange(context.batch_size)[:, None]
    ordered: SearchResult = jax.tree.map(lambda leaf: leaf[rows, order], samples)
    return ordered


def decode_loop(
    step_fn: StepFn,
    initial_state: PyTree,
    choose_tokens: ChooseTokens,
    context: DecodeContext,
    *,
    num_hypotheses: int,
) -> SearchResult:
    """Extend K hypotheses of each source, each on its own, until all are finished.

    Args:
      step_fn: One decoder step, called with N = B K.
      initial_state: Tree of arrays with leading axis B K.
      choose_tokens: Chooses the next token of each hypothesis.
      context: The batch and the options of the search.
      num_hypotheses: K.

    Returns:
      An unsorted `SearchResult`, whose scores equal its log_probs.
    """
    config, eos_id = context.config, context.eos_id
    shape = (context.batch_size, num_hypotheses)
    tokens = jnp.full(context.batch_size * num_hypotheses, context.bos_id, jnp.int32)
    _, _, attention = jax.eval_shape(step_fn, tokens, initial_state)
    start = _LoopState(
        step=jnp.int32(0),
        tokens=tokens,
        state=initial_state,
        log_probs=jnp.zeros(shape, jnp.float32),
        lengths=jnp.zeros(shape, jnp.int32),
        finished=jnp.broadcast_to(context.initial_done()[:, None], shape),
        ids=jnp.full([config.max_length, *shape], eos_id, jnp.int32),
        nodes=None if context.trie is None else jnp.zeros(shape, jnp.int32),
        attention=jnp.zeros([config.max_length, *shape, attention.shape[-1]])
        if config.return_attention
        else None,
    )

    def unfinished(now: _LoopState) -> Array:
        return (now.step < config.max_length) & ~jnp.all(now.finished)

    def advance(now: _LoopState) -> _LoopState:
        logits, state, attention = step_fn(now.tokens, now.state)
        logits = logits.reshape(*shape, -1)
        generated = jnp.moveaxis(now.ids, 0, -1) if reads_tokens(context.constraints) else None
        prefix = Prefix(now.step, generated, now.nodes)
        allowed = apply_constraints(logits, prefix, context.constraints, eos_id=eos_id)
        chosen = choose_tokens(allowed, now.step).astype(jnp.int32)
        gains = jnp.take_along_axis(logits, chosen[..., None], axis=-1)[..., 0]
        gains -= jax.nn.logsumexp(logits, axis=-1)
        tokens = jnp.where(now.finished, eos_id, chosen)
        finished = tokens == eos_id
        kept_attention, nodes = now.attention, now.nodes
        if nodes is not None:
            assert context.trie is not None
            nodes = context.trie.advance(nodes, tokens)
        if kept_attention is not None:
            weights = jnp.where(now.finished[..., None], 0.0, attention.reshape(*shape, -1))
            kept_attention = kept_attention.at[now.step].set(weights)
        return _LoopState(
            step=now.step + 1,
            tokens=tokens.reshape(-1),
            state=state,
            log_probs=now.log_probs + jnp.where(now.finished, 0.0, gains),
            lengths=now.lengths + ~finished,
            finished=finished,
            ids=now.ids.at[now.step].set(tokens),
            nodes=nodes,
            attention=kept_attention,
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


def filter_logits(
    logits: Float[Array, "*batch V"],
    *,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
) -> Float[Array, "*batch V"]:
    """Divide logits by a temperature and set all but the most likely tokens to -inf.

    A token that is as likely as the last one that is kept is kept too.

    Args:
      logits: [..., V].
      temperature: Above 0; below 1, likely tokens become more likely.
      top_k: Keep the k most likely tokens (Fan et al. 2018, arXiv:1805.04833); 0: all.
      top_p: Of those, keep the nucleus (Holtzman et al. 2019, arXiv:1904.09751): the smallest set
        of most likely tokens that has at least this probability; 1: all.

    Returns:
      [..., V], the logits of the distribution to sample from.

    Example:
      >>> import jax.numpy as jnp
      >>> logits = jnp.log(jnp.array([0.5, 0.3, 0.15, 0.05]))
      >>> jnp.isfinite(filter_logits(logits, top_p=0.75)).tolist()
      [True, True, False, False]
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


def per_example_seeds(seed: int, texts: Iterable[str]) -> np.ndarray:
    """Derive one sampling seed for each example from its text.

    Equal texts have equal seeds, wherever they are in a batch.

    Args:
      seed: The seed of the run.
      texts: The texts.

    Returns:
      [N] u32.

    Example:
      >>> seeds = per_example_seeds(0, ["a", "b", "a"])
      >>> bool(seeds[0] == seeds[2] != seeds[1])
      True
    """
    hashes = (zlib.crc32(text.encode("utf-8", "surrogatepass")) for text in texts)
    return np.array(
        [np.random.SeedSequence([seed, number]).generate_state(1)[0] for number in hashes],
        np.uint32,
    )


class _LoopState(NamedTuple):
    """What the loop carries. Arrays of all steps are [T, ...]: a step writes one contiguous row."""

    step: Array
    tokens: Array  # [B K]
    state: PyTree  # leaves [B K, ...]
    log_probs: Array  # [B, K]
    lengths: Array  # [B, K]
    finished: Array  # [B, K]
    ids: Array  # [T, B, K]
    nodes: Array | None  # [B, K], of the trie of allowed outputs
    attention: Array | None  # [T, B, K, S]
