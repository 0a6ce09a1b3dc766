import chex
import jax
import numpy as np
import pytest

from seq2seq_jax.devices.parallel import Devices
from seq2seq_jax.models.build import init_params
from seq2seq_jax.training.optimizers import OptimizerConfig, make_optimizer
from seq2seq_jax.training.train_step import create_train_state, make_train_step
from seq2seq_jax.training.update_rules import SGD
from tests.tiny_models import VOCABULARY, pair_batch, tiny_model

ONE_DEVICE = Devices()

UNITS = {
    "embedding__dim": 12,
    "encoder__params__rnn_cell__cell_params__num_units": 24,
    "decoder__params__rnn_cell__cell_params__num_units": 24,
}


def copies(count, length, seed=0):
    """Return pairs whose target is their source."""
    batch = pair_batch([(length, length + 1)] * count, seed=seed)
    batch["target_ids"][:, 1:] = batch["source_ids"]
    return batch


@pytest.fixture(scope="module")
def training():
    """Return a training step, which may be compiled once, and a function that returns a state."""
    model = tiny_model(encoder__class="UnidirectionalRNNEncoder", **UNITS)
    optimizer = make_optimizer(OptimizerConfig(learning_rate=0.02, clip_embed_gradients=0))
    params = jax.device_get(init_params(model, 0))
    chex.clear_trace_counter()
    step = chex.assert_max_traces(make_train_step(model, optimizer), n=1)
    return ONE_DEVICE.compile_step(step), lambda: create_train_state(
        jax.tree.map(np.array, params), optimizer
    )


def test_a_model_overfits_a_few_pairs(training):
    step, fresh = training
    state, batch, losses = fresh(), copies(4, 4), []
    for _ in range(150):
        state, metrics = step(state, batch)
        losses.append(float(metrics["loss"] / metrics["target_tokens"]))
    np.testing.assert_allclose(losses[0], np.log(VOCABULARY.size), rtol=0.02)
    assert losses[-1] < 0.02
    assert state.step == 150


def test_metrics_are_sums_over_the_real_tokens(training):
    step, fresh = training
    batch = copies(4, 4)
    batch["source_len"][3] = batch["target_len"][3] = 0
    _, metrics = step(fresh(), batch)
    assert metrics["source_tokens"] == 3 * 4
    assert metrics["target_tokens"] == 3 * 4
    assert 0 < metrics["grad_norm"] < 10


def test_rows_of_length_zero_do_not_affect_the_update(training):
    step, fresh = training
    batch, other = copies(4, 4), copies(4, 4, seed=1)
    for each in (batch, other):
        each["source_len"][2:] = each["target_len"][2:] = 0
    for name in ("source_ids", "target_ids"):
        other[name][:2] = batch[name][:2]
    assert not np.array_equal(other["source_ids"], batch["source_ids"])
    (state, metrics), (other_state, other_metrics) = step(fresh(), batch), step(fresh(), other)
    jax.tree.map(np.testing.assert_array_equal, state.params, other_state.params)
    assert metrics == other_metrics


def test_the_same_shapes_are_compiled_once(training):
    step, fresh = training
    state = fresh()
    for seed in range(3):
        state, _ = step(state, copies(4, 4, seed))
    with pytest.raises(AssertionError, match="traced"):
        step(state, copies(4, 5))


def test_dropout_depends_only_on_seed_and_step_and_all_seeds_share_one_program():
    model = tiny_model("BasicSeq2Seq", encoder__params__rnn_cell__dropout_input_keep_prob=0.5)
    optimizer = make_optimizer(OptimizerConfig(name=SGD, learning_rate=0.0))  # nothing moves
    params, batch = jax.device_get(init_params(model, 0)), copies(2, 3)
    params = jax.tree.map(lambda leaf: 20 * leaf, params)
    chex.clear_trace_counter()
    step = ONE_DEVICE.compile_step(chex.assert_max_traces(make_train_step(model, optimizer), n=1))

    def losses(start, seed=0):
        state = create_train_state(jax.tree.map(np.array, params), optimizer, seed=seed)
        state = state.replace(step=np.int32(start))
        found = []
        for _ in range(4):
            state, metrics = step(state, batch)
            found.append(float(metrics["loss"]))
        return found

    assert len(set(losses(0))) == 4
    assert losses(0)[2:] == losses(2)[:2]
    assert set(losses(0)).isdisjoint(losses(0, seed=1))
