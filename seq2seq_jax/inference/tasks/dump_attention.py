"""The task that writes attention weights."""

from pathlib import Path
from typing import Annotated

import numpy as np

from seq2seq_jax.data.vocabulary import SEQUENCE_END
from seq2seq_jax.inference.predictions import Prediction
from seq2seq_jax.inference.predictor import Predictor
from seq2seq_jax.inference.tasks.array_file import ArrayFile
from seq2seq_jax.inference.tasks.inference_task import InferenceTask
from seq2seq_jax.reports.attention_plot import plot_attention
from seq2seq_jax.schema.rules import one_of
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.file_errors import explain_write_errors


class DumpAttention(InferenceTask):
    """Writes a plot (`00000.png`) and the attention weights of each best hypothesis.

    `attention_scores.npz` holds `arr_0`, `arr_1`, ..., one for each source in order, each as
    `Hypothesis.attention`. For an empty source the array is [0, 0], and there is no plot.
    """

    needs_attention = True

    def __init__(
        self,
        output_dir: str = "",
        dump_plots: bool = True,
        dump_atts: bool = True,
        plot_format: Annotated[str, one_of("png", "svg")] = "png",
        *,
        key: str = "DumpAttention",
    ) -> None:
        """Initialize the task.

        Args:
          output_dir: Directory for the attention scores and plots.
          dump_plots: Write a plot for each source.
          dump_atts: Write the attention scores.
          plot_format: Format of the plots.
          key: Dotted key of these parameters, for errors.

        Raises:
          UserError: The directory is not given.
        """
        if not output_dir:
            raise UserError(f"{key}.output_dir", "is empty; name a directory")
        self._directory = Path(output_dir)
        self._plots, self._format = dump_plots, plot_format
        self._writes_arrays = dump_atts
        self._arrays: ArrayFile | None = None

    def begin(self, predictor: Predictor) -> None:
        """Create the directory and the array file.

        Args:
          predictor: Is not used.

        Raises:
          UserError: They cannot be created.
        """
        with explain_write_errors(self._directory):
            self._directory.mkdir(parents=True, exist_ok=True)
        if self._writes_arrays:
            self._arrays = ArrayFile(self._directory / "attention_scores.npz")

    def run(self, number: int, prediction: Prediction) -> None:
        """Write the attention weights of one source.

        Args:
          number: Number of the source.
          prediction: Has the attention weights.
        """
        weights = prediction.attention
        if self._arrays:
            array = np.zeros((0, 0), np.float32) if weights is None else weights
            self._arrays.add(f"arr_{number}", array)
        if self._plots and weights is not None:
            plot_attention(
                weights,
                prediction.attended_tokens,
                [*prediction.tokens, SEQUENCE_END][: len(weights)],
                self._directory / f"{number:05}.{self._format}",
            )

    def end(self) -> None:
        """Finish the array file."""
        if self._arrays:
            self._arrays.close()
