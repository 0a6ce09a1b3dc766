"""One step of each cell against its equations, written out in numpy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2seq_jax.models.cells import (
    BasicLSTMCell,
    BasicRNNCell,
    GRUCell,
    LayerNormBasicLSTMCell,
    LSTMCell,
    LSTMState,
)
from tests.tiny_models import random_like, random_params, sigmoid

N, E, D, WIDE = 3, 2, 4, 32


def stepped(cell, seed=0):
    """Random parameters, state and input [N, E], and what the cell makes of them."""
    random = np.random.default_rng(seed + 100)
    x = random.normal(size=(N, E)).astype(np.float32)
    state = random_like(jax.eval_shape(lambda: cell.initial_state(N)), seed + 200)
    params = random_params(cell, state, x)
    new_state, output = cell.apply({"params": params}, state, x)
    return params, state, x, new_state, output


def joined(params, x, h):
    """x W + h U + b"""
    projected = x @ params["input"]["kernel"] + h @ params["recurrent"]["kernel"]
    return projected + params["input"].get("bias", 0)


def normalised(x, params):
    centred = x - x.mean(-1, keepdims=True)
    spread = np.sqrt((centred**2).mean(-1, keepdims=True))
    return centred / spread * params["scale"] + params["bias"]


def assert_step(new_state, output, expected_state, expected_output):
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5),
        (new_state, output),
        (expected_state, expected_output),
    )


def test_a_basic_rnn_cell_is_tanh_of_both_inputs():
    params, h, x, new_state, output = stepped(BasicRNNCell(num_units=D))
    expected = np.tanh(joined(params, x, h))
    assert_step(new_state, output, expected, expected)


def test_a_gru_resets_before_the_matrix_product():
    params, h, x, new_state, output = stepped(GRUCell(num_units=D))
    of_x = x @ params["input"]["kernel"] + params["input"]["bias"]
    gates = sigmoid(of_x[:, : 2 * D] + h @ params["gates"]["kernel"])
    r, u = gates[:, :D], gates[:, D:]
    c = np.tanh(of_x[:, 2 * D :] + (r * h) @ params["candidate"]["kernel"])
    expected = u * h + (1 - u) * c
    assert_step(new_state, output, expected, expected)


@pytest.mark.parametrize("forget_bias", [1.0, -0.5])
def test_a_basic_lstm_adds_its_forget_bias_when_it_runs(forget_bias):
    params, (c, h), x, new_state, output = stepped(BasicLSTMCell(D, forget_bias=forget_bias))
    i, j, f, o = np.split(joined(params, x, h), 4, axis=-1)
    c = c * sigmoid(f + forget_bias) + sigmoid(i) * np.tanh(j)
    h = np.tanh(c) * sigmoid(o)
    assert_step(new_state, output, LSTMState(c, h), h)


EXTRAS = {
    "plain": {},
    "peepholes": {"use_peepholes": True},
    "cell clipped": {"cell_clip": 0.3},
    "projected": {"num_proj": 3},
    "projected and clipped": {"num_proj": 3, "proj_clip": 0.2},
    "all": {"use_peepholes": True, "cell_clip": 0.4, "num_proj": 2, "proj_clip": 0.3},
}


@pytest.mark.parametrize("extras", EXTRAS.values(), ids=EXTRAS.keys())
def test_an_lstm_with_each_of_its_extras(extras):
    params, (c, h), x, new_state, output = stepped(LSTMCell(D, forget_bias=0.7, **extras))
    w_i, w_f, w_o = (params.get(f"peephole_{gate}", 0) for gate in "ifo")
    i, j, f, o = np.split(joined(params, x, h), 4, axis=-1)
    c = c * sigmoid(f + 0.7 + w_f * c) + sigmoid(i + w_i * c) * np.tanh(j)
    if "cell_clip" in extras:
        assert (np.abs(c) > extras["cell_clip"]).any()
        c = np.clip(c, -extras["cell_clip"], extras["cell_clip"])
    h = np.tanh(c) * sigmoid(o + w_o * c)
    if "num_proj" in extras:
        h = h @ params["projection"]["kernel"]
    if "proj_clip" in extras:
        assert (np.abs(h) > extras["proj_clip"]).any()
        h = np.clip(h, -extras["proj_clip"], extras["proj_clip"])
    assert_step(new_state, output, LSTMState(c, h), h)


def test_a_layer_normalised_lstm_normalises_each_gate_and_the_memory():
    params, (c, h), x, new_state, output = stepped(LayerNormBasicLSTMCell(D))
    assert "bias" not in params["input"]
    i, j, f, o = (
        normalised(part, params[f"norm_{gate}"])
        for gate, part in zip("ijfo", np.split(joined(params, x, h), 4, axis=-1), strict=True)
    )
    c = c * sigmoid(f + 1) + sigmoid(i) * np.tanh(j)
    c = normalised(c, params["norm_c"])
    h = np.tanh(c) * sigmoid(o)
    assert_step(new_state, output, LSTMState(c, h), h)


def test_without_normalisation_it_is_a_basic_lstm():
    params, state, x, new_state, output = stepped(LayerNormBasicLSTMCell(D, layer_norm=False))
    basic = BasicLSTMCell(D).apply({"params": params}, state, x)
    assert_step(new_state, output, *basic)


def test_recurrent_dropout_drops_new_memory_in_training_only():
    cell = LayerNormBasicLSTMCell(D, layer_norm=False, dropout_keep_prob=0.5)
    params, (c, h), x, (evaluated, _), _ = stepped(cell)
    (trained, _), _ = cell.apply(
        {"params": params},
        LSTMState(c, h),
        x,
        rngs={"dropout": jax.random.key(0)},
    )
    f = np.split(joined(params, x, h), 4, axis=-1)[2]
    kept = c * sigmoid(f + 1)  # what was there before is never dropped
    ratio = (np.asarray(trained) - kept) / (np.asarray(evaluated) - kept)
    assert set(np.round(ratio, 2).ravel()) == {0, 2}


def test_another_activation_takes_the_place_of_tanh():
    params, h, x, new_state, output = stepped(BasicRNNCell(D, activation="relu"))
    expected = np.maximum(joined(params, x, h), 0)
    assert_step(new_state, output, expected, expected)


CELLS = [BasicRNNCell, GRUCell, BasicLSTMCell, LSTMCell, LayerNormBasicLSTMCell]


@functools.cache
def initial_params(cell_class, **kwargs):
    cell = cell_class(num_units=WIDE, init_scale=0.1, **kwargs)
    x, state = jnp.zeros((1, WIDE)), cell.initial_state(1)
    return cell.init(jax.random.key(0), state, x)["params"]


@pytest.mark.parametrize("cell_class", CELLS)
def test_matrices_start_uniform_within_the_scale(cell_class):
    for path, leaf in jax.tree_util.tree_leaves_with_path(initial_params(cell_class)):
        if "kernel" in jax.tree_util.keystr(path):
            assert 0.098 < np.abs(leaf).max() <= 0.1
            np.testing.assert_allclose(np.std(leaf), 0.1 / np.sqrt(3), rtol=0.05)


def test_biases_start_at_zero_but_those_of_gru_gates_at_one():
    for cell_class in (BasicRNNCell, BasicLSTMCell, LSTMCell):
        assert not initial_params(cell_class)["input"]["bias"].any()
    of_gru = initial_params(GRUCell)["input"]["bias"]
    assert of_gru.tolist() == [1] * (2 * WIDE) + [0] * WIDE


def test_norms_start_as_they_are_told():
    params = initial_params(LayerNormBasicLSTMCell, norm_gain=0.5, norm_shift=0.25)
    for gate in "ijfoc":
        assert (params[f"norm_{gate}"]["scale"] == 0.5).all()
        assert (params[f"norm_{gate}"]["bias"] == 0.25).all()


@pytest.mark.parametrize("cell_class", CELLS)
def test_states_start_at_zero(cell_class):
    cell = cell_class(num_units=D)
    for part in jax.tree.leaves(cell.initial_state(N)):
        assert part.shape == (N, D)
        assert not part.any()
    assert cell.output_size == D


def test_a_projection_sets_the_width_of_output_and_state():
    cell = LSTMCell(num_units=D, num_proj=2)
    assert cell.output_size == 2
    assert [part.shape for part in cell.initial_state(N)] == [(N, D), (N, 2)]
