"""The hook that records a run in Weights & Biases or MLflow; the key `tracking.backend` adds it."""

import logging
import sys
from contextlib import suppress
from pathlib import Path

from ml_collections import ConfigDict

from seq2seq_jax.config import flatten_config
from seq2seq_jax.config.tracking_config import TrackingConfig
from seq2seq_jax.reports.learning_curve import plot_learning_curve
from seq2seq_jax.storage.history import history_file
from seq2seq_jax.storage.trackers import Tracker, check_tracking, open_tracker
from seq2seq_jax.training.hooks.hook import Hook, TrainingRun
from seq2seq_jax.training.train_step import TrainState
from seq2seq_jax.utils.errors import UserError

_log = logging.getLogger(__name__)


class TrackRun(Hook):
    """Passes metrics and samples on to a tracker, and logs configuration and learning curve."""

    def __init__(self, config: TrackingConfig) -> None:
        """Check that the packages of the tracker are installed.

        Args:
          config: The keys `tracking.*`.

        Raises:
          UserError: A package is missing.
        """
        check_tracking(config.backend)
        self._config = config
        self._tracker: Tracker | None = None
        self._workdir = Path()

    def begin(self, run: TrainingRun, state: TrainState) -> None:
        """Open the record, log the configuration, and receive what the writer writes.

        Args:
          run: Has the configuration, the workdir and the writer.
          state: The state before the first step.
        """
        self._workdir = run.workdir
        values = flatten_config(run.config)
        self._tracker = open_tracker(self._config, run.workdir, values)
        if self._tracker is not None:
            self._tracker.log_file(run.workdir / "config.json")
            if history_file(run.workdir).exists():
                self._tracker.log_file(history_file(run.workdir))
            run.writer.trackers.append(self._tracker)

    def end(self) -> None:
        """Log the learning curve, and complete the record."""
        if self._tracker is None:
            return
        failed = sys.exc_info()[0] is not None
        with suppress(UserError):  # Nothing was logged.
            self._tracker.log_file(plot_learning_curve(self._workdir))
        self._tracker.finish(failed)


def tracking_hooks(config: ConfigDict) -> list[Hook]:
    """Return the hook that records the run, if there is a backend.

    Args:
      config: A resolved configuration.

    Raises:
      UserError: A package is missing.
    """
    tracking = TrackingConfig(**config.tracking)
    return [TrackRun(tracking)] if tracking.backend else []
