"""Runs the trainings of a sweep on a Ray cluster, with Ray Tune.

Ray Tune decides where and when a training runs; each is the same process as on one machine. All
machines must see the sweep's directory under the same path.
"""

import dataclasses
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

from seq2seq_jax.sweeps.local_runner import Outcomes
from seq2seq_jax.sweeps.results import Result
from seq2seq_jax.sweeps.scheduler import Scheduler
from seq2seq_jax.sweeps.trial_process import Job, make_job, read_outcomes, start_job
from seq2seq_jax.sweeps.trials import Training
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.installation import install_command


def make_ray_runner(address: str, cpus: float, gpus: float) -> Callable[..., bool]:
    """Make a runner like `local_runner.run_locally`.

    Args:
      address: The address of the cluster. `local` starts Ray on this machine; `auto` finds the
        running cluster.
      cpus: The CPUs of each training.
      gpus: The GPUs of each training.

    Raises:
      UserError: Ray is missing.
    """
    ray, tune = _import_ray()

    def run(
        scheduler: Scheduler,
        folder: Path,
        jobs: int,
        started: Callable[[Training], None],
        ended: Callable[[Training, Outcomes], Sequence[Result]],
    ) -> bool:
        _connect(ray, address)
        try:
            searcher = _make_searcher(tune, scheduler, folder.resolve(), started, ended)
            tuner = tune.Tuner(
                tune.with_resources(_run_job, {"cpu": cpus, "gpu": gpus}),
                tune_config=tune.TuneConfig(
                    search_alg=searcher,
                    num_samples=-1,  # The scheduler ends the search.
                    max_concurrent_trials=jobs,
                    trial_dirname_creator=lambda trial: trial.trial_id,
                ),
                run_config=tune.RunConfig(
                    name="ray", storage_path=str(folder.resolve()), verbose=0
                ),
            )
            with redirect_stdout(sys.stderr):
                tuner.fit()
        finally:
            ray.shutdown()
        return searcher.is_exhausted and not searcher.running

    return run


def _run_job(config: dict[str, Any]) -> None:
    """Run a training on a Ray worker, in the same process as a local sweep."""
    from ray import tune

    os.chdir(config["cwd"])
    job = Job(**config["job"])
    process = start_job(job, {})
    try:
        status = process.wait()
    finally:
        process.terminate()  # Tune ended the worker: let the training write a checkpoint.
    # As a string, because Tune flattens nested results.
    tune.report({"outcomes": json.dumps(read_outcomes(job, status))})


def _make_searcher(
    tune: ModuleType,
    scheduler: Scheduler,
    folder: Path,
    started: Callable[[Training], None],
    ended: Callable[[Training, Outcomes], Sequence[Result]],
) -> Any:
    """Make a searcher of Ray Tune that asks a scheduler."""
    from ray.tune.search import Searcher

    class SchedulerSearcher(Searcher):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.running: dict[str, Training] = {}
            self.is_exhausted = False

        def suggest(self, trial_id: str) -> Any:
            training = scheduler.next_training()
            if training is None:
                self.is_exhausted = True
                return Searcher.FINISHED
            started(training)
            self.running[trial_id] = training
            job = dataclasses.asdict(make_job(training, folder, []))
            return {"job": job, "cwd": os.getcwd()}

        def on_trial_complete(
            self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
        ) -> None:
            training = self.running.pop(trial_id, None)
            if training is None:
                return
            text = (result or {}).get("outcomes")
            outcomes = json.loads(text) if text else {}
            if not text:
                lost = {"status": "failed", "error": "Ray lost the worker; see Ray's logs"}
                outcomes = {trial.name: lost for trial in training.trials}
            scheduler.record(training, ended(training, outcomes))

        def save(self, checkpoint_path: str) -> None:
            """Do nothing: the results are the state."""

        def restore(self, checkpoint_path: str) -> None:
            """Do nothing: the results are the state."""

    return SchedulerSearcher()


def _connect(ray: ModuleType, address: str) -> None:
    package = str(Path(__file__).parents[2])
    try:
        ray.init(
            address=None if address == "local" else address,
            runtime_env={"env_vars": {"PYTHONPATH": package}},
            include_dashboard=False if address == "local" else None,
            log_to_driver=False,
            logging_level="warning",
        )
    except (ConnectionError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError("--ray", f"no cluster at {address}: {reason}") from error


def _import_ray() -> tuple[ModuleType, ModuleType]:
    try:
        import ray
        from ray import tune
    except ImportError as error:
        what = f"needs Ray Tune ({error}); use {install_command('ray')}"
        raise UserError("--ray", what) from error
    return ray, tune
