import os
import re
import shutil
import signal
import subprocess
import sys

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from seq2seq_jax.storage.checkpoints import (
    Checkpoints,
    digest,
    into_template,
    lower_is_better,
    named_arrays,
)
from seq2seq_jax.utils.errors import UserError


@flax.struct.dataclass
class State:
    step: jax.Array
    params: dict
    opt_state: optax.OptState


def restore(checkpoints, template, step=None):
    """Reads a checkpoint into the structure of a template, as training does."""
    step, arrays, data = checkpoints.read(step)
    return step, into_template(template, arrays, str(checkpoints.directory / str(step))), data


def make_state(seed=0):
    params = {
        "encoder": {"kernel": jax.random.normal(jax.random.key(seed), (2, 3))},
        "bias": jnp.arange(3, dtype=jnp.bfloat16),
    }
    return State(jnp.int32(seed), params, optax.adam(1e-3).init(params))


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpoints(tmp_path / "checkpoints")


def test_what_is_saved_comes_back_bit_for_bit(checkpoints):
    state, data = make_state(3), {"epoch": 2, "position": 7, "order": [1, 2]}
    checkpoints.save(10, state, data)
    step, restored, data_restored = restore(checkpoints, make_state())
    assert (step, data_restored) == (10, data)
    assert isinstance(restored, State)
    assert digest(restored) == digest(state)
    assert restored.params["bias"].dtype == jnp.bfloat16


def test_a_template_of_shapes_is_enough(checkpoints):
    state = make_state(3)
    checkpoints.save(10, state, {})
    _, restored, _ = restore(checkpoints, jax.eval_shape(make_state))
    assert digest(restored) == digest(state)


def test_the_parameters_can_be_restored_alone(checkpoints):
    state = make_state(3)
    checkpoints.save(10, state, {})
    _, restored, _ = restore(checkpoints, {"params": make_state().params})
    assert digest(restored) == digest({"params": state.params})


def test_a_state_spread_over_devices_is_restored_on_one(checkpoints):
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:4]), ("batch",))
    everywhere = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    state = make_state(3)
    before = digest(state)
    checkpoints.save(10, jax.device_put(state, everywhere), {})
    assert digest(restore(checkpoints, make_state())[1]) == before


def test_no_checkpoint_is_said_in_one_line(checkpoints):
    with pytest.raises(UserError, match="no checkpoint here"):
        restore(checkpoints, make_state())


def test_a_step_that_is_not_there_is_said_with_those_that_are(checkpoints):
    checkpoints.save(10, make_state(), {})
    with pytest.raises(UserError, match="no checkpoint of step 20; there are step 10"):
        restore(checkpoints, make_state(), step=20)


def test_another_shape_is_said_with_both_shapes(checkpoints):
    checkpoints.save(10, make_state(), {})
    wanted = {"params": {"encoder": {"kernel": jnp.zeros((5, 3))}}}
    with pytest.raises(UserError, match=re.escape("float32 (2, 3) here but float32 (5, 3)")):
        restore(checkpoints, wanted)


def test_a_parameter_that_is_not_there_is_named(checkpoints):
    checkpoints.save(10, make_state(), {})
    with pytest.raises(UserError, match=re.escape("has no params.decoder")):
        restore(checkpoints, {"params": {"decoder": jnp.zeros(1)}})


def files_of(directory):
    return [path for path in sorted(directory.rglob("*")) if path.is_file() and path.stat().st_size]


def test_one_flipped_byte_anywhere_is_noticed(checkpoints, caplog):
    # On numpy arrays, so that restoring many times compiles nothing.
    states = {step: {"a": np.arange(6.0) + step, "b": np.float32(step)} for step in (10, 20)}
    for step, state in states.items():
        checkpoints.save(step, state, {"position": step}, {"log_perplexity": 1.0})
    for path in files_of(checkpoints.directory / "20"):
        whole = path.read_bytes()
        for position in {0, len(whole) // 2, len(whole) - 1}:
            damaged = bytearray(whole)
            damaged[position] ^= 1
            path.write_bytes(damaged)
            step, restored, data = restore(Checkpoints(checkpoints.directory), states[10])
            assert digest(restored) == digest(states[step])
            assert data == {"position": step}
            assert step == 10
        path.write_bytes(whole)
    assert restore(Checkpoints(checkpoints.directory), states[10])[0] == 20
    assert "checkpoint 20 is damaged and passed over" in caplog.text


def test_a_checkpoint_cut_short_is_passed_over(checkpoints):
    for step in (10, 20):
        checkpoints.save(step, make_state(step), {})
    for path in files_of(checkpoints.directory / "20" / "state"):
        os.truncate(path, path.stat().st_size // 2)
    assert restore(checkpoints, make_state())[0] == 10


def test_a_checkpoint_that_lost_a_file_is_passed_over(checkpoints):
    for step in (10, 20):
        checkpoints.save(step, make_state(step), {})
    (checkpoints.directory / "20" / "SHA256SUMS").unlink()
    assert restore(checkpoints, make_state())[0] == 10


def test_if_none_is_whole_it_is_said(checkpoints):
    checkpoints.save(10, make_state(), {})
    shutil.rmtree(checkpoints.directory / "10" / "state")
    with pytest.raises(UserError, match="no whole checkpoint: step 10 damaged"):
        restore(checkpoints, make_state())


def test_if_the_one_asked_for_is_damaged_the_way_to_another_is_said(checkpoints):
    for step in (10, 20):
        checkpoints.save(step, make_state(step), {})
    shutil.rmtree(checkpoints.directory / "10" / "state")
    with pytest.raises(UserError, match=r"step 10 damaged; inference\.checkpoint=latest would"):
        restore(checkpoints, make_state(), step=10)


def test_a_damaged_later_step_does_not_push_out_the_new_ones(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep_max=1, keep_every_n_hours=0)
    checkpoints.save(10, make_state(1), {})
    shutil.copytree(tmp_path / "10", tmp_path / "30")
    shutil.rmtree(tmp_path / "30" / "state")
    checkpoints = Checkpoints(tmp_path, keep_max=1, keep_every_n_hours=0)
    assert restore(checkpoints, make_state())[0] == 10
    checkpoints.save(20, make_state(2), {})
    assert checkpoints.all_steps() == [20]


def test_damaged_metrics_do_not_stop_a_run(checkpoints):
    checkpoints.save(10, make_state(1), {}, {"log_perplexity": 1.0})
    (checkpoints.directory / "10" / "checkpoint.json").write_text("{")
    again = Checkpoints(checkpoints.directory)
    again.save(20, make_state(2), {}, {"log_perplexity": 2.0})
    assert (again.all_steps(), again.best_step()) == ([10, 20], 20)


def test_the_same_step_can_be_saved_again(checkpoints):
    checkpoints.save(10, make_state(1), {})
    checkpoints.save(10, make_state(2), {}, {"log_perplexity": 1.0})
    assert restore(checkpoints, make_state())[1].step == 2
    assert checkpoints.metrics(10) == {"log_perplexity": 1.0}


def save_all(checkpoints, values, metric):
    for step, value in values.items():
        metrics = {} if value is None else {metric: value, "bleu_signature": "text"}
        checkpoints.save(step, {"a": np.float32(step)}, {}, metrics)


def test_the_latest_ones_and_the_best_one_are_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep_max=2, keep_every_n_hours=0)
    save_all(checkpoints, {1: 3.0, 2: 1.0, 3: 2.0, 4: None, 5: 2.0}, "log_perplexity")
    assert (checkpoints.all_steps(), checkpoints.best_step()) == ([2, 4, 5], 2)
    assert checkpoints.latest_step() == 5


def test_of_bleu_the_highest_is_best(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep_max=1, keep_every_n_hours=0, best_metric="bleu")
    save_all(checkpoints, {1: 3.0, 2: 9.0, 3: float("nan"), 4: 8.0}, "bleu")
    assert (checkpoints.all_steps(), checkpoints.best_step()) == ([2, 4], 2)


def test_one_every_some_hours_is_kept(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path, keep_max=1, keep_every_n_hours=4)
    for hour in range(11):
        monkeypatch.setattr("time.time", lambda hour=hour: 1e9 + 3600 * hour)
        checkpoints.save(hour, {"a": np.float32(hour)}, {})
    assert checkpoints.all_steps() == [0, 4, 8, 10]


def test_zero_keeps_all(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep_max=0, keep_every_n_hours=0)
    save_all(checkpoints, {1: None, 2: None, 3: None}, "log_perplexity")
    assert checkpoints.all_steps() == [1, 2, 3]


def test_without_any_metrics_none_is_best(checkpoints):
    checkpoints.save(1, {"a": np.float32(1)}, {})
    assert checkpoints.best_step() is None


def test_which_metrics_are_better_lower():
    lower = ["log_perplexity", "perplexity", "loss", "token_error_rate", "sequence_error_rate"]
    assert all(map(lower_is_better, lower))
    assert not any(map(lower_is_better, ["bleu", "rouge_1/f_score", "sequence_accuracy"]))


def test_a_digest_tells_names_shapes_dtypes_and_bytes_apart():
    zeros = np.zeros((2, 3), np.float32)
    trees = [
        {"a": zeros},
        {"b": zeros},
        {"a": zeros.reshape(3, 2)},
        {"a": zeros.astype(np.int32)},
        {"a": -zeros},
    ]
    assert len({digest(tree) for tree in trees}) == len(trees)
    assert digest({"a": jnp.asarray(zeros)}) == digest(trees[0])


def test_arrays_are_named_by_their_path():
    assert sorted(named_arrays(make_state().params)) == ["bias", "encoder.kernel"]


SAVE_FOREVER = """
import sys, numpy as np
from seq2seq_jax.storage.checkpoints import Checkpoints
checkpoints = Checkpoints(sys.argv[1], keep_max=3)
for step in range(1, 10**6):
    checkpoints.save(step, {"a": np.full((500, 500), step)}, {"step": step})
    print(step, flush=True)
"""


def test_a_save_that_is_killed_leaves_the_one_before(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", SAVE_FOREVER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        for _ in range(5):
            last = int(process.stdout.readline())
        # Killed as soon as the next one has begun to be written.
        while process.poll() is None and all(p.name.isdecimal() for p in tmp_path.iterdir()):
            pass
        process.send_signal(signal.SIGKILL)
        last = max([last, *map(int, process.stdout.read().split())])
    template = {"a": np.zeros((500, 500), int)}
    checkpoints = Checkpoints(tmp_path, keep_max=3)
    step, state, data = restore(checkpoints, template)
    assert step >= last and data == {"step": step}
    assert (state["a"] == step).all()
    checkpoints.save(step + 1, template, {})
    assert all(path.name.isdecimal() for path in tmp_path.iterdir())
