"""Training on several hosts, with two processes on this machine."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from seq2seq_jax.storage.arrays import digest
from seq2seq_jax.storage.checkpoints import Checkpoints
from seq2seq_jax.storage.metrics_log import read_metrics

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

pytestmark = pytest.mark.slow


def start(workdir: Path, *settings: str) -> list[subprocess.Popen]:
    """Start both processes, with two devices each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return [
        subprocess.Popen(
            [
                sys.executable,
                str(ROOT / "main.py"),
                *SETTINGS,
                *settings,
                f"--workdir={workdir}",
                f"--coordinator-address=127.0.0.1:{port}",
                "--num-processes=2",
            ],
            env={
                **os.environ,
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


def test_only_the_first_process_logs_and_writes_metrics(uninterrupted):
    workdir, (first, second) = uninterrupted
    assert "step 60/60" in first
    assert "step" not in second
    assert [line["step"] for line in read_metrics(workdir) if "train/loss" in line] == [
        *range(10, 61, 10)
    ]


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
