"""Random and Bayesian search: Optuna chooses the trials.

The state of a search is in `optuna.db` in the sweep's directory, from which a stopped search
resumes. `optuna-dashboard sqlite:///DIRECTORY/optuna.db` shows it.
"""

import logging
import math
import statistics
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from seq2seq_jax.sweeps.definition import Level, Range, SweepFile
from seq2seq_jax.sweeps.results import FAILED, FINISHED, Result, read_results
from seq2seq_jax.sweeps.results import FILE_NAME as RESULTS
from seq2seq_jax.sweeps.trials import Training, config_digest, point_trainings, search_label
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.file_errors import reason
from seq2seq_jax.utils.installation import install_command

SAMPLERS = ("random", "bayes")
FILE_NAME = "optuna.db"


class OptunaScheduler:
    """A scheduler of the points that Optuna chooses; each is run with all seeds.

    Optuna optimizes the mean of the metric over the seeds. With one job at a time, a search that
    was stopped and resumed draws the same points as one that was not.

    Args:
      file: The sweep file.
      folder: The directory of the sweep.
      sampler: `random`, or `bayes`: a tree-structured Parzen estimator (Bergstra et al. 2011).
      count: The number of points.
      metric: The metric of the dev set to optimize.
      lower_is_better: Whether lower values of the metric are better.
      seed: The seed of the sampler.

    Raises:
      UserError: Optuna is missing, or the directory holds a search over other factors.
    """

    def __init__(
        self,
        file: SweepFile,
        folder: Path,
        sampler: str,
        count: int,
        metric: str,
        lower_is_better: bool,
        seed: int = 0,
    ) -> None:
        self._optuna = _import_optuna()
        self._file, self._count, self._metric = file, count, metric
        self._sampler, self._seed = sampler, seed
        self._space = {
            name: self._distribution(factor) for name, factor in file.sweep.factors.items()
        }
        self._study = self._optuna.create_study(
            storage=open_storage(folder / FILE_NAME),
            study_name=file.name,
            direction="minimize" if lower_is_better else "maximize",
            load_if_exists=True,
        )
        before = self._study.get_trials(deepcopy=False)
        if before and before[-1].distributions.keys() - self._space.keys():
            known = ", ".join(before[-1].distributions)
            what = f"holds a search over {known}; use another --output"
            raise UserError(str(folder / FILE_NAME), what)
        self._results = _finished_results(folder)
        self._waiting: deque[tuple[int, Training]] = deque()
        self._values: dict[int, list[float]] = {}
        self._numbers: dict[str, int] = {}  # Name of a trial -> number of the point.
        state = self._optuna.trial.TrialState
        unfinished = [trial for trial in before if trial.state == state.RUNNING]
        self.total = (max(0, count - len(before)) + len(unfinished)) * len(file.sweep.seeds)
        for trial in unfinished:
            self._queue_point(trial.number, self._point(trial.params))

    def next_training(self) -> Training | None:
        """Return the next training; None if all points are drawn."""
        while not self._waiting:
            number = len(self._study.get_trials(deepcopy=False))
            if number >= self._count:
                return None
            self._study.sampler = self._make_sampler(number)
            trial = self._study.ask(self._space)
            self._queue_point(trial.number, self._point(trial.params))
        return self._waiting.popleft()[1]

    def record(self, training: Training, results: Sequence[Result]) -> None:
        """Report results to Optuna, once all seeds of their point have ended.

        Args:
          training: The training that ended.
          results: The results of its trials.
        """
        for result in results:
            number = self._numbers[result["trial"]]
            value = result.get("metrics", {}).get(self._metric, math.nan)
            self._tell(number, value if result["status"] == FINISHED else math.nan)

    def _queue_point(self, number: int, point: dict[str, Level]) -> None:
        """Queue the trainings of a point, except those that have results."""
        for training in point_trainings(self._file, point, search_label(number)):
            (trial,) = training.trials
            self._numbers[trial.name] = number
            result = self._results.get(trial.name)
            if result and result["config_digest"] == config_digest(trial.config):
                self._tell(number, result["metrics"][self._metric])
            else:
                self._waiting.append((number, training))

    def _tell(self, number: int, value: float) -> None:
        values = self._values.setdefault(number, [])
        values.append(value)
        if len(values) < len(self._file.sweep.seeds):
            return
        if all(map(math.isfinite, values)):
            self._study.tell(number, statistics.mean(values))
        else:
            self._study.tell(number, state=self._optuna.trial.TrialState.FAIL)

    def _make_sampler(self, number: int) -> Any:
        # A new one each time, because samplers keep no state on disk.
        seed = int(np.random.SeedSequence([self._seed, number]).generate_state(1)[0])
        if self._sampler == "random":
            return self._optuna.samplers.RandomSampler(seed=seed)
        # Running trials count as bad ones, so that parallel jobs get different points.
        return self._optuna.samplers.TPESampler(seed=seed, constant_liar=True)

    def _distribution(self, factor: Any) -> Any:
        distributions = self._optuna.distributions
        if not isinstance(factor, Range):
            return distributions.CategoricalDistribution([*factor])
        whole = isinstance(factor.low, int) and isinstance(factor.high, int)
        kind = distributions.IntDistribution if whole else distributions.FloatDistribution
        return kind(factor.low, factor.high, log=factor.log)

    def _point(self, params: Mapping[str, Level]) -> dict[str, Level]:
        return {name: params[name] for name in self._space}


def open_storage(file: Path) -> Any:
    """Open Optuna's database, which is created if it does not exist.

    Args:
      file: Its path.

    Returns:
      An Optuna storage. It closes each connection after use, so that none outlives a search.
    """
    from sqlalchemy.pool import NullPool

    url = f"sqlite:///{file.resolve()}"
    return _import_optuna().storages.RDBStorage(url, engine_kwargs={"poolclass": NullPool})


@contextmanager
def explain_storage_errors(folder: Path) -> Iterator[None]:
    """Report in one line that the study of a search cannot be read or written.

    Args:
      folder: The directory of the sweep.

    Raises:
      UserError: Optuna's storage failed in the block.
    """
    optuna = _import_optuna()
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (optuna.exceptions.StorageInternalError, SQLAlchemyError) as error:
        cause = reason(error.__cause__ if isinstance(error.__cause__, Exception) else error)
        what = f"cannot be read or written ({cause}); free some space, or use another --output"
        raise UserError(str(folder / FILE_NAME), what) from error


def _finished_results(folder: Path) -> dict[str, Result]:
    if not (folder / RESULTS).exists():
        return {}
    results = read_results(folder / RESULTS)
    return {result["trial"]: result for result in results if result["status"] != FAILED}


def _import_optuna() -> ModuleType:
    try:
        import optuna
    except ImportError as error:
        what = f"needs Optuna ({error}); use {install_command('search')}"
        raise UserError("--search", what) from error
    optuna.logging.set_verbosity(logging.WARNING)
    return optuna
