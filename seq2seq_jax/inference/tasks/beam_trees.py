"""The task that shows how the beam searches went."""

from pathlib import Path

from seq2seq_jax.inference.prediction import Prediction
from seq2seq_jax.inference.predictor import Predictor
from seq2seq_jax.inference.tasks.inference_task import InferenceTask
from seq2seq_jax.reports.beam_tree import write_beam_tree

__all__ = ["BeamTrees"]


class BeamTrees(InferenceTask):
    """Writes the search of each source as a page (`00000.html`) that opens without network; there
    is none of an empty source."""

    history = True

    def __init__(self, output_dir: str):
        self._folder = Path(output_dir)

    def begin(self, predictor: Predictor) -> None:
        self._vocabulary = predictor.vocabularies.target

    def run(self, number: int, prediction: Prediction) -> None:
        search = prediction.history
        if search is None:
            return
        write_beam_tree(
            self._folder / f"{number:05}.html",
            tokens=[self._vocabulary.decode(step.tolist()) for step in search.words],
            parents=search.parents,
            log_probs=search.log_probs,
            scores=search.scores,
            slots=search.slots.tolist(),
            source=prediction.source,
            title=prediction.text or "Beam search",
        )
