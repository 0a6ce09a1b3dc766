"""The hook that shows what the model would say to the examples that it learns from."""

import logging
import time
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np

from seq2seq_jax.data.batches import Batch
from seq2seq_jax.data.vocabulary import SEQUENCE_END
from seq2seq_jax.schema.keys import at_least
from seq2seq_jax.training.hooks.hook import Hook, TrainingRun
from seq2seq_jax.training.train_step import TrainState

__all__ = ["TrainSampleHook"]

_EXAMPLES = 5
_log = logging.getLogger(__name__)


class TrainSampleHook(Hook):
    """Logs the first few examples of a batch: source, prediction, target.

    The prediction is the likeliest word at each position, given the target's own words before it
    (teacher forcing), from the parameters after the step and without dropout. Both it and the
    target end where the target does, with SEQUENCE_END if the model saw the end coming. As
    `train/samples` they go into the metrics too.
    """

    def __init__(
        self,
        every_n_secs: Annotated[
            int, at_least(0), "Seconds between samples; 0: use every_n_steps."
        ] = 0,
        every_n_steps: Annotated[
            int, at_least(1), "Steps between samples; the first step is sampled too."
        ] = 1000,
        source_delimiter: Annotated[str, "Joins the source tokens that are shown."] = " ",
        target_delimiter: Annotated[str, "Joins the target tokens that are shown."] = " ",
    ):
        self._every_n_secs, self._every_n_steps = every_n_secs, every_n_steps
        self._source_delimiter, self._target_delimiter = source_delimiter, target_delimiter

    def begin(self, run: TrainingRun, state: TrainState) -> None:
        self._run = run
        self._last = float("-inf")
        model = run.model

        @jax.jit
        def predict(variables: dict, batch: Batch) -> jax.Array:
            inputs = batch["target_ids"][:, :-1]
            output: Any = model.apply(variables, *model.encoder_inputs(batch), inputs)
            return jnp.argmax(output.logits, axis=-1)

        self._predict = predict

    def after_step(self, step: int, state: TrainState, batch: Batch) -> None:
        if not self._due(step):
            return
        # From the host's copies, so that it is this process's affair alone.
        variables = jax.device_get({"params": state.params, **state.collections})
        examples = {name: np.asarray(array)[:_EXAMPLES] for name, array in batch.items()}
        predicted = np.asarray(self._predict(variables, examples))
        text = self._described(examples, predicted)
        _log.info("predictions, given the words before, at step %d\n%s", step, text)
        self._run.writer.write_texts(step, {"train/samples": text})

    def _due(self, step: int) -> bool:
        if not self._every_n_secs:
            return step == 1 or step % self._every_n_steps == 0
        now = time.monotonic()
        due = now - self._last >= self._every_n_secs
        if due:
            self._last = now
        return due

    def _described(self, examples: Batch, predicted: np.ndarray) -> str:
        """Args: predicted: [B, T - 1] i32 for targets [B, T]."""
        sources, targets = self._run.vocabularies
        lines = []
        for row, length in enumerate(examples["target_len"]):
            if length == 0:  # it fills the batch
                continue
            if "source_ids" in examples:
                ids = examples["source_ids"][row, : examples["source_len"][row]]
                words = [word for word in sources.decode(ids.tolist()) if word != SEQUENCE_END]
                lines.append(f"  source      {self._source_delimiter.join(words)}")
            for name, ids in (
                ("prediction", predicted[row, : length - 1]),
                ("target", examples["target_ids"][row, 1:length]),
            ):
                words = targets.decode(ids.tolist())
                lines.append(f"  {name:<10}  {self._target_delimiter.join(words)}")
            lines.append("")
        return "\n".join(lines[:-1])
