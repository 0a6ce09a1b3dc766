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

from seq2seq_jax.storage.arrays import digest, into_template
from seq2seq_jax.storage.checkpoints import Checkpoints
from seq2seq_jax.utils.errors import UserError
from tests.limited_disk import limited_disk


@flax.struct.dataclass
class State:
    step: jax.Array
    params: dict
    opt_state: optax.OptState


def restore(checkpoints, template, step=None):
    """Read a checkpoint into the structure of a template, as training does."""
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


def test_a_checkpoint_is_restored_bit_for_bit(checkpoints):
    state, data = make_state(3), {"epoch": 2, "position": 7, "order": [1, 2]}
    checkpoints.save(10, state, data)
    step, restored, data_restored = restore(checkpoints, make_state())
    assert (step, data_restored) == (10, data)
    assert isinstance(restored, State)
    assert digest(restored) == digest(state)
    assert restored.params["bias"].dtype == jnp.bfloat16


def test_a_template_of_shapes_is_sufficient(checkpoints):
    state = make_state(3)
    checkpoints.save(10, state, {})
    _, restored, _ = restore(checkpoints, jax.eval_shape(make_state))
    assert digest(restored) == digest(state)


def test_the_parameters_can_be_restored_alone(checkpoints):
    state = make_state(3)
    checkpoints.save(10, state, {})
    _, restored, _ = restore(checkpoints, {"params": make_state().params})
    assert digest(restored) == digest({"params": state.params})


def test_a_state_on_several_devices_is_restored_on_one(checkpoints):
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:4]), ("batch",))
    everywhere = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    state = make_state(3)
    before = digest(state)
    checkpoints.save(10, jax.device_put(state, everywhere), {})
    assert digest(restore(checkpoints, make_state())[1]) == before


def test_reading_without_a_checkpoint_is_an_error(checkpoints):
    with pytest.raises(UserError, match="no checkpoint here"):
        restore(checkpoints, make_state())


def test_a_missing_step_is_an_error_that_lists_the_existing_steps(checkpoints):
    checkpoints.save(10, make_state(), {})
    with pytest.raises(UserError, match="no checkpoint of step 20, only of step 10"):
        restore(checkpoints, make_state(), step=20)


def test_a_different_shape_is_an_error_with_both_shapes(checkpoints):
    checkpoints.save(10, make_state(), {})
    wanted = {"params": {"encoder": {"kernel": jnp.zeros((5, 3))}}}
    with pytest.raises(UserError, match=re.escape("float32 (2, 3) here but float32 (5, 3)")):
        restore(checkpoints, wanted)


def test_a_missing_parameter_is_an_error_that_names_it(checkpoints):
    checkpoints.save(10, make_state(), {})
    with pytest.raises(UserError, match=re.escape("has no params.decoder")):
        restore(checkpoints, {"params": {"decoder": jnp.zeros(1)}})


def files_of(directory):
    return [path for path in sorted(directory.rglob("*")) if path.is_file() and path.stat().st_size]


def test_one_flipped_byte_anywhere_is_detected(checkpoints, caplog):
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
    assert "skipping checkpoint 20, which is damaged" in caplog.text


def test_a_truncated_checkpoint_is_skipped(checkpoints):
    for step in (10, 20):
        checkpoints.save(step, make_state(step), {})
    for path in files_of(checkpoints.directory / "20" / "state"):
        os.truncate(path, path.stat().st_size // 2)
    assert restore(checkpoints, make_state())[0] == 10


def test_a_checkpoint_without_its_checksums_is_skipped(checkpoints):
    for step in (10, 20):
        checkpoints.save(step, make_state(step), {})
    (checkpoints.directory / "20" / "SHA256SUMS").unlink()
    assert restore(checkpoints, make_state())[0] == 10


def test_reading_fails_if_all_checkpoints_are_damaged(checkpoints):
    checkpoints.save(10, make_state(), {})
    shutil.rmtree(checkpoints.directory / "10" / "state")
    with pytest.raises(UserError, match="no undamaged checkpoint: step 10 damaged"):
        restore(checkpoints, make_state())


def test_the_error_for_a_damaged_step_suggests_an_intact_checkpoint(checkpoints):
    for step in (10, 20):
        checkpoints.save(step, make_state(step), {})
    shutil.rmtree(checkpoints.directory / "10" / "state")
    with pytest.raises(UserError, match=r"step 10 damaged; use inference\.checkpoint=20"):
        restore(checkpoints, make_state(), step=10)


def test_saving_deletes_a_damaged_later_step_and_keeps_the_new_one(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep_max=1, keep_every_n_hours=0)
    checkpoints.save(10, make_state(1), {})
    shutil.copytree(tmp_path / "10", tmp_path / "30")
    shutil.rmtree(tmp_path / "30" / "state")
    checkpoints = Checkpoints(tmp_path, keep_max=1, keep_every_n_hours=0)
    assert restore(checkpoints, make_state())[0] == 10
    checkpoints.save(20, make_state(2), {})
    assert checkpoints.all_steps() == [20]


def test_damaged_metrics_do_not_prevent_saving_but_choosing_the_best(checkpoints, caplog):
    checkpoints.save(10, make_state(1), {}, {"log_perplexity": 1.0})
    (checkpoints.directory / "10" / "checkpoint.json").write_text("{")
    again = Checkpoints(checkpoints.directory)
    again.save(20, make_state(2), {}, {"log_perplexity": 2.0})
    again.save(30, make_state(2), {}, {"log_perplexity": 3.0})
    assert again.all_steps() == [10, 20, 30]
    assert caplog.text.count("keeping checkpoint 10") == 1
    with pytest.raises(UserError, match=r"10/checkpoint.json.*not known which"):
        again.best_step()


def test_the_same_step_can_be_saved_again(checkpoints):
    checkpoints.save(10, make_state(1), {})
    checkpoints.save(10, make_state(2), {}, {"log_perplexity": 1.0})
    assert restore(checkpoints, make_state())[1].step == 2
    assert checkpoints.metrics(10) == {"log_perplexity": 1.0}


def save_all(checkpoints, values, metric):
    for step, value in values.items():
        metrics = {} if value is None else {metric: value, "bleu_signature": "text"}
        checkpoints.save(step, {"a": np.float32(step)}, {}, metrics)


def test_the_latest_checkpoints_and_the_best_one_are_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep_max=2, keep_every_n_hours=0)
    save_all(checkpoints, {1: 3.0, 2: 1.0, 3: 2.0, 4: None, 5: 2.0}, "log_perplexity")
    assert (checkpoints.all_steps(), checkpoints.best_step()) == ([2, 4, 5], 2)
    assert checkpoints.latest_step() == 5


def test_the_highest_value_is_best_where_higher_is_better(tmp_path):
    checkpoints = Checkpoints(
        tmp_path, keep_max=1, keep_every_n_hours=0, best_metric="bleu", lower_is_better=False
    )
    save_all(checkpoints, {1: 3.0, 2: 9.0, 3: float("nan"), 4: 8.0}, "bleu")
    assert (checkpoints.all_steps(), checkpoints.best_step()) == ([2, 4], 2)


def test_one_checkpoint_every_n_hours_is_kept(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path, keep_max=1, keep_every_n_hours=4)
    for hour in range(11):
        monkeypatch.setattr("time.time", lambda hour=hour: 1e9 + 3600 * hour)
        checkpoints.save(hour, {"a": np.float32(hour)}, {})
    assert checkpoints.all_steps() == [0, 4, 8, 10]


def test_keep_max_zero_keeps_all_checkpoints(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep_max=0, keep_every_n_hours=0)
    save_all(checkpoints, {1: None, 2: None, 3: None}, "log_perplexity")
    assert checkpoints.all_steps() == [1, 2, 3]


def test_without_metrics_no_checkpoint_is_best(checkpoints):
    checkpoints.save(1, {"a": np.float32(1)}, {})
    assert checkpoints.best_step() is None


SAVE_FOREVER = """
import sys, numpy as np
from seq2seq_jax.storage.checkpoints import Checkpoints
checkpoints = Checkpoints(sys.argv[1], keep_max=3)
for step in range(1, 10**6):
    checkpoints.save(step, {"a": np.full((500, 500), step)}, {"step": step})
    print(step, flush=True)
"""


def test_killing_a_process_while_it_saves_leaves_the_previous_checkpoint(tmp_path):
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


@pytest.mark.parametrize("size", [0, 60, 250, 700])
def test_a_full_disk_is_one_line_and_costs_no_checkpoint(checkpoints, size):
    checkpoints.save(10, make_state(1), {})
    with limited_disk(size), pytest.raises(UserError) as raised:
        checkpoints.save(20, make_state(2), {"order": list(range(200))})
    line = str(raised.value)
    assert line.startswith(f"{checkpoints.directory}/20: the checkpoint cannot be written (")
    assert line.endswith("run the same command again; the checkpoint of step 10 is intact")
    assert "\n" not in line
    assert [path.name for path in checkpoints.directory.iterdir()] == ["10"]
    checkpoints.save(20, make_state(2), {})
    assert digest(restore(checkpoints, make_state())[1]) == digest(make_state(2))


def test_checkpoints_below_a_file_are_refused_in_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file/3: the checkpoint cannot be written \(.*\); free"):
        Checkpoints(tmp_path / "file").save(3, make_state(), {})
