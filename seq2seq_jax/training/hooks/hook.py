"""What all hooks are."""

from pathlib import Path
from typing import NamedTuple

from flax import linen as nn
from ml_collections import ConfigDict

from seq2seq_jax.data.batches import Batch
from seq2seq_jax.storage.metrics_log import MetricWriter
from seq2seq_jax.storage.workdir import Vocabularies
from seq2seq_jax.training.train_step import TrainState

__all__ = ["Hook", "TrainingRun"]


class TrainingRun(NamedTuple):
    """What stays the same while training.

    Attributes:
      config: resolved.
      workdir: the run's folder.
      first_step: the number of the first step to be taken: 1, or more if the run goes on.
      writer: puts numbers and texts into `metrics.jsonl` and TensorBoard's events.
    """

    config: ConfigDict
    workdir: Path
    model: nn.Module
    vocabularies: Vocabularies
    first_step: int
    writer: MetricWriter


class Hook:
    """The base of all hooks; one of your own overrides what it needs.

    Where several processes train together, hooks are in the main one alone: they must not call for
    a computation in which the others would have to take part. Steps are counted from 1. A state is
    consumed by the next step: whoever needs something of it later copies that.
    """

    def begin(self, run: TrainingRun, state: TrainState) -> None:
        """Called before the first step of this process."""

    def before_step(self, step: int, state: TrainState) -> None:
        """Called before the batch of a step is read.

        Args:
          state: the device may be at work on it still.
        """

    def after_step(self, step: int, state: TrainState, batch: Batch) -> None:
        """Called when a step has been started, before it is logged, evaluated or saved.

        Args:
          state: what the step makes; the device may be at work on it still.
          batch: what this process gave to the step, in numpy arrays.
        """

    def end(self) -> None:
        """Called when training has ended or was stopped, also where an error was the reason."""
