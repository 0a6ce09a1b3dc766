"""Runs a sweep, from its scheduler to its results."""

import datetime
import functools
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import jax

import seq2seq_jax
from seq2seq_jax.config.classes import built_in_classes
from seq2seq_jax.problems.setup import make_pipeline
from seq2seq_jax.storage.resuming import check_same_configuration
from seq2seq_jax.storage.workdir import Workdir
from seq2seq_jax.sweeps.definition import Range, SweepFile, level_index
from seq2seq_jax.sweeps.local_runner import Outcomes, run_locally
from seq2seq_jax.sweeps.results import FAILED, FILE_NAME, Result, append_results
from seq2seq_jax.sweeps.scheduler import Scheduler
from seq2seq_jax.sweeps.tables import format_duration
from seq2seq_jax.sweeps.trials import Training
from seq2seq_jax.utils.errors import quantity
from seq2seq_jax.utils.logging import say

Runner = Callable[
    [
        Scheduler,
        Path,
        int,
        Callable[[Training], None],
        Callable[[Training, Outcomes], Sequence[Result]],
    ],
    bool,
]
"""Runs the trainings of a scheduler, as `local_runner.run_locally` does."""


def run_sweep(
    scheduler: Scheduler, file: SweepFile, folder: Path, jobs: int, runner: Runner = run_locally
) -> tuple[bool, list[Result]]:
    """Run the trainings of a scheduler, and write `results.jsonl` in the sweep's directory.

    Args:
      scheduler: Decides which training comes next.
      file: The sweep file.
      folder: The directory of the sweep.
      jobs: The number of trainings at a time.
      runner: Runs the trainings.

    Returns:
      Whether all trials have ended, and the results of this run.
    """
    say(f"Running {quantity(scheduler.total, 'trial')} in {folder}; jobs: {jobs}")
    progress = _Progress(scheduler.total, jobs)
    results: list[Result] = []

    def ended(training: Training, outcomes: Outcomes) -> list[Result]:
        new = [
            _result(file, training, name, outcomes[name])
            for name in (trial.name for trial in training.trials)
            if name in outcomes
        ]
        append_results(folder / FILE_NAME, new)
        progress.ended(training, new)
        results.extend(new)
        return new

    finished = runner(scheduler, folder, jobs, progress.started, ended)
    return finished, results


def preflight_check(trainings: Sequence[Training], folder: Path) -> None:
    """Check before the sweep what each training would check when it starts.

    Args:
      trainings: The trainings.
      folder: The directory of the sweep.

    Raises:
      UserError: Data files are missing, or a workdir holds another run.
    """
    seen = []
    for training in trainings:
        config = training.config
        check_same_configuration(Workdir(folder / training.name), config)
        for key in ("input_pipeline_train", "input_pipeline_dev"):
            needed = key == "input_pipeline_train" or config.eval_every_n_steps
            ours = config[key]["class"] in built_in_classes()["pipeline"]
            if needed and ours and config[key] not in seen:
                seen.append(config[key])
                make_pipeline(config, key)


class _Progress:
    """Logs which trials start and end, and the estimated time left."""

    def __init__(self, total: int, jobs: int) -> None:
        self._total, self._jobs = total, jobs
        self._done = 0
        self._seconds = 0.0
        self._start_times: dict[str, float] = {}

    def started(self, training: Training) -> None:
        self._start_times[training.trials[0].name] = time.monotonic()
        names = ", ".join(trial.name for trial in training.trials)
        say(f"Started {names}")

    def ended(self, training: Training, results: Sequence[Result]) -> None:
        seconds = time.monotonic() - self._start_times.pop(training.trials[0].name)
        if not results:
            return
        self._done += len(results)
        self._seconds += seconds
        running = sum(time.monotonic() - start for start in self._start_times.values())
        left = self._total - self._done
        mean = self._seconds / self._done
        seconds_left = max(0.0, left * mean - running) / max(1, min(self._jobs, left))
        for i, result in enumerate(results, start=self._done - len(results) + 1):
            last = i == self._done
            say(
                f"[{i}/{self._total}] {result['trial']}  {_describe_result(result)}"
                + (
                    f"  ({format_duration(seconds)}; ETA {format_duration(seconds_left)})"
                    if last and left
                    else ""
                )
            )


def _describe_result(result: Result) -> str:
    if result["status"] == FAILED:
        return f"failed: {result['error']}"
    return "  ".join(f"{name} {value:.4g}" for name, value in result["metrics"].items())


def _result(file: SweepFile, training: Training, name: str, outcome: Result) -> Result:
    (trial,) = (trial for trial in training.trials if trial.name == name)
    result: Result = {
        "trial": name,
        "sweep": file.name,
        "status": outcome["status"],
        "levels": trial.levels,
        "places": {
            name: level_index(factor, trial.levels[name])
            for name, factor in file.sweep.factors.items()
            if not isinstance(factor, Range)
        },
        "seed": trial.seed,
        "overrides": trial.overrides,
        "best_metric": training.config.best_metric,
        **outcome,
        "version": package_version(),
        "jax": jax.__version__,
        "workdir": training.name,
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    levels = map(str, trial.levels.values())
    published = {
        name: file.sweep.published[name] for name in levels if name in file.sweep.published
    }
    return result | ({"published": published} if published else {})


@functools.cache
def package_version() -> str:
    """Return the version, with the commit in a checkout: 0.1.0+5736120, or ...-dirty."""
    checkout = Path(seq2seq_jax.__file__).parents[1]
    if not (checkout / ".git").exists():
        return seq2seq_jax.__version__
    try:
        commit = subprocess.run(
            ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--exclude=*"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        commit = ""
    return seq2seq_jax.__version__ + (f"+{commit}" if commit else "")
