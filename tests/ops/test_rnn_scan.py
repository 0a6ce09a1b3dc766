"""The fast RNN scan against the reference, `flax.linen.scan`."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax.extend.core import jaxprs_in_params

from seq2seq_jax.models.cells import (
    BasicLSTMCell,
    BasicRNNCell,
    GRUCell,
    LayerNormBasicLSTMCell,
    LSTMCell,
)
from seq2seq_jax.ops.kernels import use_kernels
from seq2seq_jax.ops.layers import Dense, Dropout
from seq2seq_jax.ops.rnn_scan import rnn_scan
from tests.tiny_models import random_params

T, B, E, D = 4, 3, 2, 5
INPUTS = np.random.default_rng(0).normal(size=(T, B, E)).astype(np.float32)
MEMORY = np.random.default_rng(1).normal(size=(B, D)).astype(np.float32)


class UserCell(nn.Module):
    """A cell that knows nothing of kernels, and uses one of its layers twice."""

    @nn.compact
    def __call__(self, h, x):
        twice = Dense(D, name="twice")
        h = jnp.tanh(nn.Dense(D, name="flax")(x) + Dense(D, name="ours")(x) + twice(twice(h)))
        return h, h

    def initial_state(self, batch_size):
        return jnp.zeros((batch_size, D))


# Compilation takes most of the time.
quick_jit = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})

CELLS = [
    BasicRNNCell(D),
    BasicLSTMCell(D),
    GRUCell(D),
    LSTMCell(D, use_peepholes=True, num_proj=D, cell_clip=0.5),
    LayerNormBasicLSTMCell(D, dropout_keep_prob=0.6),
    UserCell(),
]


class Scan(nn.Module):
    """A cell whose inputs and outputs are dropped out at every step, and which sees a memory."""

    cell: nn.Module
    reverse: bool = False
    remat: bool = False
    per_sequence: bool = False

    def setup(self):
        self.dropout_input = Dropout(0.3)
        self.dropout_output = Dropout(0.5, self.per_sequence)

    def __call__(self, inputs, memory, train):
        def step(module, state, x, memory):
            x = module.dropout_input(x, deterministic=not train)
            state, y = module.cell(state, x)
            return state, module.dropout_output(y * memory, deterministic=not train)

        state = self.cell.initial_state(B)
        return rnn_scan(step, self, state, inputs, memory, reverse=self.reverse, remat=self.remat)


def value_and_grad(module, params, kernels, *, train, jit=quick_jit):
    def loss(params, inputs, memory):
        rngs = {"dropout": jax.random.key(3)} if train else {}
        with use_kernels(kernels):
            state, ys = module.apply({"params": params}, inputs, memory, train, rngs=rngs)
        weights = jnp.arange(ys.size).reshape(ys.shape) / ys.size
        return jnp.sum(ys * weights) + sum(jnp.sum(jnp.sin(x)) for x in jax.tree.leaves(state)), ys

    compute = jax.value_and_grad(loss, argnums=(0, 1, 2), has_aux=True)
    return jit(compute)(params, INPUTS, MEMORY)


@pytest.mark.parametrize(
    ("cell", "train", "options"),
    [
        *((cell, True, {}) for cell in CELLS),
        (GRUCell(D), False, {}),
        (GRUCell(D), True, {"per_sequence": True}),
        (UserCell(), True, {"remat": True}),
        (BasicLSTMCell(D), True, {"reverse": True}),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else str(value),
)
def test_fast_and_reference_agree_in_values_and_gradients(cell, train, options):
    module = Scan(cell, **options)
    params = random_params(module, INPUTS, MEMORY, False)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
        value_and_grad(module, params, "fast", train=train),
        value_and_grad(module, params, "reference", train=train),
    )


def test_the_reference_is_a_loop_over_the_steps():
    cell = GRUCell(D)
    module = Scan(cell)
    params = random_params(module, INPUTS, MEMORY, False)
    state, expected = cell.initial_state(B), []
    for x in INPUTS:
        state, y = cell.apply({"params": params["cell"]}, state, x)
        expected.append(y * MEMORY)
    with use_kernels("reference"):
        last, ys = module.apply({"params": params}, INPUTS, MEMORY, False)
    np.testing.assert_allclose(ys, np.stack(expected), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(last, state, rtol=1e-5, atol=1e-6)


def scans_in(jaxpr):
    """All scans, also those inside of other operations."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "scan":
            yield equation
        for inner in jaxprs_in_params(equation.params):
            yield from scans_in(inner)


def training_scans(cell, kernels):
    """The forward and the backward scan of a training step."""
    module = Scan(cell)
    params = random_params(module, INPUTS, MEMORY, False)
    step = jax.make_jaxpr(
        lambda params: value_and_grad(module, params, kernels, train=False, jit=jax.jit)
    )
    return list(scans_in(step(params).jaxpr))


def test_the_fast_backward_pass_carries_no_gradient_of_a_weight():
    carried = [  # Other outputs of a scan have an axis more than those of its body.
        out.aval.shape
        for scan in training_scans(LSTMCell(D), "fast")
        for out, inner in zip(scan.outvars, scan.params["jaxpr"].out_avals, strict=True)
        if out.aval.shape == inner.shape
    ]
    assert (B, D) in carried
    assert (D, 4 * D) not in carried and (E, 4 * D) not in carried


def products_per_step(scan):
    body = scan.params["jaxpr"].jaxpr

    def count(jaxpr):
        inner = sum(count(other) for eqn in jaxpr.eqns for other in jaxprs_in_params(eqn.params))
        return inner + sum(eqn.primitive.name == "dot_general" for eqn in jaxpr.eqns)

    return count(body)


def test_the_fast_scan_projects_the_inputs_before_the_loop():
    """A step of an LSTM has two products; the fast loop computes only that of the state."""
    assert products_per_step(training_scans(BasicLSTMCell(D), "fast")[0]) == 1
    assert products_per_step(training_scans(BasicLSTMCell(D), "reference")[0]) == 2


class Dropping(nn.Module):
    dropout: nn.Module

    def __call__(self, x):
        def step(module, state, x, _):
            return state, module.dropout(x, deterministic=False)

        return rnn_scan(step, self, jnp.zeros(()), x)[1]


@pytest.mark.parametrize("kernels", ["fast", "reference"])
def test_every_step_has_its_own_dropout_mask(kernels):
    module, x = Dropping(Dropout(0.5)), jnp.ones((50, 8))
    with use_kernels(kernels):
        kept = module.apply({}, x, rngs={"dropout": jax.random.key(0)})
        again = module.apply({}, x, rngs={"dropout": jax.random.key(1)})
    assert set(np.unique(kept)) == {0, 2}
    assert len({tuple(row) for row in np.asarray(kept)}) > 40
    assert 0.4 < np.mean(kept == again) < 0.6


@pytest.mark.parametrize("kernels", ["fast", "reference"])
def test_variational_dropout_uses_one_mask_at_all_steps(kernels):
    module, x = Dropping(Dropout(0.5, per_sequence=True)), jnp.ones((50, 3, 8))
    with use_kernels(kernels):
        kept = np.asarray(module.apply({}, x, rngs={"dropout": jax.random.key(0)}))
    assert (kept == kept[0]).all() and set(np.unique(kept)) == {0, 2}


@pytest.mark.parametrize("kernels", ["fast", "reference"])
def test_dropout_of_flax_works_in_a_scan(kernels):
    module, x = Dropping(nn.Dropout(0.5)), jnp.ones((50, 8))
    with use_kernels(kernels):
        kept = module.apply({}, x, rngs={"dropout": jax.random.key(0)})
    assert len({tuple(row) for row in np.asarray(kept)}) > 40
