"""A loop that leaves work out of the loop, against one that does it all at every step."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax.extend.core import jaxprs_in_params

from seq2seq_jax.models.cells import (
    BasicRNNCell,
    GRUCell,
    LayerNormBasicLSTMCell,
    LSTMCell,
)
from seq2seq_jax.ops.dropout_masks import draw_mask, random_bits
from seq2seq_jax.ops.layers import Dense, Dropout
from seq2seq_jax.ops.rnn_scan import scan_over_time
from tests.tiny_models import random_params

T, B, E, D = 4, 3, 2, 5
INPUTS = np.random.default_rng(0).normal(size=(T, B, E)).astype(np.float32)
MEMORY = np.random.default_rng(1).normal(size=(B, D)).astype(np.float32)


class CellOfOnesOwn(nn.Module):
    """Knows nothing of loops, and uses one of its layers twice."""

    @nn.compact
    def __call__(self, h, x):
        twice = Dense(D, name="twice")
        h = jnp.tanh(nn.Dense(D, name="flax")(x) + twice(twice(h)))
        return h, h

    def initial_state(self, batch_size):
        return jnp.zeros((batch_size, D))

    def project(self, x):
        return x


CELLS = [
    BasicRNNCell(D),
    GRUCell(D),
    LSTMCell(D, use_peepholes=True, num_proj=D, cell_clip=0.5),
    LayerNormBasicLSTMCell(D),
    CellOfOnesOwn(),
]


class Loop(nn.Module):
    """A cell that sees its inputs and the memory at every step, with the sum of its outputs."""

    cell: nn.Module
    way: str

    @nn.compact
    def __call__(self, inputs, memory):
        def step(cell, state, x, memory):
            state, y = cell(state, cell.project(x))
            return state, y * memory

        state = self.cell.initial_state(B)
        if self.way == "unrolled":
            ys = []
            for x in inputs:
                state, y = step(self.cell, state, x, memory)
                ys.append(y)
            ys = jnp.stack(ys)
        else:
            remat = self.way == "remat"
            state, ys = scan_over_time(step, self.cell, state, inputs, memory, remat=remat)
        return jax.tree.leaves(state), ys


def gradients(cell, way, params):
    def loss(params, inputs, memory):
        states, ys = Loop(cell, way).apply({"params": params}, inputs, memory)
        weights = jnp.arange(ys.size).reshape(ys.shape) / ys.size
        return jnp.sum(ys * weights) + sum(jnp.sum(jnp.sin(state)) for state in states)

    return jax.jit(jax.grad(loss, argnums=(0, 1, 2)))(params, INPUTS, MEMORY)


@pytest.mark.parametrize("way", ["loop", "remat"])
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: type(cell).__name__)
def test_a_loop_has_the_gradients_of_its_steps_written_out(cell, way):
    params = random_params(Loop(cell, "unrolled"), INPUTS, MEMORY)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
        gradients(cell, way, params),
        gradients(cell, "unrolled", params),
    )


def loops_in(jaxpr):
    """All scans, also those inside of other operations."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "scan":
            yield equation
        for inner in jaxprs_in_params(equation.params):
            yield from loops_in(inner)


def test_no_gradient_of_a_weight_is_carried_through_the_way_back():
    cell = LSTMCell(D)
    params = random_params(Loop(cell, "loop"), INPUTS, MEMORY)
    jaxpr = jax.make_jaxpr(lambda params: gradients(cell, "loop", params))(params).jaxpr
    carried = [
        variable.aval.shape
        for loop in loops_in(jaxpr)
        for variable in loop.outvars[: loop.params["num_carry"]]
    ]
    assert (B, D) in carried
    assert (D, 4 * D) not in carried and (E, 4 * D) not in carried


class Dropping(nn.Module):
    dropout: nn.Module

    def __call__(self, x):
        def step(module, state, x, _):
            return state, module.dropout(x, deterministic=False)

        return scan_over_time(step, self, jnp.zeros(()), x)[1]


def test_every_step_of_a_loop_has_a_mask_of_its_own():
    module, x = Dropping(Dropout(0.5)), jnp.ones((50, 8))
    kept = module.apply({}, x, rngs={"dropout": jax.random.key(0)})
    assert set(np.unique(kept)) == {0, 2}
    assert len({tuple(row) for row in np.asarray(kept)}) > 40
    again = module.apply({}, x, rngs={"dropout": jax.random.key(1)})
    assert 0.4 < np.mean(kept == again) < 0.6


def test_a_loop_drops_the_same_at_every_step_if_it_is_told_so():
    module, x = Dropping(Dropout(0.5, per_sequence=True)), jnp.ones((50, 3, 8))
    kept = np.asarray(module.apply({}, x, rngs={"dropout": jax.random.key(0)}))
    assert (kept == kept[0]).all() and set(np.unique(kept)) == {0, 2}


def test_random_bits_are_those_of_jax():
    key = jax.random.key(3)
    np.testing.assert_array_equal(random_bits(key, (5, 7)), jax.random.bits(key, (5, 7)))


@pytest.mark.parametrize("keep_prob", [0.0, 0.3, 1.0])
def test_a_mask_keeps_with_its_probability(keep_prob):
    mask = draw_mask(jax.random.key(0), keep_prob, (100, 100))
    assert abs(np.mean(mask) - keep_prob) < 0.02


def test_a_dense_layer_has_the_gradients_of_flax():
    x = jnp.asarray(INPUTS)
    params = random_params(nn.Dense(D), x)

    def gradients(layer):
        def loss(params, x):
            return jnp.sum(jnp.sin(layer.apply({"params": params}, x)))

        return jax.grad(loss, argnums=(0, 1))(params, x)

    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
        gradients(Dense(D)),
        gradients(nn.Dense(D)),
    )
