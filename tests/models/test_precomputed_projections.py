"""The decoder step with precomputed projections against the model's own."""

import jax
import numpy as np
import pytest

from seq2seq_jax.models.precomputed_projections import can_precompute, make_step
from seq2seq_jax.ops.kernels import use_kernels
from tests.tiny_models import model_params, tiny_model

MODELS = {
    "GRU, dot, reversed": {"attention__class": "AttentionLayerDot"},
    "two LSTM with projections": {
        "decoder__params__rnn_cell__cell_class": "LSTMCell",
        "decoder__params__rnn_cell__cell_params__num_proj": 3,
        "decoder__params__rnn_cell__num_layers": 2,
        "source__reverse": "false",
    },
    "normalized LSTM, shared embedding": {
        "decoder__params__rnn_cell__cell_class": "LayerNormBasicLSTMCell",
        "embedding__share": "true",
    },
}
SOURCE = np.array([[0, 3], [1, 0], [4, 5]])
SOURCE_LEN = np.array([2, 1, 2])


@pytest.mark.parametrize("max_decoded_tokens", [1, 10**6])
@pytest.mark.parametrize("name", MODELS)
def test_fast_and_reference_steps_agree(name, max_decoded_tokens):
    overrides = {"decoder__params__rnn_cell__cell_class": "GRUCell"} | MODELS[name]
    model = tiny_model(**overrides)
    tokens = np.array([[8, 8, 8, 8, 8, 8], [1, 2, 3, 4, 5, 0], [6, 0, 2, 2, 1, 3]])

    def decode(params, kernels):
        """Logits and attention of three steps with two hypotheses for each source."""
        with use_kernels(kernels):
            step, state = make_step(
                model, params, SOURCE, SOURCE_LEN, max_decoded_tokens=max_decoded_tokens
            )
            state = jax.tree.map(lambda leaf: leaf.repeat(2, 0), state)
            outputs = []
            for row in tokens:
                logits, state, attention = step(row, state)
                outputs.append((logits, attention))
            return outputs

    params = model_params(model)
    fast, reference = (jax.jit(lambda p, k=k: decode(p, k))(params) for k in ("fast", "reference"))
    for one, other in zip(jax.tree.leaves(fast), jax.tree.leaves(reference), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_only_built_in_models_with_attention_to_short_sources_are_precomputed():
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

    assert can_precompute(attends, memory_of(attends, 8))
    assert not can_precompute(attends, memory_of(attends, 9))  # Longer than the values are wide.
    assert not can_precompute(residual, memory_of(residual, 2))
    assert not can_precompute(basic, memory_of(basic, 2))
