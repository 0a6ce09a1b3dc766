"""The k largest logits of a large vocabulary, against the reference and a plain sort."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2seq_jax.ops.kernels import use_kernels
from seq2seq_jax.ops.top_k import LARGE_VOCABULARY, blockwise_top_k
from seq2seq_jax.search.beam_step import BeamState, beam_step
from seq2seq_jax.search.search_config import SearchConfig, choose_top_k
from seq2seq_jax.search.types import DecodeContext


@pytest.mark.parametrize("size", [7, LARGE_VOCABULARY, 1000])
@pytest.mark.parametrize("k", [1, 6])
@pytest.mark.parametrize("kernels", ["fast", "reference"])
def test_the_k_largest_logits_are_found(size, k, kernels):
    logits = np.random.default_rng(size).permutation(3 * 2 * size).reshape(3, 2, size)
    with use_kernels(kernels):
        values, indices = blockwise_top_k(jnp.asarray(logits, jnp.float32), k)
    np.testing.assert_array_equal(values, -np.sort(-logits)[..., :k])
    np.testing.assert_array_equal(indices, np.argsort(-logits)[..., :k])


def test_impossible_tokens_are_found_after_all_others():
    logits = jnp.full([1, LARGE_VOCABULARY], -jnp.inf).at[0, 9].set(1.0)
    values, places = blockwise_top_k(logits, 3)
    assert places[0, 0] == 9
    assert np.isneginf(values[0, 1:]).all()
    assert len(set(places[0].tolist())) == 3


@pytest.mark.parametrize("weight", [1.0, -2.0])
def test_a_step_with_a_large_vocabulary_is_the_step_over_all_continuations(weight):
    random, size, end_id = np.random.default_rng(0), LARGE_VOCABULARY + 13, 5
    logits = 3 * random.normal(size=(40, 4, size)).astype(np.float32)
    logits[::3, :, end_id] = logits.max() + 1  # the end is the best, now and then
    normalisers = jax.nn.logsumexp(jnp.asarray(logits), axis=-1)
    log_probs = -random.exponential(size=(40, 4)).astype(np.float32)
    log_probs[::4, 2] = -np.inf
    state = BeamState(
        log_probs=jnp.asarray(log_probs),
        scores=jnp.asarray(log_probs),
        lengths=jnp.asarray(random.integers(9, size=(40, 4))),
        finished=jnp.asarray(random.random((40, 4)) < 0.3),
    )

    @partial(jax.jit, static_argnums=0)
    def step(rule):
        context = DecodeContext(
            config=SearchConfig(length_penalty_weight=weight, choose_successors=rule),
            batch_size=40,
            bos_id=0,
            eos_id=end_id,
        )
        return beam_step(state, jnp.asarray(logits), context, log_normalizers=normalisers)

    quick = step(choose_top_k)
    plain = step(lambda scores: choose_top_k(scores))
    there = np.isfinite(plain[0].log_probs)
    assert there.mean() > 0.8
    for one, other in zip(jax.tree.leaves(quick), jax.tree.leaves(plain), strict=True):
        np.testing.assert_array_equal(one[there], other[there])
    np.testing.assert_array_equal(np.isfinite(quick[0].log_probs), there)
