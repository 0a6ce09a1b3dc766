"""A sweep from its file to its results."""

import datetime
import fcntl
import functools
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import jax

import seq2seq_jax
from seq2seq_jax.config.classes import built_in_classes
from seq2seq_jax.problems.setup import make_pipeline
from seq2seq_jax.storage.workdir import Workdir, check_same_configuration
from seq2seq_jax.sweeps.definition import Range, SweepFile, place_of
from seq2seq_jax.sweeps.local_runner import Outcomes, run_locally
from seq2seq_jax.sweeps.results import (
    FAILED,
    FILE_NAME,
    FINISHED,
    Result,
    append_results,
    read_results,
)
from seq2seq_jax.sweeps.scheduler import Plan
from seq2seq_jax.sweeps.tables import clock
from seq2seq_jax.sweeps.trial_process import trained_seconds
from seq2seq_jax.sweeps.trials import Training, config_digest
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.logging import say

Runner = Callable[
    [Plan, Path, int, Callable[[Training], None], Callable[[Training, Outcomes], Sequence[Result]]],
    bool,
]


def run_plan(
    plan: Plan, file: SweepFile, folder: Path, jobs: int, runner: Runner = run_locally
) -> tuple[bool, list[Result]]:
    """Runs a plan and writes FOLDER/results.jsonl.

    Returns:
      Whether it came to the end, and the results of this time.
    """
    say(f"{plan.total} trials to do, {jobs} at a time, in {folder}")
    progress = _Progress(plan.total, jobs)
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

    finished = runner(plan, folder, jobs, progress.started, ended)
    return finished, results


def unfinished(trainings: Sequence[Training], folder: Path) -> list[Training]:
    """Without the trials whose results are there already."""
    done = finished_trials(folder)
    left = []
    for training in trainings:
        trials = [t for t in training.trials if done.get(t.name) != config_digest(t.config)]
        if trials:
            left.append(training._replace(trials=trials))
    return left


def finished_trials(folder: Path) -> dict[str, str]:
    """The digests of the configurations of all trials that have a result, by their names."""
    if not (folder / FILE_NAME).exists():
        return {}
    results = read_results(folder / FILE_NAME)
    return {
        result["trial"]: result["config_digest"]
        for result in results
        if result["status"] == FINISHED
    }


def check_before(trainings: Sequence[Training], folder: Path) -> None:
    """What training would find wrong later, looked at now.

    Raises:
      UserError: data files are missing; a workdir holds another run.
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


def reuse_trainings(trainings: Sequence[Training], folder: Path, others: Sequence[Path]) -> int:
    """Links workdirs of other sweeps that hold the same finished training.

    Returns:
      How many.
    """
    found = {}
    for other in others:
        if not other.is_dir():
            raise UserError("--reuse", f"no such folder: {other}")
        for record in other.glob("*/training.json"):
            found[record.parent.resolve()] = record.parent
    count = 0
    for training in trainings:
        own = folder / training.name
        same = [path for path in found if trained_seconds(path, training.digest)]
        if same and not own.exists():
            own.parent.mkdir(parents=True, exist_ok=True)
            own.symlink_to(same[0])
            count += 1
    return count


def state_of(training: Training, folder: Path) -> str:
    """For people: new, trained, or where it will go on."""
    workdir = folder / training.name
    if trained_seconds(workdir, training.digest):
        return "trained"
    if not (workdir / "checkpoints").exists():
        return "new"
    return f"goes on from step {Workdir(workdir).checkpoints(training.config).latest_step() or 0}"


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Raises UserError if another sweep is at work in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            what = "another sweep is at work here; wait for it, or name another --output"
            raise UserError(str(folder), what) from None
        yield


class _Progress:
    """Says what has begun and ended, and how long the rest may take."""

    def __init__(self, total: int, jobs: int):
        self._total, self._jobs = total, jobs
        self._done = 0
        self._seconds = 0.0
        self._begun: dict[str, float] = {}

    def started(self, training: Training) -> None:
        self._begun[training.trials[0].name] = time.monotonic()
        names = ", ".join(trial.name for trial in training.trials)
        say(f"started {names}")

    def ended(self, training: Training, results: Sequence[Result]) -> None:
        seconds = time.monotonic() - self._begun.pop(training.trials[0].name)
        if not results:
            return
        self._done += len(results)
        self._seconds += seconds
        running = sum(time.monotonic() - begun for begun in self._begun.values())
        left = self._total - self._done
        mean = self._seconds / self._done
        seconds_left = max(0.0, left * mean - running) / max(1, min(self._jobs, left))
        for i, result in enumerate(results, start=self._done - len(results) + 1):
            last = i == self._done
            say(
                f"[{i}/{self._total}] {result['trial']}  {_described(result)}"
                + (
                    f"  ({clock(seconds)}; {left} left, about {clock(seconds_left)})"
                    if last and left
                    else ""
                )
            )


def _described(result: Result) -> str:
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
            name: place_of(factor, trial.levels[name])
            for name, factor in file.sweep.factors.items()
            if not isinstance(factor, Range)
        },
        "seed": trial.seed,
        "overrides": trial.overrides,
        "best_metric": training.config.best_metric,
        **outcome,
        "version": version(),
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
def version() -> str:
    """0.1.0, and the commit if the package is in a checkout: 0.1.0+5736120, or ...-dirty."""
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
