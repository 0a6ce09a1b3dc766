"""Trials that Optuna chooses: at random, or by what those before have shown (a Bayesian search).

All that it knows is in a file of the sweep's folder, `optuna.db`, so that a search goes on where it
was stopped; `optuna-dashboard sqlite:///FOLDER/optuna.db` shows it.
"""

import logging
import math
import statistics
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq_jax.sweeps.definition import Level, Range, SweepFile
from seq2seq_jax.sweeps.results import FAILED, FINISHED, Result, read_results
from seq2seq_jax.sweeps.results import FILE_NAME as RESULTS
from seq2seq_jax.sweeps.trials import Training, config_digest, drawn_label, trainings_at
from seq2seq_jax.utils.errors import UserError

SAMPLERS = ("random", "bayes")
FILE_NAME = "optuna.db"


class OptunaPlan:
    """Draws `count` points; each is done with all seeds, and the mean of the best metric is told.

    With one job at a time a search that was stopped draws what it would have drawn.

    Args:
      sampler: `random`, or `bayes`: a tree-structured Parzen estimator (Bergstra et al. 2011).
      metric: of the dev set, what is sought.
      lower_is_better: whether lower values of it are better.

    Raises:
      UserError: Optuna is missing; the search in the folder is over other factors.
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
    ):
        self._optuna = _import_optuna()
        self._file, self._count, self._metric = file, count, metric
        self._sampler, self._seed = sampler, seed
        self._space = {name: self._drawn(factor) for name, factor in file.sweep.factors.items()}
        self._study = self._optuna.create_study(
            storage=f"sqlite:///{(folder / FILE_NAME).resolve()}",
            study_name=file.name,
            direction="minimize" if lower_is_better else "maximize",
            load_if_exists=True,
        )
        before = self._study.get_trials(deepcopy=False)
        if before and before[-1].distributions.keys() - self._space.keys():
            known = ", ".join(before[-1].distributions)
            what = f"holds a search over {known}; another --output would do"
            raise UserError(str(folder / FILE_NAME), what)
        self._results = _finished(folder)
        self._waiting: deque[tuple[int, Training]] = deque()
        self._values: dict[int, list[float]] = {}
        self._numbers: dict[str, int] = {}  # of Optuna's trials, by the names of ours
        state = self._optuna.trial.TrialState
        halfway = [trial for trial in before if trial.state == state.RUNNING]
        self.total = (max(0, count - len(before)) + len(halfway)) * len(file.sweep.seeds)
        for trial in halfway:
            self._issue(trial.number, self._point(trial.params))

    def next(self) -> Training | None:
        while not self._waiting:
            number = len(self._study.get_trials(deepcopy=False))
            if number >= self._count:
                return None
            self._study.sampler = self._make_sampler(number)
            trial = self._study.ask(self._space)
            self._issue(trial.number, self._point(trial.params))
        return self._waiting.popleft()[1]

    def record(self, training: Training, results: Sequence[Result]) -> None:
        for result in results:
            number = self._numbers[result["trial"]]
            value = result.get("metrics", {}).get(self._metric, math.nan)
            self._tell(number, value if result["status"] == FINISHED else math.nan)

    def _issue(self, number: int, point: dict[str, Level]) -> None:
        """Puts the trainings of a point in the queue, but for those whose results are there."""
        for training in trainings_at(self._file, point, drawn_label(number)):
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
        # A new one each time, for samplers keep no state on disk.
        seed = int(np.random.SeedSequence([self._seed, number]).generate_state(1)[0])
        if self._sampler == "random":
            return self._optuna.samplers.RandomSampler(seed=seed)
        # Trials under way count as bad ones, so that no two jobs are sent to the same place.
        return self._optuna.samplers.TPESampler(seed=seed, constant_liar=True)

    def _drawn(self, factor: Any) -> Any:
        distributions = self._optuna.distributions
        if not isinstance(factor, Range):
            return distributions.CategoricalDistribution([*factor])
        whole = isinstance(factor.low, int) and isinstance(factor.high, int)
        kind = distributions.IntDistribution if whole else distributions.FloatDistribution
        return kind(factor.low, factor.high, log=factor.log)

    def _point(self, params: dict[str, Any]) -> dict[str, Level]:
        return {name: params[name] for name in self._space}


def _finished(folder: Path) -> dict[str, Result]:
    if not (folder / RESULTS).exists():
        return {}
    results = read_results(folder / RESULTS)
    return {result["trial"]: result for result in results if result["status"] != FAILED}


def _import_optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        what = f"needs Optuna ({error}); pip install 'seq2seq-jax[search]'"
        raise UserError("--search", what) from error
    optuna.logging.set_verbosity(logging.WARNING)
    return optuna
