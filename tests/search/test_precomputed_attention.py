"""The quicker step of attention decoders against the model's own."""

import jax
import numpy as np
import pytest

from seq2seq_jax.search.precomputed_attention import can_fold, fold
from tests.tiny_models import model_params, tiny_model

MODELS = {
    "GRU, dot, reversed": {"attention__class": "AttentionLayerDot"},
    "two LSTM with projections": {
        "decoder__params__rnn_cell__cell_class": "LSTMCell",
        "decoder__params__rnn_cell__cell_params__num_proj": 3,
        "decoder__params__rnn_cell__num_layers": 2,
        "source__reverse": "false",
    },
    "normalised LSTM, shared embedding": {
        "decoder__params__rnn_cell__cell_class": "LayerNormBasicLSTMCell",
        "embedding__share": "true",
    },
}


@pytest.mark.parametrize("words_beforehand", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_the_folded_step_is_the_models_step(name, words_beforehand):
    overrides = {"decoder__params__rnn_cell__cell_class": "GRUCell"} | MODELS[name]
    model = tiny_model(**overrides)
    params = model_params(model)
    source_ids = np.array([[0, 3], [1, 0], [4, 5]])
    source_len = np.array([2, 1, 2])
    tokens = np.array([[8, 8, 8, 8, 8, 8], [1, 2, 3, 4, 5, 0], [6, 0, 2, 2, 1, 3]])

    @jax.jit
    def logits_and_attention(params):
        variables = {"params": params}
        memory, state = model.apply(variables, source_ids, source_len, method="encode_and_init")
        assert can_fold(model, memory)
        step, folded = fold(
            model,
            params,
            memory,
            state,
            jax.numpy.asarray(source_len),
            max_decoded_tokens=10**6 if words_beforehand else 1,
        )
        state, folded = (
            jax.tree.map(lambda leaf: leaf.repeat(2, 0), tree) for tree in (state, folded)
        )
        expected, found = [], []
        for row in jax.numpy.asarray(tokens):
            log_probs, state, attention = model.apply(
                variables, row, state, memory, source_len, method="step"
            )
            expected.append((log_probs, attention))
            logits, folded, attention = step(row, folded)
            found.append((jax.nn.log_softmax(logits), attention))
        return expected, found

    for expected, found in zip(*logits_and_attention(params), strict=True):
        np.testing.assert_allclose(found[0], expected[0], atol=1e-5)
        np.testing.assert_allclose(found[1], expected[1], atol=1e-5)


def test_what_is_not_known_is_not_folded():
    attends, basic = tiny_model(), tiny_model("BasicSeq2Seq")
    residual = tiny_model(
        decoder__params__rnn_cell__num_layers=2,
        decoder__params__rnn_cell__residual_connections="true",
    )

    def memory_of(model, width):
        ids, length = np.zeros((1, width), int), np.array([1])
        return jax.eval_shape(
            lambda params: model.apply({"params": params}, ids, length, method="encode_and_init"),
            model_params(model),
        )[0]

    assert can_fold(attends, memory_of(attends, 8))
    assert not can_fold(attends, memory_of(attends, 9))  # longer than the values are wide
    assert not can_fold(residual, memory_of(residual, 2))
    assert not can_fold(basic, memory_of(basic, 2))
