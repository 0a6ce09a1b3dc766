"""The hook that shows predictions for training examples."""

import logging
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from seq2seq_jax.data.batches import Batch
from seq2seq_jax.data.vocabulary import SEQUENCE_END
from seq2seq_jax.schema.rules import at_least
from seq2seq_jax.training.hooks.hook import Hook, TrainingRun
from seq2seq_jax.training.stopping import Every
from seq2seq_jax.training.train_step import TrainState

_NUM_EXAMPLES = 5
_log = logging.getLogger(__name__)


class TrainSampleHook(Hook):
    """Logs the first few examples of a batch: source, prediction and target.

    The prediction is the most likely token at each position given the preceding tokens of the
    target (teacher forcing), computed without dropout from the parameters after the step. The
    prediction and the target end where the target does, with SEQUENCE_END if the model predicted
    the end. They are also written to the metrics, as `train/samples`.

    Args:
      every_n_secs: Seconds between samples; 0: use every_n_steps.
      every_n_steps: Steps between samples; the first step is sampled too.
      source_delimiter: Joins the source tokens that are shown.
      target_delimiter: Joins the target tokens that are shown.
    """

    def __init__(
        self,
        every_n_secs: Annotated[int, at_least(0)] = 0,
        every_n_steps: Annotated[int, at_least(1)] = 1000,
        source_delimiter: str = " ",
        target_delimiter: str = " ",
    ) -> None:
        self._every = Every(steps=0 if every_n_secs else every_n_steps, seconds=every_n_secs)
        self._source_delimiter, self._target_delimiter = source_delimiter, target_delimiter

    def begin(self, run: TrainingRun, state: TrainState) -> None:
        """Prepare the prediction.

        Args:
          run: What stays the same during training.
          state: The state before the first step.
        """
        self._run = run
        model = run.model

        @jax.jit
        def predict(variables: dict[str, PyTree], batch: Batch) -> jax.Array:
            inputs = batch["target_ids"][:, :-1]
            output: Any = model.apply(variables, *model.encoder_inputs(batch), inputs)
            return jnp.argmax(output.logits, axis=-1)

        self._predict = predict

    def after_step(self, step: int, state: TrainState, batch: Batch) -> None:
        """Log samples if they are due.

        Args:
          step: Number of the step.
          state: The state after the step.
          batch: The batch, from which the samples are taken.
        """
        if step > 1 and not self._every.is_due(step):
            return
        self._every.reset()
        # Computed from copies on the host, so that no other process takes part.
        variables = jax.device_get({"params": state.params, **state.non_trainable})
        examples = {name: np.asarray(array)[:_NUM_EXAMPLES] for name, array in batch.items()}
        predicted = np.asarray(self._predict(variables, examples))
        text = self._describe(examples, predicted)
        _log.info("predictions by teacher forcing at step %d\n%s", step, text)
        self._run.writer.write_texts(step, {"train/samples": text})

    def _describe(self, examples: Batch, predicted: np.ndarray) -> str:
        """Return the samples as text; `predicted` is [B, T - 1] for targets [B, T]."""
        sources, targets, features = self._run.vocabularies
        lines = []
        for row, length in enumerate(examples["target_len"]):
            if length == 0:  # a row that pads the batch
                continue
            if "source_ids" in examples:
                ids = examples["source_ids"][row, : examples["source_len"][row]]
                tokens = [token for token in sources.decode(ids.tolist()) if token != SEQUENCE_END]
                lines.append(f"  source      {self._source_delimiter.join(tokens)}")
            if features and "features_ids" in examples:
                ids = examples["features_ids"][row, : examples["features_len"][row]]
                lines.append(f"  features    {' '.join(features.decode(ids.tolist()))}")
            for name, ids in (
                ("prediction", predicted[row, : length - 1]),
                ("target", examples["target_ids"][row, 1:length]),
            ):
                tokens = targets.decode(ids.tolist())
                lines.append(f"  {name:<10}  {self._target_delimiter.join(tokens)}")
            lines.append("")
        return "\n".join(lines[:-1])
