"""The hook that tells how large the model is."""

import logging

from seq2seq_jax.training.hooks.hook import Hook, TrainingRun
from seq2seq_jax.training.model_analysis import model_analysis, write_model_analysis
from seq2seq_jax.training.train_step import TrainState

__all__ = ["PrintModelAnalysisHook"]

_log = logging.getLogger(__name__)


class PrintModelAnalysisHook(Hook):
    """Logs the parameters by module as a table at the start, and writes it to
    `WORKDIR/model_analysis.txt`."""

    def begin(self, run: TrainingRun, state: TrainState) -> None:
        arrays = state.params
        if state.frozen:
            arrays = {"trained": state.params, "frozen": state.frozen}
        _log.info("%s", model_analysis(arrays))
        write_model_analysis(arrays, run.workdir / "model_analysis.txt")
