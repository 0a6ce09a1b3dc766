"""The hook that reports the model's size, as a table of the parameters by module."""

import logging

from seq2seq_jax.reports.model_analysis import model_analysis
from seq2seq_jax.training.hooks.hook import Hook, TrainingRun
from seq2seq_jax.training.train_step import TrainState
from seq2seq_jax.utils.atomic_io import atomic_write

_log = logging.getLogger(__name__)


class PrintModelAnalysisHook(Hook):
    """Logs a table of the parameters and writes it to `WORKDIR/model_analysis.txt`."""

    def begin(self, run: TrainingRun, state: TrainState) -> None:
        """Log and write the table.

        Args:
          run: What stays the same during training.
          state: The state with the parameters.
        """
        arrays = state.params
        if state.frozen:
            arrays = {"trained": state.params, "frozen": state.frozen}
        table = model_analysis(arrays)
        _log.info("%s", table)
        atomic_write(run.workdir / "model_analysis.txt", f"{table}\n".encode())
