"""Training on several hosts, with two processes on this machine."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from jax._src import distributed

from seq2seq_jax.devices.distributed import prepare_together
from seq2seq_jax.storage.arrays import digest
from seq2seq_jax.storage.checkpoints import Checkpoints
from seq2seq_jax.storage.metrics_log import read_metrics
from seq2seq_jax.utils.errors import UserError

ROOT = Path(__file__).parents[2]
TIMEOUT = 300  # seconds
SETTINGS = [
    f"--config={ROOT / 'configs' / 'tiny.py'}",
    "--config.save_checkpoints_steps=10",
    "--config.log_every_n_steps=10",
    "--config.eval_every_n_steps=0",
    "--config.batch_size=16",
    "--config.buckets=22",  # one shape: little to compile
]

# Trains as main.py does, after a delay when the data are prepared.
DELAYED = """
import time
from seq2seq_jax.cli import run_main_py
from seq2seq_jax.problems import text_data
prepare = text_data.prepare_text_training
text_data.prepare_text_training = lambda *args: time.sleep({delay}) or prepare(*args)
run_main_py()
"""


def start(workdir: Path, *settings: str, delays: tuple[float, float] = (0, 0), **environment: str):
    """Start both processes, with two devices each.

    Args:
      workdir: The workdir.
      *settings: Flags.
      delays: The seconds by which each process prepares its data later.
      **environment: Environment variables.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return [
        subprocess.Popen(
            [
                *(sys.executable, "-c", DELAYED.format(delay=delays[process])),
                *SETTINGS,
                *settings,
                f"--workdir={workdir}",
                f"--coordinator-address=127.0.0.1:{port}",
                "--num-processes=2",
            ],
            env={
                **os.environ,
                **environment,
                "PYTHONPATH": str(ROOT),
                "JAX_PROCESS_ID": str(process),
                "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for process in range(2)
    ]


def finish(processes: list[subprocess.Popen]) -> list[str]:
    """Wait for both processes; return their logs."""
    logs = [process.communicate(timeout=TIMEOUT)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], logs
    return logs


def checkpoint(workdir: Path, step: int):
    return Checkpoints(workdir / "checkpoints").read(step)[1]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("hosts") / "uninterrupted"
    return workdir, finish(start(workdir, "--config.train_steps=60"))


@pytest.mark.slow
def test_only_the_first_process_logs_and_writes_metrics(uninterrupted):
    workdir, (first, second) = uninterrupted
    assert "step 60/60" in first
    assert "step" not in second
    assert [line["step"] for line in read_metrics(workdir) if "train/loss" in line] == [
        *range(10, 61, 10)
    ]


@pytest.mark.slow
def test_resuming_after_a_process_was_killed_equals_an_uninterrupted_run(uninterrupted, tmp_path):
    workdir = tmp_path / "killed"
    processes = start(workdir, "--config.train_steps=100000")
    try:
        deadline = time.monotonic() + TIMEOUT
        while (Checkpoints(workdir / "checkpoints").latest_step() or 0) < 20:
            assert all(process.poll() is None for process in processes)
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        for process in reversed(processes):  # the first would wait for the second
            process.kill()
            process.communicate()
    assert Checkpoints(workdir / "checkpoints").latest_step() < 60
    logs = finish(start(workdir, "--config.train_steps=60"))
    assert "Resuming from step" in logs[0]
    assert digest(checkpoint(workdir, 60)) == digest(checkpoint(uninterrupted[0], 60))


@pytest.mark.slow
def test_one_process_resumes_the_run_of_two(uninterrupted, tmp_path):
    """The number of devices changes the results only by rounding."""
    alone, workdir = tmp_path / "alone", uninterrupted[0]
    environment = {**os.environ, "XLA_FLAGS": ""}
    for path, steps in ((alone, 70), (workdir, 70)):
        subprocess.run(
            [
                *(sys.executable, str(ROOT / "main.py"), *SETTINGS, f"--workdir={path}"),
                f"--config.train_steps={steps}",
            ],
            env=environment,
            check=True,
            capture_output=True,
            timeout=TIMEOUT,
        )
    together, single = checkpoint(workdir, 70), checkpoint(alone, 70)
    for name, array in single.items():
        np.testing.assert_allclose(together[name], array, rtol=1e-3, atol=1e-5, err_msg=name)


@pytest.mark.slow
def test_a_host_that_prepares_its_data_longer_is_waited_for(tmp_path):
    """Collective operations of hosts that are more than 30 seconds apart would fail."""
    logs = finish(start(tmp_path / "run", "--config.train_steps=10", delays=(0, 45)))
    assert "Waiting for process 1 to prepare its data" in logs[0]
    assert not any("Traceback" in log for log in logs)


@pytest.mark.slow
def test_waiting_for_a_host_ends_with_one_line(tmp_path):
    limit = {"SEQ2SEQ_JAX_HOST_TIMEOUT": "5"}
    processes = start(tmp_path / "run", "--config.train_steps=10", delays=(0, 60), **limit)
    try:
        log = processes[0].communicate(timeout=TIMEOUT)[1]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert processes[0].returncode == 2
    (line,) = [line for line in log.splitlines() if line.startswith("error: ")]
    assert line.startswith("error: process 1: has not prepared its data 5 s after this process")
    assert "Traceback" not in log


@pytest.mark.slow
def test_the_error_of_one_host_ends_all(tmp_path):
    flags = "--config.train_steps=10", "--config.input_pipeline_train.params.source_files=none"
    processes = start(tmp_path / "run", *flags)
    logs = [process.communicate(timeout=TIMEOUT)[1] for process in processes]
    assert [process.returncode for process in processes] == [2, 2]
    assert not any("Traceback" in log for log in logs)


class Hosts:
    """The service that connects the processes, as seen by process 0 of two."""

    def __init__(self, monkeypatch):
        self.states = {}
        monkeypatch.setattr(jax, "process_count", lambda: 2)
        monkeypatch.setattr(jax, "process_index", lambda: 0)
        monkeypatch.setattr(distributed.global_state, "client", self)

    def key_value_set(self, key, value):
        assert key not in self.states
        self.states[key] = value

    def blocking_key_value_get(self, key, milliseconds):
        if key not in self.states:
            time.sleep(milliseconds / 1000)
            raise jax.errors.JaxRuntimeError("DEADLINE_EXCEEDED: GetKeyValue() timed out")
        return self.states[key]

    def answer(self, state):
        """Let the other process announce what this one announced last."""
        key = next(key for key in reversed(self.states) if key.endswith("/0"))
        self.states[f"{key[:-1]}1"] = state


@pytest.fixture
def hosts(monkeypatch):
    return Hosts(monkeypatch)


def test_all_hosts_start_when_the_last_one_is_prepared(hosts):
    for _ in range(2):  # Two trainings in one process.
        with prepare_together() as barrier:
            barrier.announce("ready")
            hosts.answer("ready")
            barrier.wait()
    assert sorted(hosts.states.values()) == ["ready"] * 4


def test_a_host_that_fails_tells_the_others(hosts):
    with pytest.raises(UserError, match="the disk is full"), prepare_together():
        raise UserError("corpus", "the disk is full")
    assert [*hosts.states.values()] == ["failed: corpus: the disk is full"]
    with pytest.raises(UserError) as raised, prepare_together() as barrier:
        barrier.announce("ready")
        hosts.answer("failed: corpus: the disk is full")
        barrier.wait()
    assert str(raised.value) == "process 1: failed: corpus: the disk is full"


def test_the_time_that_a_host_is_waited_for_is_limited(hosts, monkeypatch, caplog):
    monkeypatch.setenv("SEQ2SEQ_JAX_HOST_TIMEOUT", "0.1")
    caplog.set_level("INFO")
    with pytest.raises(UserError) as raised, prepare_together() as barrier:
        barrier.wait()
    assert str(raised.value).startswith("process 1: has not prepared its data 0 s after this")
    assert "Waiting for process 1 to prepare its data" in caplog.messages


@pytest.mark.parametrize("text", ["0", "-1", "soon", "nan"])
def test_the_limit_is_a_number_of_seconds(hosts, monkeypatch, text):
    monkeypatch.setenv("SEQ2SEQ_JAX_HOST_TIMEOUT", text)
    expected = pytest.raises(UserError, match="must be a number of seconds above 0")
    with expected, prepare_together() as barrier:
        barrier.wait()


def test_one_process_waits_for_nobody():
    with prepare_together() as barrier:
        barrier.wait()
