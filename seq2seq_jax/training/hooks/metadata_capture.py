"""The hook that shows where the time of a step goes."""

import logging
from typing import Annotated, Any

import jax

from seq2seq_jax.data.batches import Batch
from seq2seq_jax.schema.keys import at_least
from seq2seq_jax.training.hooks.hook import Hook, TrainingRun
from seq2seq_jax.training.train_step import TrainState

__all__ = ["MetadataCaptureHook"]

_log = logging.getLogger(__name__)


class MetadataCaptureHook(Hook):
    """Writes a profiler's trace of chosen steps to `WORKDIR/profile`.

    It holds what host and device do from the reading of the first batch to the end of the last
    step: the device is waited for on either side. `plugins/profile/TIME/*.trace.json.gz` in there
    opens in Perfetto (ui.perfetto.dev); TensorBoard with its profile plugin reads the folder.
    """

    def __init__(
        self,
        step: Annotated[int, at_least(1), "First step that is traced; steps count from 1."] = 10,
        num_steps: Annotated[int, at_least(1), "Number of steps that are traced."] = 1,
    ):
        self._steps = range(step, step + num_steps)
        self._tracing = False
        self._annotation: Any = None

    def begin(self, run: TrainingRun, state: TrainState) -> None:
        self._folder = run.workdir / "profile"

    def before_step(self, step: int, state: TrainState) -> None:
        if step not in self._steps:
            return
        if not self._tracing:
            jax.block_until_ready(state)
            jax.profiler.start_trace(self._folder)
            self._tracing = True
        self._annotation = jax.profiler.StepTraceAnnotation("train", step_num=step)
        self._annotation.__enter__()

    def after_step(self, step: int, state: TrainState, batch: Batch) -> None:
        if not self._tracing:
            return
        last = step == self._steps[-1]
        if last:
            jax.block_until_ready(state)
        self._leave_step()
        if last:
            self._stop()

    def end(self) -> None:
        if self._tracing:  # the data, or patience, ended first
            self._leave_step()
            self._stop()

    def _leave_step(self) -> None:
        if self._annotation is not None:
            self._annotation.__exit__(None, None, None)
            self._annotation = None

    def _stop(self) -> None:
        jax.profiler.stop_trace()
        self._tracing = False
        _log.info("a trace of steps from %d on is in %s", self._steps[0], self._folder)
