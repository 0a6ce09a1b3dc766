"""Greedy search on small random models."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2seq_jax.search.decode_loop import greedy_search
from seq2seq_jax.search.search_config import SearchConfig
from seq2seq_jax.search.types import DecodeContext

START, END, MAX_LENGTH = 3, 4, 6


@pytest.fixture(scope="module")
def greedy(toy):
    def search(model):
        return greedy_search(
            toy.step_of(model, jnp),
            model.start,
            toy.context_of(model, max_length=MAX_LENGTH, return_attention=True),
        )

    return jax.jit(search)


def most_likely_tokens(toy, model, row):
    step, hidden, word, ids = toy.step_of(model, np), model.start[row : row + 1], START, []
    while word != END and len(ids) < MAX_LENGTH:
        log_probs, hidden, _ = step(np.array([word]), hidden)
        word = int(np.argmax(log_probs[0]))
        ids.append(word)
    return ids


@pytest.mark.parametrize("seed", range(5))
def test_greedy_search_chooses_the_most_likely_token_at_each_step(toy, greedy, seed):
    model = toy.random_model(seed)
    result = jax.device_get(greedy(model))
    assert result.ids.shape == (4, 1, MAX_LENGTH)
    for row in range(4):
        ids = most_likely_tokens(toy, model, row)
        log_prob, attention = toy.replay(model, row, ids, START)
        steps = len(ids)
        assert result.ids[row, 0].tolist() == ids + [END] * (MAX_LENGTH - steps)
        assert result.finished[row, 0] == (ids[-1] == END)
        assert result.lengths[row, 0] == steps - (ids[-1] == END)
        np.testing.assert_allclose(result.log_probs[row, 0], log_prob, rtol=1e-5)
        np.testing.assert_allclose(result.attention[row, 0, :steps], attention, atol=1e-5)
        assert not result.attention[row, 0, steps:].any()
    np.testing.assert_array_equal(result.scores, result.log_probs)


def test_greedy_search_without_an_end_stops_at_max_length(toy, greedy):
    result = greedy(toy.random_model(0, end_bias=-1e9))
    assert not result.finished.any()
    assert (result.lengths == MAX_LENGTH).all()


def test_greedy_search_stops_when_all_sources_are_finished():
    calls = []

    def step(tokens, count):
        jax.debug.callback(lambda: calls.append(None))
        end_at = jnp.array([1, 3])
        words = jnp.where(count + 1 >= end_at, END, 0)
        return jnp.log(jax.nn.one_hot(words, 5)), count + 1, jnp.zeros([2, 0])

    context = DecodeContext(
        config=SearchConfig(max_length=50), batch_size=2, bos_id=START, eos_id=END
    )
    result = greedy_search(step, jnp.zeros(2, jnp.int32), context)
    jax.effects_barrier()
    assert result.lengths[:, 0].tolist() == [0, 2]
    assert result.attention is None
    assert len(calls) == 3
