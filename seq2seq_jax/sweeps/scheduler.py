"""Which training comes next, and which ones are finished or can be reused."""

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from seq2seq_jax.storage.workdir import Workdir
from seq2seq_jax.sweeps.results import FILE_NAME, FINISHED, Result, read_results
from seq2seq_jax.sweeps.trial_process import trained_seconds
from seq2seq_jax.sweeps.trials import Training, config_digest
from seq2seq_jax.utils.errors import UserError


class Scheduler(Protocol):
    """Decides which training comes next.

    Attributes:
      total: The number of trials to run, without those that are finished.
    """

    total: int

    def next_training(self) -> Training | None:
        """Return the next training; None if there is none left."""

    def record(self, training: Training, results: Sequence[Result]) -> None:
        """Receive the results of a training.

        Args:
          training: The training that ended.
          results: The results of its trials.
        """


class GridScheduler:
    """A scheduler of trainings that are known from the start.

    Args:
      trainings: The trainings, in their order.
    """

    def __init__(self, trainings: Sequence[Training]) -> None:
        self._waiting = deque(trainings)
        self.total = sum(len(training.trials) for training in trainings)

    def next_training(self) -> Training | None:
        """Return the next training; None if there is none left."""
        return self._waiting.popleft() if self._waiting else None

    def record(self, training: Training, results: Sequence[Result]) -> None:
        """Do nothing: the order does not depend on results."""


def finished_trials(folder: Path) -> dict[str, str]:
    """Return the finished trials of a sweep: name -> digest of the configuration.

    Args:
      folder: The directory of the sweep.
    """
    if not (folder / FILE_NAME).exists():
        return {}
    return {
        result["trial"]: result["config_digest"]
        for result in read_results(folder / FILE_NAME)
        if result["status"] == FINISHED
    }


def unfinished_trainings(trainings: Sequence[Training], folder: Path) -> list[Training]:
    """Return the trainings that have unfinished trials, with these trials.

    Args:
      trainings: All trainings.
      folder: The directory of the sweep.
    """
    done = finished_trials(folder)
    unfinished = []
    for training in trainings:
        trials = [t for t in training.trials if done.get(t.name) != config_digest(t.config)]
        if trials:
            unfinished.append(training._replace(trials=trials))
    return unfinished


def reuse_trainings(trainings: Sequence[Training], folder: Path, others: Sequence[Path]) -> int:
    """Link the workdirs of other sweeps that hold the same finished trainings.

    Args:
      trainings: The trainings to run.
      folder: The directory of the sweep.
      others: The directories of other sweeps.

    Returns:
      The number of links.

    Raises:
      UserError: A directory does not exist.
    """
    found = {}
    for other in others:
        if not other.is_dir():
            raise UserError("--reuse", f"no such directory: {other}")
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


def describe_state(training: Training, folder: Path) -> str:
    """Describe how far a training is: new, trained, or the step from which it resumes.

    Args:
      training: The training.
      folder: The directory of the sweep.
    """
    workdir = folder / training.name
    if trained_seconds(workdir, training.digest):
        return "trained"
    if not (workdir / "checkpoints").exists():
        return "new"
    step = Workdir(workdir).checkpoints(training.config).latest_step() or 0
    return f"resumes from step {step}"
