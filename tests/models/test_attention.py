import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2seq_jax.models.attention import AttentionLayerBahdanau, AttentionLayerDot
from tests.tiny_models import random_params

B, S, H, D, A = 3, 4, 5, 6, 7
LENGTHS = np.array([4, 2, 0])
RANDOM = np.random.default_rng(0)
OUTPUTS, VALUES = (RANDOM.normal(size=(B, S, H)).astype(np.float32) for _ in range(2))
QUERY = RANDOM.normal(size=(B, D)).astype(np.float32)


def look_back(layer, query, outputs, values, lengths):
    return layer(query, layer.memory(outputs, values, lengths))


@pytest.fixture(scope="module", params=[AttentionLayerBahdanau, AttentionLayerDot])
def attention(request):
    """A layer's name, its random parameters, and the layer as a function."""
    layer = request.param(num_units=A)
    params = random_params(layer, QUERY, OUTPUTS, VALUES, LENGTHS, method=look_back)

    @jax.jit
    def attend(query, outputs=OUTPUTS, values=VALUES, lengths=LENGTHS):
        return layer.apply({"params": params}, query, outputs, values, lengths, method=look_back)

    return request.param.__name__, params, attend


def test_weights_are_a_softmax_over_the_real_positions(attention):
    name, params, attend = attention
    weights, context = attend(QUERY)
    for b, length in enumerate(LENGTHS[:2]):
        keys = OUTPUTS[b] @ params["project_keys"]["kernel"] + params["project_keys"]["bias"]
        query = QUERY[b] @ params["project_query"]["kernel"] + params["project_query"]["bias"]
        if name == "AttentionLayerDot":
            scores = keys @ query
        else:
            scores = np.tanh(keys + query) @ params["v"]
        likelihoods = np.exp(scores - scores.max())[:length]
        expected = likelihoods / likelihoods.sum()
        np.testing.assert_allclose(weights[b, :length], expected, rtol=1e-4, atol=1e-6)
        assert not weights[b, length:].any()
        np.testing.assert_allclose(context[b], expected @ VALUES[b, :length], rtol=1e-4, atol=1e-5)


def test_weights_of_every_row_sum_to_one(attention):
    weights, _ = attention[2](QUERY)
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-6)


def test_an_empty_source_gets_uniform_weights(attention):
    weights, _ = attention[2](QUERY)
    np.testing.assert_allclose(weights[2], 1 / S, rtol=1e-6)


def test_hypotheses_of_one_sentence_share_its_memory(attention):
    attend, beam_width = attention[2], 3
    queries = RANDOM.normal(size=(B * beam_width, D)).astype(np.float32)
    weights, context = attend(queries)
    copied = (np.repeat(array, beam_width, axis=0) for array in (OUTPUTS, VALUES, LENGTHS))
    expected_weights, expected_context = attend(queries, *copied)
    np.testing.assert_allclose(weights, expected_weights, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(context, expected_context, rtol=1e-5, atol=1e-5)


def test_the_vector_of_bahdanau_starts_with_unit_variance_of_its_sum():
    layer = AttentionLayerBahdanau(num_units=300)
    arguments = jnp.zeros((1, 1)), jnp.zeros((1, 1, 1)), jnp.zeros((1, 1, 1)), jnp.ones(1, int)
    params = layer.init(jax.random.key(0), *arguments, method=look_back)["params"]
    assert 0.097 < np.abs(params["v"]).max() <= 0.1  # the square root of 3 / 300
    for name in ("project_keys", "project_query"):
        assert not params[name]["bias"].any()
