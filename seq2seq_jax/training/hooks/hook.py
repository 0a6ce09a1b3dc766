"""The base class of all hooks."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from flax import linen as nn
from ml_collections import ConfigDict

from seq2seq_jax.config.classes import resolve_class
from seq2seq_jax.data.batches import Batch
from seq2seq_jax.schema.parameters import construct
from seq2seq_jax.storage.metrics_log import MetricWriter
from seq2seq_jax.storage.workdir import Vocabularies
from seq2seq_jax.training.train_step import TrainState


class TrainingRun(NamedTuple):
    """What stays the same during training.

    Attributes:
      config: The resolved configuration.
      workdir: The run's directory.
      model: The model.
      vocabularies: The source and the target vocabulary.
      first_step: Number of the first step: 1, or more if the run resumes.
      writer: Writes numbers and texts to `metrics.jsonl` and to TensorBoard's events.
    """

    config: ConfigDict
    workdir: Path
    model: nn.Module
    vocabularies: Vocabularies
    first_step: int
    writer: MetricWriter


class Hook:
    """The base class of hooks, whose methods do nothing. A hook must not change training.

    With several processes, only the main one has hooks. They must not start a computation in which
    the other processes would have to take part. Steps count from 1. The next step consumes a state,
    so a hook that needs a part of it later must copy it.
    """

    def begin(self, run: TrainingRun, state: TrainState) -> None:
        """Prepare for the first step of this process.

        Args:
          run: What stays the same during training.
          state: The state before that step.
        """

    def before_step(self, step: int, state: TrainState) -> None:
        """Act before the batch of a step is read.

        Args:
          step: Number of the step.
          state: The state before the step; the device may still be computing it.
        """

    def after_step(self, step: int, state: TrainState, batch: Batch) -> None:
        """Act when a step has been started, before it is logged, evaluated or saved.

        Args:
          step: Number of the step.
          state: The state after the step; the device may still be computing it.
          batch: The part of the batch that this process produced, as numpy arrays.
        """

    def end(self) -> None:
        """Act when training has ended, was interrupted or failed."""


def make_hooks(config: ConfigDict) -> list[Hook]:
    """Instantiate the hooks of a configuration, in their order.

    Args:
      config: A resolved configuration.

    Returns:
      The hooks.

    Raises:
      UserError: A class cannot be imported or does not derive from `Hook`.
    """
    hooks: list[Hook] = []
    for label, entry in config.hooks.items():
        key = f"hooks.{label}"
        hook_class = resolve_class("hook", entry["class"], f"{key}.class")
        hooks.append(construct(hook_class, entry["params"], resolve_class, f"{key}.params"))
    return hooks


@contextmanager
def end_hooks(hooks: Sequence[Hook]) -> Iterator[None]:
    """End all hooks when the block is left, also after an exception.

    Args:
      hooks: The hooks.
    """
    with ExitStack() as stack:
        for hook in hooks:
            stack.callback(hook.end)
        yield
