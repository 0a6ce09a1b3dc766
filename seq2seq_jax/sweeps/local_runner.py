"""Trainings on this machine, some at a time, each in a process of its own."""

import os
import queue
import subprocess
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from seq2seq_jax.sweeps.results import Result
from seq2seq_jax.sweeps.scheduler import Plan
from seq2seq_jax.sweeps.trial_process import make_job, read_outcomes, start_job
from seq2seq_jax.sweeps.trials import Training
from seq2seq_jax.training.stopping import catch_preemption_signals
from seq2seq_jax.utils.errors import UserError

Outcomes = dict[str, Result]
"""By the trials' names."""


def run_locally(
    plan: Plan,
    folder: Path,
    jobs: int,
    started: Callable[[Training], None],
    ended: Callable[[Training, Outcomes], Sequence[Result]],
) -> bool:
    """Runs all that a plan has.

    The processors are shared out among the jobs, and so are the GPUs that CUDA_VISIBLE_DEVICES
    names, if it does. SIGINT or SIGTERM lets each training write its checkpoint and stop.

    Args:
      started, ended: are told; the latter makes results of what came out.

    Returns:
      Whether it came to the end; False if a signal has stopped it.
    """
    slots: queue.SimpleQueue[int] = queue.SimpleQueue()
    for slot in range(jobs):
        slots.put(slot)
    running: dict[Future[Outcomes], Training] = {}
    processes = _Processes()

    def run(training: Training) -> Outcomes:
        slot = slots.get()
        try:
            job = make_job(training, folder, processors_of(slot, jobs))
            process = processes.start(lambda: start_job(job, gpus_of(slot, jobs)))
            return read_outcomes(job, process.wait()) if process else {}
        finally:
            slots.put(slot)

    with ThreadPoolExecutor(jobs) as threads, catch_preemption_signals() as signalled:
        while True:
            while len(running) < jobs and not signalled():
                training = plan.next()
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
                if signalled():  # those that a signal stopped will go on the next time
                    whole = {name for name, one in outcomes.items() if "config_digest" in one}
                    outcomes = {name: outcomes[name] for name in whole}
                plan.record(training, ended(training, outcomes))


def processors_of(slot: int, jobs: int) -> list[int]:
    """The numbers of the processors that one of several jobs has; none: all, for there are fewer
    processors than jobs."""
    mine = sorted(os.sched_getaffinity(0))
    share = len(mine) // jobs
    return mine[slot * share : (slot + 1) * share]


def gpus_of(slot: int, jobs: int) -> dict[str, str]:
    """The variable that shows one of several jobs its GPUs; empty if nothing says which there are.

    Raises:
      UserError: there are fewer than jobs.
    """
    named = [gpu for gpu in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if gpu]
    if not named:
        return {}
    share = len(named) // jobs
    if not share:
        what = f"is {jobs}, but CUDA_VISIBLE_DEVICES names {len(named)}; {len(named)} would do"
        raise UserError("--jobs", what)
    return {"CUDA_VISIBLE_DEVICES": ",".join(named[slot * share : (slot + 1) * share])}


class _Processes:
    """Those that run; once they are stopped none starts."""

    def __init__(self) -> None:
        self._running: list[subprocess.Popen] = []
        self._stopped = False
        self._lock = threading.Lock()

    def start(self, start: Callable[[], subprocess.Popen]) -> subprocess.Popen | None:
        with self._lock:
            if self._stopped:
                return None
            self._running = [one for one in self._running if one.poll() is None]
            self._running.append(start())
            return self._running[-1]

    def stop(self) -> None:
        """Asks each once; a second signal would stop it without a checkpoint."""
        with self._lock:
            if not self._stopped:
                for process in self._running:
                    process.terminate()
            self._stopped = True
