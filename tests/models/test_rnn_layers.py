"""Stacks of cells against loops over rows, layers and time in numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2seq_jax.models.cells import BasicLSTMCell, BasicRNNCell
from seq2seq_jax.models.encoders import (
    BidirectionalRNNEncoder,
    StackBidirectionalRNNEncoder,
    UnidirectionalRNNEncoder,
)
from seq2seq_jax.models.rnn_layers import RNNCellConfig, RNNStack
from tests.tiny_models import random_params

B, S, E, D = 3, 5, 2, 4
LENGTHS = np.array([5, 2, 0])
INPUTS = np.random.default_rng(1).normal(size=(B, S, E)).astype(np.float32)

PLAIN = {"residual_connections": False}
RESIDUALS = [
    {"residual_connections": True, "residual_combiner": combiner, "residual_dense": dense}
    for combiner in ("add", "mean", "concat")
    for dense in (False, True)
]
FORMS = [PLAIN, *RESIDUALS]


def name_of(form):
    if not form["residual_connections"]:
        return "plain"
    return form["residual_combiner"] + (" dense" if form["residual_dense"] else "")


def rnn_cell(**kwargs):
    own = {"cell_class": BasicRNNCell, "cell_params": {"num_units": D}}
    return RNNCellConfig(**(own | kwargs))


def run_row(cell, xs):
    """One cell over one row: xs [L, E] -> outputs [L, D], final state."""
    h, outputs = np.zeros(D), []
    for x in xs:
        inputs = x @ cell["input"]["kernel"] + cell["input"]["bias"]
        h = np.tanh(inputs + h @ cell["recurrent"]["kernel"])
        outputs.append(h)
    return np.array(outputs).reshape(-1, D), h


def run_backward(cell, xs):
    outputs, h = run_row(cell, xs[::-1])
    return outputs[::-1], h


def joined(output, below, form):
    """A layer's output with its inputs: `below` holds the inputs of all layers so far."""
    inputs = below if form["residual_dense"] else below[-1:]
    if form["residual_combiner"] == "concat":
        return np.concatenate([output, *inputs], axis=-1)
    total = np.sum(inputs, axis=0)
    return output + (total if form["residual_combiner"] == "add" else total / len(inputs))


def run_layers(params, x, form, run_layer, num_layers, width):
    """x [L, E] through all layers -> outputs [L, ...], states by layer."""
    residual = form["residual_connections"]
    if residual and form["residual_combiner"] != "concat" and x.shape[-1] != width:
        x = x @ params["input_transform"]["kernel"] + params["input_transform"]["bias"]
    below, states = [x], []
    for layer in range(num_layers):
        output, state = run_layer(layer, below[-1])
        below.append(joined(output, below, form) if residual else output)
        states.append(state)
    return below[-1], states


def run_stack(params, x, form, *, backward=False):
    def run_layer(layer, x):
        return (run_backward if backward else run_row)(params[f"cell_{layer}"], x)

    layers = sum(name.startswith("cell_") for name in params)
    return run_layers(params, x, form, run_layer, layers, D)


def run_stack_bidirectional(params, x, form):
    def run_layer(layer, x):
        forward, forward_state = run_row(params[f"cell_{layer}"], x)
        backward, backward_state = run_backward(params[f"backward_cell_{layer}"], x)
        return np.concatenate([forward, backward], -1), (forward_state, backward_state)

    layers = sum(name.startswith("cell_") for name in params)
    return run_layers(params, x, form, run_layer, layers, 2 * D)


def assert_rows(outputs, expected_rows):
    """Each row is its own run, without padding, and zeros behind it."""
    for row, length, expected in zip(outputs, LENGTHS, expected_rows, strict=True):
        if length:
            np.testing.assert_allclose(row[:length], expected, rtol=1e-5, atol=1e-5)
        assert not row[length:].any()


def assert_states(states, expected_rows):
    """`states` by layer, [B, D] each; `expected_rows` by row, then by layer."""
    for layer, state in enumerate(states):
        expected = [row[layer] for row in expected_rows]
        np.testing.assert_allclose(state, expected, rtol=1e-5, atol=1e-5)


@pytest.fixture(scope="module", params=FORMS, ids=name_of)
def form(request):
    return request.param


def test_a_stack_is_its_layers_and_residuals_row_by_row(form):
    stack = RNNStack(rnn_cell(num_layers=3, **form))
    params = random_params(stack, INPUTS, LENGTHS)
    outputs, states = jax.jit(stack.apply)({"params": params}, INPUTS, LENGTHS)
    rows = [run_stack(params, x[:n], form) for x, n in zip(INPUTS, LENGTHS, strict=True)]
    assert_rows(outputs, [row for row, _ in rows])
    assert_states(states, [row_states for _, row_states in rows])
    assert ("input_transform" in params) == (form.get("residual_combiner") in ("add", "mean"))


def test_stepping_through_time_is_the_same_as_running(form):
    stack = RNNStack(rnn_cell(num_layers=3, **form))
    params = random_params(stack, INPUTS, LENGTHS)
    step = jax.jit(lambda states, x: stack.apply({"params": params}, states, x, method="step"))
    states = stack.apply({"params": params}, B, method="initial_state")
    for t in range(S):
        states, output = step(states, INPUTS[:, t])
        expected, expected_states = run_stack(params, INPUTS[0, : t + 1], form)
        np.testing.assert_allclose(output[0], expected[-1], rtol=1e-5, atol=1e-5)
        assert_states([state[:1] for state in states], [expected_states])


def test_a_residual_of_inputs_as_wide_as_the_cells_needs_no_transformation():
    form = RESIDUALS[0]
    wide = np.concatenate([INPUTS, INPUTS], axis=-1)
    stack = RNNStack(rnn_cell(num_layers=2, **form))
    params = random_params(stack, wide, LENGTHS)
    assert "input_transform" not in params
    outputs, _ = jax.jit(stack.apply)({"params": params}, wide, LENGTHS)
    assert_rows(
        outputs,
        [run_stack(params, x[:n], form)[0] for x, n in zip(wide, LENGTHS, strict=True)],
    )


def test_one_layer_has_no_residual_connection():
    stack = RNNStack(rnn_cell(residual_connections=True))
    params = random_params(stack, INPUTS, LENGTHS)
    outputs, _ = jax.jit(stack.apply)({"params": params}, INPUTS, LENGTHS)
    assert_rows(
        outputs, [run_stack(params, x[:n], PLAIN)[0] for x, n in zip(INPUTS, LENGTHS, strict=True)]
    )


def test_a_reverse_run_is_a_run_over_the_reversed_row():
    stack = RNNStack(rnn_cell(cell_class=BasicLSTMCell, num_layers=2))
    params = {"params": random_params(stack, INPUTS, LENGTHS)}
    outputs, states = jax.jit(lambda x: stack.apply(params, x, LENGTHS, reverse=True))(INPUTS)
    mirrored = INPUTS.copy()
    for row, length in zip(mirrored, LENGTHS, strict=True):
        row[:length] = row[:length][::-1]
    expected, expected_states = jax.jit(lambda x: stack.apply(params, x, LENGTHS))(mirrored)
    assert_rows(outputs, [np.asarray(y[:n])[::-1] for y, n in zip(expected, LENGTHS, strict=True)])
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6), states, expected_states
    )


def encoded_by(encoder_class, form):
    encoder = encoder_class(rnn_cell=rnn_cell(num_layers=2, **form))
    params = random_params(encoder, INPUTS, LENGTHS)
    encoded = jax.jit(encoder.apply)({"params": params}, INPUTS, LENGTHS)
    np.testing.assert_array_equal(encoded.attention_values, encoded.outputs)
    np.testing.assert_array_equal(encoded.attention_values_length, LENGTHS)
    return params, encoded


RESIDUAL = RESIDUALS[0]


def test_a_unidirectional_encoder_is_one_stack():
    params, encoded = encoded_by(UnidirectionalRNNEncoder, RESIDUAL)
    rows = [
        run_stack(params["forward"], x[:n], RESIDUAL) for x, n in zip(INPUTS, LENGTHS, strict=True)
    ]
    assert_rows(encoded.outputs, [row for row, _ in rows])
    assert_states(encoded.final_state, [states for _, states in rows])


def test_a_bidirectional_encoder_is_a_whole_stack_in_each_direction():
    params, encoded = encoded_by(BidirectionalRNNEncoder, RESIDUAL)
    forward, backward = (
        [
            run_stack(params[name], x[:n], RESIDUAL, backward=name == "backward")
            for x, n in zip(INPUTS, LENGTHS, strict=True)
        ]
        for name in ("forward", "backward")
    )
    both = [np.concatenate([f[0], b[0]], -1) for f, b in zip(forward, backward, strict=True)]
    assert_rows(encoded.outputs, both)
    assert_states(encoded.final_state[0], [states for _, states in forward])
    assert_states(encoded.final_state[1], [states for _, states in backward])


@pytest.mark.parametrize("form", FORMS, ids=name_of)
def test_a_stack_bidirectional_encoder_joins_the_directions_after_every_layer(form):
    params, encoded = encoded_by(StackBidirectionalRNNEncoder, form)
    rows = [
        run_stack_bidirectional(params["stack"], x[:n], form)
        for x, n in zip(INPUTS, LENGTHS, strict=True)
    ]
    assert_rows(encoded.outputs, [row for row, _ in rows])
    for direction in (0, 1):
        states = [[layer[direction] for layer in states] for _, states in rows]
        assert_states(encoded.final_state[direction], states)


# Dropout: cells whose output shows what came in, the same at every time step.


def dropped(*, train, reverse=False, **keep):
    """Outputs [1, 40, 6] of a cell that adds 1 to each input, all of which are 1, time by time."""
    width, steps = 6, 40
    cell = {
        "input": {"kernel": np.eye(width), "bias": np.ones(width)},
        "recurrent": {"kernel": np.zeros((width, width))},
    }
    params = {"num_units": width, "activation": "identity"}
    stack = RNNStack(rnn_cell(cell_params=params, **keep))
    return np.asarray(
        stack.apply(
            {"params": {"cell_0": cell}},
            jnp.ones((1, steps, width)),
            jnp.array([steps]),
            train=train,
            reverse=reverse,
            rngs={"dropout": jax.random.key(0)} if train else {},
        )[0]
    )


def test_without_training_nothing_is_dropped():
    outputs = dropped(
        train=False, dropout_input_keep_prob=0.5, dropout_output_keep_prob=0.5, num_layers=1
    )
    assert (outputs == 2).all()


def test_dropout_on_the_input_keeps_the_scale():
    values = dropped(train=True, dropout_input_keep_prob=0.8)
    np.testing.assert_allclose(np.unique(values), [1, 1 + 1 / 0.8])
    assert 0.7 < (values > 1).mean() < 0.9


def test_dropout_on_the_output_keeps_the_scale():
    values = dropped(train=True, dropout_output_keep_prob=0.8)
    np.testing.assert_allclose(np.unique(values), [0, 2 / 0.8])
    assert 0.7 < (values > 0).mean() < 0.9


@pytest.mark.parametrize("side", ["input", "output"])
def test_every_time_step_has_its_own_mask(side):
    (values,) = dropped(train=True, **{f"dropout_{side}_keep_prob": 0.5})
    assert len({tuple(row) for row in values}) > 20


def test_dropout_does_not_cut_the_memory_of_the_cell():
    width = 3
    cell = {
        "input": {"kernel": np.eye(width), "bias": np.zeros(width)},
        "recurrent": {"kernel": np.eye(width)},
    }
    params = {"num_units": width, "activation": "identity"}
    stack = RNNStack(rnn_cell(cell_params=params, dropout_output_keep_prob=0.5))
    _, (state,) = stack.apply(
        {"params": {"cell_0": cell}},
        jnp.ones((1, 7, width)),
        jnp.array([7]),
        train=True,
        rngs={"dropout": jax.random.key(0)},
    )
    assert (state == 7).all()
