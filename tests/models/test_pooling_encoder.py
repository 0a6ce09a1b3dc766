"""Pooling counts from each row's own length."""

import jax.numpy as jnp
import numpy as np
import pytest

from seq2seq_jax.config import default_config, resolve
from seq2seq_jax.models.build import build_model
from seq2seq_jax.models.conv_encoders import PoolingEncoder, PositionEmbeddingsConfig
from seq2seq_jax.utils.errors import UserError

NO_POSITIONS = PositionEmbeddingsConfig(enable=False)


def pooled(rows, **params):
    """Rows of numbers, of one length each; padding is large."""
    width = max(map(len, rows))
    inputs = jnp.array([[*row, *[1000.0] * (width - len(row))] for row in rows])[..., None]
    encoder = PoolingEncoder(position_embeddings=NO_POSITIONS, **params)
    return encoder.apply({}, inputs, jnp.array([len(row) for row in rows]))


def test_a_mean_is_over_the_positions_that_there_are():
    encoded = pooled([[1, 2, 3, 4, 5], [1, 2]], pool_size=3)
    expected = [[1.5, 2, 3, 4, 4.5], [1.5, 1.5, 0, 0, 0]]
    np.testing.assert_allclose(encoded.outputs[..., 0], expected)
    np.testing.assert_allclose(encoded.final_state[:, 0], [3, 1.5])


def test_windows_begin_where_the_row_by_itself_would_have_them():
    # Of length 5 windows of 2 start at 0, 2, 4; of length 4 at 0, 2; neither reaches before 0.
    encoded = pooled([[1, 2, 3, 4, 5], [1, 2, 3, 4]], pool_size=2, strides=2)
    np.testing.assert_allclose(encoded.outputs[..., 0], [[1.5, 3.5, 5], [1.5, 3.5, 0]])
    # With windows of 3 and strides of 2, length 5 starts at -1 and length 4 at 0.
    encoded = pooled([[1, 2, 3, 4, 5], [1, 2, 3, 4]], pool_size=3, strides=2)
    np.testing.assert_allclose(encoded.outputs[..., 0], [[1.5, 3, 4.5], [2, 3.5, 0]])


def test_a_maximum_does_not_see_padding():
    encoded = pooled([[1, 2, 3], [-2, -1]], pool_size=3, pooling_fn="max_pooling1d")
    np.testing.assert_allclose(encoded.outputs[..., 0], [[2, 3, 3], [-1, -1, 0]])


def test_an_empty_row_gives_zeros():
    encoded = pooled([[1.0], []])
    np.testing.assert_array_equal(encoded.outputs[1], 0)
    np.testing.assert_array_equal(encoded.final_state[1], 0)


def pooling_config(model, **params):
    config = default_config(model)
    config.encoder["class"] = "PoolingEncoder"
    config.encoder.params.update(params)
    return config


def test_attention_on_fewer_outputs_than_positions_is_refused():
    build_model(resolve(pooling_config("BasicSeq2Seq", strides=2)), 6, 6)
    build_model(resolve(pooling_config("AttentionSeq2Seq", strides=1)), 6, 6)
    with pytest.raises(UserError, match=r"^encoder.params.strides: .*strides=1"):
        build_model(resolve(pooling_config("AttentionSeq2Seq", strides=2)), 6, 6)


def test_there_have_to_be_positions_for_the_longest_source():
    config = pooling_config("AttentionSeq2Seq", position_embeddings={"num_positions": 20})
    with pytest.raises(UserError, match=r"num_positions: must be at least source.max_seq_len"):
        resolve(config)
    config.source.max_seq_len = 20
    resolve(config)
