"""Types of numbers, and dropout of whole sequences."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from flax import linen as nn

from seq2seq_jax.models.cells import BasicRNNCell
from seq2seq_jax.models.losses import training_loss_sums
from seq2seq_jax.models.rnn_layers import RNNCellConfig, RNNStack
from seq2seq_jax.ops.dropout_masks import draw_mask, random_bits
from seq2seq_jax.ops.kernels import use_kernels
from seq2seq_jax.ops.layers import Dense, compute_in
from tests.tiny_models import model_params, pair_batch, random_params, tiny_model

RANDOM = np.random.default_rng(0)


def halved(x):
    """Rounded to 8 bits."""
    return np.asarray(x).astype(ml_dtypes.bfloat16).astype(np.float32)


def test_a_product_in_bfloat16_rounds_what_goes_in_and_what_comes_out():
    x = RANDOM.normal(size=(3, 4)).astype(np.float32)
    params = random_params(Dense(5), x)
    with compute_in(jnp.bfloat16):
        y = Dense(5).apply({"params": params}, x)
    expected = halved(halved(halved(x) @ halved(params["kernel"])) + halved(params["bias"]))
    assert y.dtype == jnp.bfloat16
    np.testing.assert_array_equal(np.asarray(y, np.float32), expected)
    assert Dense(5).apply({"params": params}, x).dtype == jnp.float32


def test_training_in_bfloat16_has_nearly_the_gradient_of_float32_in_float32():
    model = tiny_model(decoder__params__rnn_cell__cell_class="GRUCell")
    params, batch = model_params(model), pair_batch([(5, 6), (3, 4), (0, 0)])
    params = jax.tree.map(lambda leaf: 0.3 * leaf, params)

    def gradient(dtype, skip_padding):
        def loss(params):
            loss, (tokens, _) = training_loss_sums(
                model, params, batch, jax.random.key(0), dtype=dtype, skip_padding=skip_padding
            )
            assert loss.dtype == jnp.float32
            return loss / tokens

        leaves = jax.tree.leaves(jax.jit(jax.grad(loss))(params))
        assert all(leaf.dtype == jnp.float32 for leaf in leaves)
        return np.concatenate([np.ravel(leaf) for leaf in leaves])

    exact = gradient("float32", True)
    for skip_padding in (False, True):
        rounded = gradient("bfloat16", skip_padding)
        error = np.linalg.norm(rounded - exact) / np.linalg.norm(exact)
        assert 1e-4 < error < 0.03


def test_variational_dropout_drops_the_same_at_every_step_of_a_sequence():
    """The cell gives back its input: what comes out is the mask, over its probability."""
    steps, width, x = 9, 40, np.ones((2, 9, 40), np.float32)
    params = {
        "input": {"kernel": np.eye(width), "bias": np.zeros(width)},
        "recurrent": {"kernel": np.zeros((width, width))},
    }

    def outputs(**dropout):
        cell = {"num_units": width, "activation": "identity"}
        stack = RNNStack(RNNCellConfig(BasicRNNCell, cell, dropout_input_keep_prob=0.8, **dropout))
        return stack.apply(
            {"params": {"cell_0": params}},
            x,
            np.full(2, steps),
            train=True,
            rngs={"dropout": jax.random.key(0)},
        )[0]

    def masks(outputs):
        """Returns, for each row, the different masks of its steps."""
        return [{tuple(step) for step in row} for row in np.asarray(outputs).round(6)]

    of_rows = masks(outputs(variational_dropout=True))
    assert [len(found) for found in of_rows] == [1, 1] and of_rows[0] != of_rows[1]
    assert {*of_rows[0].pop()} == {0, 1.25}
    assert [len(found) for found in masks(outputs())] == [steps, steps]


def test_random_bits_are_those_of_jax():
    key = jax.random.key(3)
    np.testing.assert_array_equal(random_bits(key, (5, 7)), jax.random.bits(key, (5, 7)))


@pytest.mark.parametrize("keep_prob", [0.0, 0.3, 1.0])
def test_a_mask_keeps_with_its_probability(keep_prob):
    mask = draw_mask(jax.random.key(0), keep_prob, (100, 100))
    assert abs(np.mean(mask) - keep_prob) < 0.02
    with use_kernels("reference"):
        np.testing.assert_array_equal(mask, draw_mask(jax.random.key(0), keep_prob, (100, 100)))


@pytest.mark.parametrize("kernels", ["fast", "reference"])
def test_a_dense_layer_has_the_gradients_of_flax(kernels):
    x = jnp.asarray(RANDOM.normal(size=(4, 3, 2)), jnp.float32)
    params = random_params(nn.Dense(5), x)

    def gradients(layer):
        def loss(params, x):
            return jnp.sum(jnp.sin(layer.apply({"params": params}, x)))

        return jax.grad(loss, argnums=(0, 1))(params, x)

    with use_kernels(kernels):
        ours = gradients(Dense(5))
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
        ours,
        gradients(nn.Dense(5)),
    )
