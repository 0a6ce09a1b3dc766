"""Runs the trainings of a sweep on this machine, several at a time, each in its own process."""

import os
import queue
import subprocess
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from seq2seq_jax.sweeps.results import Result
from seq2seq_jax.sweeps.scheduler import Scheduler
from seq2seq_jax.sweeps.trial_process import make_job, read_outcomes, start_job
from seq2seq_jax.sweeps.trials import Training
from seq2seq_jax.training.stopping import catch_preemption_signals
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.processors import available_processors

Outcomes = dict[str, Result]
"""Name of a trial -> its result."""


def run_locally(
    scheduler: Scheduler,
    folder: Path,
    jobs: int,
    started: Callable[[Training], None],
    ended: Callable[[Training, Outcomes], Sequence[Result]],
) -> bool:
    """Run all trainings of a scheduler.

    The processors, and the GPUs of CUDA_VISIBLE_DEVICES, are divided among the jobs. After SIGINT
    or SIGTERM, each training writes a checkpoint and stops.

    Args:
      scheduler: Decides which training comes next.
      folder: The directory of the sweep.
      jobs: The number of trainings at a time.
      started: Called when a training starts.
      ended: Called when a training ends, with its outcomes; returns the results.

    Returns:
      True at the end of the sweep, False if a signal stopped it.
    """
    slots: queue.SimpleQueue[int] = queue.SimpleQueue()
    for slot in range(jobs):
        slots.put(slot)
    running: dict[Future[Outcomes], Training] = {}
    processes = _Processes()

    def run(training: Training) -> Outcomes:
        slot = slots.get()
        try:
            job = make_job(training, folder, assign_processors(slot, jobs))
            process = processes.start(lambda: start_job(job, assign_gpus(slot, jobs)))
            return read_outcomes(job, process.wait()) if process else {}
        finally:
            slots.put(slot)

    with ThreadPoolExecutor(jobs) as threads, catch_preemption_signals() as signalled:
        while True:
            while len(running) < jobs and not signalled():
                training = scheduler.next_training()
                if training is None:
                    break
                started(training)
                running[threads.submit(run, training)] = training
            if not running:
                return not signalled()
            done, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
            if signalled():
                processes.stop()
            for future in done:
                training = running.pop(future)
                outcomes = future.result()
                if signalled():  # Trials that the signal stopped are resumed by the next run.
                    whole = {name for name, one in outcomes.items() if "config_digest" in one}
                    outcomes = {name: outcomes[name] for name in whole}
                scheduler.record(training, ended(training, outcomes))


def assign_processors(slot: int, jobs: int) -> list[int]:
    """Return the numbers of the processors of one job.

    Args:
      slot: The number of the job, from 0.
      jobs: The number of jobs.

    Returns:
      The processors; empty, which means all, if there are fewer processors than jobs.
    """
    mine = available_processors()
    share = len(mine) // jobs
    return mine[slot * share : (slot + 1) * share]


def assign_gpus(slot: int, jobs: int) -> dict[str, str]:
    """Return the environment variable that gives one job its GPUs.

    Args:
      slot: The number of the job, from 0.
      jobs: The number of jobs.

    Returns:
      CUDA_VISIBLE_DEVICES for the job; empty if the variable is not set.

    Raises:
      UserError: There are fewer GPUs than jobs.
    """
    named = [gpu for gpu in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if gpu]
    if not named:
        return {}
    share = len(named) // jobs
    if not share:
        what = f"must be at most {len(named)}, the GPUs of CUDA_VISIBLE_DEVICES; got {jobs}"
        raise UserError("--jobs", what)
    return {"CUDA_VISIBLE_DEVICES": ",".join(named[slot * share : (slot + 1) * share])}


class _Processes:
    """The running processes. After `stop`, no process starts."""

    def __init__(self) -> None:
        self._running: list[subprocess.Popen[bytes]] = []
        self._stopped = False
        self._lock = threading.Lock()

    def start(self, start: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._stopped:
                return None
            self._running = [one for one in self._running if one.poll() is None]
            self._running.append(start())
            return self._running[-1]

    def stop(self) -> None:
        """Terminate each process once; a second signal would prevent its checkpoint."""
        with self._lock:
            if not self._stopped:
                for process in self._running:
                    process.terminate()
            self._stopped = True
