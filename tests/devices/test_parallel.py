"""Data parallelism on simulated devices: the results do not depend on their number."""

import jax
import numpy as np
import pytest

from benchmarks.scaling import collectives
from seq2seq_jax.data.batches import Shard
from seq2seq_jax.devices.parallel import Devices
from seq2seq_jax.models.losses import loss_sums
from seq2seq_jax.problems.setup import check_batch_size
from seq2seq_jax.training.optimizers import OptimizerConfig, make_optimizer
from seq2seq_jax.training.train_step import create_train_state, make_train_step
from seq2seq_jax.training.update_rules import SGD
from seq2seq_jax.utils.errors import UserError
from tests.tiny_models import model_params, pair_batch, tiny_model

# Unequal parts: on 8 devices the last one has no token at all.
LENGTHS = [(5, 6), (1, 2), (3, 4), (5, 2), (2, 6), (4, 3), (1, 4), (0, 0)]
STEPS = 3


@pytest.fixture(scope="module")
def model():
    return tiny_model()


@pytest.fixture(scope="module")
def batches():
    return [pair_batch(LENGTHS, width=6, seed=seed) for seed in range(STEPS)]


def trained(model, batches, devices: Devices, **how):
    """Return losses and gradient norms of a few steps, and the state after them."""
    optimizer = make_optimizer(OptimizerConfig(name=SGD, learning_rate=0.1))
    step = devices.compile_step(make_train_step(model, optimizer, **how))
    state = create_train_state(model_params(model), optimizer, how.get("ema_decay", 0.0))
    state, seen = devices.replicate(state), []
    for batch in batches:
        state, metrics = step(state, devices.shard_batch(batch))
        seen.append([float(metrics[name]) for name in ("loss", "target_tokens", "grad_norm")])
    return np.array(seen), jax.device_get(state)


@pytest.fixture(scope="module")
def alone(model, batches):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seq2seq_jax.devices.parallel.available", lambda: jax.devices()[:1])
        return trained(model, batches, Devices())


@pytest.mark.parametrize(("kind", "count"), [("jit", 2), ("jit", 8), ("pmap", 4), ("pmap", 8)])
def test_several_devices_compute_the_same_losses_as_one(
    use_devices, model, batches, alone, kind, count
):
    use_devices(count)
    seen, state = trained(model, batches, Devices(kind))
    np.testing.assert_allclose(seen, alone[0], rtol=1e-6)
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-6),
        state.params,
        alone[1].params,
    )


@pytest.mark.parametrize(("kind", "count"), [("jit", 1), ("jit", 2), ("pmap", 2)])
def test_gradient_accumulation_computes_the_gradient_of_the_whole_batch(
    use_devices, model, batches, alone, kind, count
):
    use_devices(count)
    seen, _ = trained(model, batches, Devices(kind), accumulation_steps=4)
    np.testing.assert_allclose(seen, alone[0], rtol=1e-5)


def test_the_moving_average_follows_its_decay_and_moves_faster_at_the_start(model, batches):
    _, state = trained(model, batches, Devices(), ema_decay=0.15)
    followed = jax.device_get(model_params(model))
    for step in range(STEPS):
        _, at = trained(model, batches[: step + 1], Devices(), ema_decay=0.15)
        decay = min(0.15, (1 + step) / (10 + step))
        followed = jax.tree.map(lambda a, p, d=decay: d * a + (1 - d) * p, followed, at.params)
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6),
        state.ema_params,
        followed,
    )
    assert state.eval_params is state.ema_params


def test_evaluation_sums_rows_of_all_devices(use_devices, model, batches):
    params = model_params(model)
    expected = [float(x) for x in loss_sums(model, params, batches[0])]
    use_devices(4)
    devices = Devices()
    sums = jax.jit(lambda params, batch: loss_sums(model, params, batch))
    batch = devices.shard_global_batch(batches[0])
    assert len(batch["source_ids"].sharding.device_set) == 4
    assert not batch["source_ids"].sharding.is_fully_replicated
    found = devices.to_host(sums(devices.replicate(params), batch))
    np.testing.assert_allclose([float(x) for x in found], expected, rtol=1e-6)


def test_a_batch_that_is_not_divisible_is_replicated(use_devices, batches):
    use_devices(3)
    batch = Devices().shard_global_batch(batches[0])
    assert batch["source_ids"].sharding.is_fully_replicated
    np.testing.assert_array_equal(batch["source_ids"], batches[0]["source_ids"])


def test_the_state_is_replicated_on_every_device(use_devices):
    use_devices(8)
    placed = Devices().replicate({"w": np.arange(3.0)})
    assert len(placed["w"].sharding.device_set) == 8
    assert placed["w"].is_fully_replicated


def test_gradients_are_summed_once_per_step_and_not_once_per_token(use_devices, model, batches):
    """One sum is over the number of tokens, the other over everything that is divided by it."""
    use_devices(8)
    devices = Devices("jit")
    optimizer = make_optimizer(OptimizerConfig(name=SGD, learning_rate=0.1))
    step = devices.compile_step(make_train_step(model, optimizer))
    state = devices.replicate(create_train_state(model_params(model), optimizer))
    program = step.lower(state, devices.shard_batch(batches[0])).compile().as_text()
    found = collectives(program)
    assert "while(" in program
    assert not any(is_in_loop for _, is_in_loop in found)
    assert 1 <= len(found) <= 2


def test_collective_operations_of_a_program_are_found_inside_and_outside_of_loops():
    program = """
%sum (x: f32[], y: f32[]) -> f32[] {
  ROOT %add = f32[] add(%x, %y)
}

%body (state: (s32[], f32[3,2])) -> (s32[], f32[3,2]) {
  %all-reduce.1 = f32[3,2]{1,0} all-reduce(%x), to_apply=%sum
}

ENTRY %main (p: f32[3,2]) -> f32[3,2] {
  %while.1 = (s32[], f32[3,2]{1,0}) while(%tuple), condition=%condition, body=%body
  %all-reduce.2 = (f32[5]{0}, s32[]) all-reduce(%a, %b), to_apply=%sum
}
"""
    assert collectives(program) == [(24, True), (24, False)]


def test_a_single_process_produces_the_whole_batch():
    assert Devices().shard == Shard(0, 1)
    assert Devices().is_main


@pytest.mark.parametrize(
    ("batch_size", "devices", "accumulation_steps", "message"),
    [
        (30, 4, 1, "must be divisible by 4 (4 devices); got 30. Use 32."),
        (10, 1, 4, "must be divisible by 4 (1 device × 4 accumulation steps); got 10. Use 12."),
        (12, 2, 4, "must be divisible by 8 (2 devices × 4 accumulation steps); got 12. Use 16."),
    ],
)
def test_a_batch_size_that_is_not_divisible_is_an_error(
    batch_size, devices, accumulation_steps, message
):
    with pytest.raises(UserError) as error:
        check_batch_size(batch_size, devices, accumulation_steps)
    assert str(error.value) == f"batch_size: {message}"
