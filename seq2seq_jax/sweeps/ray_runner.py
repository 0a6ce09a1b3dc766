"""Trainings on the machines of a Ray cluster, by Ray Tune.

Tune decides where and when; each training is then the same process as on one machine. The folder of
the sweep must be one that all machines see under the same path.
"""

import dataclasses
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from seq2seq_jax.sweeps.local_runner import Outcomes
from seq2seq_jax.sweeps.results import Result
from seq2seq_jax.sweeps.scheduler import Plan
from seq2seq_jax.sweeps.trial_process import Job, make_job, read_outcomes, start_job
from seq2seq_jax.sweeps.trials import Training
from seq2seq_jax.utils.errors import UserError


def make_ray_runner(address: str, cpus: float, gpus: float) -> Callable[..., bool]:
    """A runner as `local_runner.run_locally`.

    Args:
      address: of the cluster; `local` starts Ray on this machine, `auto` finds the one that is up.
      cpus, gpus: that each training is given.

    Raises:
      UserError: Ray is missing.
    """
    ray, tune = _import_ray()

    def run(
        plan: Plan,
        folder: Path,
        jobs: int,
        started: Callable[[Training], None],
        ended: Callable[[Training, Outcomes], Sequence[Result]],
    ) -> bool:
        _connect(ray, address)
        try:
            searcher = _make_searcher(tune, plan, folder.resolve(), started, ended)
            tuner = tune.Tuner(
                tune.with_resources(_run_job, {"cpu": cpus, "gpu": gpus}),
                tune_config=tune.TuneConfig(
                    search_alg=searcher,
                    num_samples=-1,  # until the plan has no more
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
        return searcher.at_the_end and not searcher.running

    return run


def _run_job(config: dict[str, Any]) -> None:
    """What a worker of Ray does: the process that a local sweep would have started."""
    from ray import tune

    os.chdir(config["cwd"])
    job = Job(**config["job"])
    process = start_job(job, {})
    try:
        status = process.wait()
    finally:
        process.terminate()  # where Tune ends the worker, a checkpoint is written
    # As text, for Tune takes nested results apart.
    tune.report({"outcomes": json.dumps(read_outcomes(job, status))})


def _make_searcher(
    tune: Any,
    plan: Plan,
    folder: Path,
    started: Callable[[Training], None],
    ended: Callable[[Training, Outcomes], Sequence[Result]],
) -> Any:
    """Tune's way to ask what comes next, answered by a plan."""
    from ray.tune.search import Searcher

    class PlanSearcher(Searcher):
        def __init__(self) -> None:
            super().__init__()
            self.running: dict[str, Training] = {}
            self.at_the_end = False

        def suggest(self, trial_id: str) -> Any:
            training = plan.next()
            if training is None:
                self.at_the_end = True
                return Searcher.FINISHED
            started(training)
            self.running[trial_id] = training
            job = dataclasses.asdict(make_job(training, folder, []))
            return {"job": job, "cwd": os.getcwd()}

        def on_trial_complete(
            self, trial_id: str, result: dict | None = None, error: bool = False
        ) -> None:
            training = self.running.pop(trial_id, None)
            if training is None:
                return
            text = (result or {}).get("outcomes")
            outcomes = json.loads(text) if text else {}
            if not text:
                lost = {"status": "failed", "error": "Ray lost it; its logs may say more"}
                outcomes = {trial.name: lost for trial in training.trials}
            plan.record(training, ended(training, outcomes))

        def save(self, checkpoint_path: str) -> None:
            """Nothing: the results are the state."""

        def restore(self, checkpoint_path: str) -> None:
            """Nothing, either."""

    return PlanSearcher()


def _connect(ray: Any, address: str) -> None:
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


def _import_ray() -> tuple[Any, Any]:
    try:
        import ray
        from ray import tune
    except ImportError as error:
        what = f"needs Ray Tune ({error}); pip install 'seq2seq-jax[ray]'"
        raise UserError("--ray", what) from error
    return ray, tune
