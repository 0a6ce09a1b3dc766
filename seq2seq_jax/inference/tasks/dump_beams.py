"""The task that keeps how the beam searches went."""

from typing import Annotated

import numpy as np

from seq2seq_jax.inference.prediction import Prediction, SearchHistory
from seq2seq_jax.inference.predictor import Predictor
from seq2seq_jax.inference.tasks.array_file import ArrayFile
from seq2seq_jax.inference.tasks.inference_task import InferenceTask
from seq2seq_jax.utils.errors import UserError

__all__ = ["DumpBeams"]


class DumpBeams(InferenceTask):
    """Writes the searches of N sources, with K hypotheses and T steps at most, to one `.npz` file.

      predicted_ids [N, T, K]     the word chosen at each step
      beam_parent_ids [N, T, K]   the slot, before the step, of the hypothesis that it continues
      log_probs [N, T, K]         of the hypothesis up to there; -inf in an empty slot
      scores [N, T, K]            what it was ranked by
      steps [N]                   how many steps the source took, 0 for an empty source
      slots [N, K]                the last step's slot of each hypothesis, best first

    Behind its own steps a search stands still: SEQUENCE_END in every slot, scores as they were.
    Greedy search has one slot.
    """

    history = True

    def __init__(
        self,
        file: Annotated[str, "The `.npz` file for the beams."] = "",
        *,
        key: str = "DumpBeams",
    ):
        """
        Args:
          file: its name; `.npz` is added if it has another ending.
          key: where it stands in the configuration, for errors.
        """
        if not file:
            raise UserError(f"{key}.file", "is empty; name a file")
        self._path = file if file.endswith(".npz") else f"{file}.npz"
        self._searches: list[SearchHistory | None] = []

    def begin(self, predictor: Predictor) -> None:
        self._file = ArrayFile(self._path)
        self._end_id = predictor.vocabularies.target.sequence_end_id
        self._width = max(1, predictor.config.inference.beam_search.beam_width)

    def run(self, number: int, prediction: Prediction) -> None:
        self._searches.append(prediction.history)

    def end(self) -> None:
        steps = np.array([0 if s is None else len(s.words) for s in self._searches], np.int32)
        shape = (len(steps), int(steps.max(initial=0)), self._width)
        words = np.full(shape, self._end_id, np.int32)
        parents = np.tile(np.arange(self._width, dtype=np.int32), (*shape[:2], 1))
        log_probs, scores = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        slots = np.tile(np.arange(self._width, dtype=np.int32), (len(steps), 1))
        for number, search in enumerate(self._searches):
            if search is None:
                continue
            took = steps[number]
            words[number, :took] = search.words
            parents[number, :took] = search.parents
            for array, own in ((log_probs, search.log_probs), (scores, search.scores)):
                array[number, :took] = own
                array[number, took:] = own[-1]
            slots[number] = search.slots
        arrays = {
            "predicted_ids": words,
            "beam_parent_ids": parents,
            "log_probs": log_probs,
            "scores": scores,
            "steps": steps,
            "slots": slots,
        }
        for name, array in arrays.items():
            self._file.add(name, array)
        self._file.close()
