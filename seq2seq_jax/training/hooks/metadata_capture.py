"""The hook that profiles training steps."""

import logging
from pathlib import Path
from typing import Annotated

import jax

from seq2seq_jax.data.batches import Batch
from seq2seq_jax.schema.rules import at_least
from seq2seq_jax.training.hooks.hook import Hook, TrainingRun
from seq2seq_jax.training.train_step import TrainState

_log = logging.getLogger(__name__)


class MetadataCaptureHook(Hook):
    """Writes a profiler's trace of chosen steps to `WORKDIR/profile`.

    The trace covers host and device from the reading of the first batch to the end of the last
    step; the device is synchronized at both ends. Perfetto (ui.perfetto.dev) opens the file
    `plugins/profile/TIME/*.trace.json.gz`. TensorBoard reads the directory with its profile plugin.

    Args:
      step: First step that is traced; steps count from 1.
      num_steps: Number of steps that are traced.
    """

    def __init__(
        self,
        step: Annotated[int, at_least(1)] = 10,
        num_steps: Annotated[int, at_least(1)] = 1,
    ) -> None:
        self._steps = range(step, step + num_steps)
        self._tracing = False
        self._annotation: jax.profiler.StepTraceAnnotation | None = None
        self._directory = Path()

    def begin(self, run: TrainingRun, state: TrainState) -> None:
        """Remember where the trace is written.

        Args:
          run: Has the workdir.
          state: The state before the first step.
        """
        self._directory = run.workdir / "profile"

    def before_step(self, step: int, state: TrainState) -> None:
        """Start the trace before the first chosen step.

        Args:
          step: Number of the step.
          state: The state before the step.
        """
        if step not in self._steps:
            return
        if not self._tracing:
            jax.block_until_ready(state)
            jax.profiler.start_trace(self._directory)
            self._tracing = True
        self._annotation = jax.profiler.StepTraceAnnotation("train", step_num=step)
        self._annotation.__enter__()

    def after_step(self, step: int, state: TrainState, batch: Batch) -> None:
        """Stop the trace after the last chosen step.

        Args:
          step: Number of the step.
          state: The state after the step.
          batch: The batch of the step.
        """
        if not self._tracing:
            return
        last = step == self._steps[-1]
        if last:
            jax.block_until_ready(state)
        self._leave_step()
        if last:
            self._stop()

    def end(self) -> None:
        """Stop the trace if training ended before the last chosen step."""
        if self._tracing:
            self._leave_step()
            self._stop()

    def _leave_step(self) -> None:
        if self._annotation is not None:
            self._annotation.__exit__(None, None, None)
            self._annotation = None

    def _stop(self) -> None:
        jax.profiler.stop_trace()
        self._tracing = False
        _log.info("wrote a trace of steps from %d on to %s", self._steps[0], self._directory)
