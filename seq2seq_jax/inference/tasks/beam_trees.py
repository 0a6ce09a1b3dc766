"""The task that draws beam searches as trees."""

from pathlib import Path

from seq2seq_jax.inference.predictions import Prediction
from seq2seq_jax.inference.predictor import Predictor
from seq2seq_jax.inference.tasks.inference_task import InferenceTask
from seq2seq_jax.reports.beam_tree import write_beam_tree


class BeamTrees(InferenceTask):
    """Writes the beam search of each source as a page (`00000.html`) that needs no network.

    An empty source has no page.
    """

    needs_beam_trace = True

    def __init__(self, output_dir: str) -> None:
        """Initialize the task.

        Args:
          output_dir: Directory for the pages.
        """
        self._directory = Path(output_dir)

    def begin(self, predictor: Predictor) -> None:
        """Remember the target vocabulary.

        Args:
          predictor: Has the vocabulary.
        """
        self._vocabulary = predictor.vocabularies.target

    def run(self, number: int, prediction: Prediction) -> None:
        """Write the page of one source.

        Args:
          number: Number of the source.
          prediction: Has the beam trace.
        """
        trace = prediction.beam_trace
        if trace is None:
            return
        write_beam_tree(
            self._directory / f"{number:05}.html",
            tokens=[self._vocabulary.decode(step.tolist()) for step in trace.tokens],
            backpointers=trace.backpointers,
            log_probs=trace.log_probs,
            scores=trace.scores,
            beam_indices=trace.beam_indices.tolist(),
            source=" ".join(filter(None, (prediction.source, prediction.features))),
            title=prediction.text or "Beam search",
        )
