"""The task that keeps where the model looked."""

from pathlib import Path
from typing import Annotated

import numpy as np

from seq2seq_jax.data.vocabulary import SEQUENCE_END
from seq2seq_jax.inference.prediction import Prediction
from seq2seq_jax.inference.predictor import Predictor
from seq2seq_jax.inference.tasks.array_file import ArrayFile
from seq2seq_jax.inference.tasks.inference_task import InferenceTask
from seq2seq_jax.reports.attention_plot import plot_attention
from seq2seq_jax.schema.keys import one_of
from seq2seq_jax.utils.errors import UserError

__all__ = ["DumpAttention"]


class DumpAttention(InferenceTask):
    """Writes, of each best hypothesis, a plot (`00000.png`) and the weights.

    `attention_scores.npz` holds `arr_0`, `arr_1`, ..., one a source in their order, each as
    `Hypothesis.attention`; that of an empty source is [0, 0], and has no plot.
    """

    attention = True

    def __init__(
        self,
        output_dir: Annotated[str, "Directory for the attention scores and plots."] = "",
        dump_plots: Annotated[bool, "Write a plot for each source."] = True,
        dump_atts: Annotated[bool, "Write the attention scores."] = True,
        plot_format: Annotated[str, one_of("png", "svg"), "Format of the plots."] = "png",
        *,
        key: str = "DumpAttention",
    ):
        """
        Args:
          output_dir: is made if it is not there.
          dump_plots, dump_atts: what to write.
          plot_format: "png" or "svg".
          key: where these stand in the configuration, for errors.
        """
        if not output_dir:
            raise UserError(f"{key}.output_dir", "is empty; name a folder")
        self._folder = Path(output_dir)
        self._plots, self._format = dump_plots, plot_format
        self._with_arrays = dump_atts
        self._arrays: ArrayFile | None = None

    def begin(self, predictor: Predictor) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(str(self._folder), f"cannot be made ({error.strerror})") from error
        if self._with_arrays:
            self._arrays = ArrayFile(self._folder / "attention_scores.npz")

    def run(self, number: int, prediction: Prediction) -> None:
        weights = prediction.attention
        if self._arrays:
            there = np.zeros((0, 0), np.float32) if weights is None else weights
            self._arrays.add(f"arr_{number}", there)
        if self._plots and weights is not None:
            plot_attention(
                weights,
                prediction.source_tokens,
                [*prediction.tokens, SEQUENCE_END][: len(weights)],
                self._folder / f"{number:05}.{self._format}",
            )

    def end(self) -> None:
        if self._arrays:
            self._arrays.close()
